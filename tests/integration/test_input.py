"""Malformed input, wrong use and unknown names: what is said, and the exit status."""
from harness import FanmillTest


class Malformed(FanmillTest):
    def test_json_lines_name_file_line_and_column_and_what_was_fed_finishes(self):
        path = self.write("in.jsonl", '1\n2\n[3, oops]\n4\n')
        run = self.run_fanmill("map", "identity", path, code=2)
        self.assertEqual(run.out(), "1\n2\n")
        self.assertRegex(run.err(), r"in\.jsonl, line 3, column 5: \w+")

    def test_stdin_is_named_with_its_line(self):
        run = self.run_fanmill("map", "identity", "-", stdin='1\n{"a":\n', code=2)
        self.assertRegex(run.err(), r"stdin, line 2, column \d+: \w+")

    def test_a_csv_row_of_another_length_is_named(self):
        path = self.write("in.csv", "seconds,message\n0,a\n0,b,c\n")
        run = self.run_fanmill("map", "sleep_print", path, code=2)
        self.assertRegex(run.err(), r"in\.csv, line 3: \w+")

    def test_a_stray_quote_in_a_csv_is_named_with_its_column(self):
        path = self.write("in.csv", 'seconds,message\n0,a\n0,b"c\n')
        run = self.run_fanmill("map", "sleep_print", path, code=2)
        self.assertRegex(run.err(), r"in\.csv, line 3, column 4: \w+")
        self.assertEqual(run.out(), "a\n")

    def test_a_missing_file_is_named(self):
        run = self.run_fanmill("map", "identity", self.dir / "nowhere.jsonl", code=2)
        self.assertIn("nowhere.jsonl", run.err())


class WrongUse(FanmillTest):
    def test_an_unknown_function_lists_what_is_offered_and_the_nearest_name(self):
        run = self.run_fanmill("map", "slep", ":::", "1", code=2)
        for name in ("slep", "sleep", "sleep_print", "echo", "identity"):
            self.assertIn(name, run.err())
        self.assertEqual(run.out(), "")

    def test_an_unknown_option_is_exit_2(self):
        self.run_fanmill("map", "--no-such-option", "identity", ":::", "1", code=2)

    def test_no_command_is_exit_2(self):
        self.run_fanmill(code=2)

    def test_help_is_exit_0_on_stdout(self):
        for arguments in (("--help",), ("map", "--help"), ("exec", "--help")):
            run = self.run_fanmill(*arguments)
            self.assertIn("fanmill", run.out())
            self.assertEqual(run.err(), "")

    def test_a_broker_over_tcp_is_refused_as_long_as_there_are_no_keys(self):
        run = self.run_fanmill("map", "--broker", "tcp://127.0.0.1:1", "identity", ":::", "1", code=2)
        self.assertIn("tcp", run.err().lower())


class Failures(FanmillTest):
    def test_some_failed_tasks_are_exit_1_and_the_others_are_there(self):
        run = self.run_fanmill("map", "sleep_print", "-", stdin='[0,"a"]\n[-1,"b"]\n[0,"c"]\n', code=1)
        self.assertEqual(run.out(), "a\nc\n")

    def test_a_failed_task_is_a_row_that_names_the_cause(self):
        run = self.run_fanmill("exec", "--format", "jsonl", ":::", "0", "7", "--", "sh", "-c", "exit $1", "sh", "{1}", code=1)
        rows = self.rows(run)
        self.assertEqual(rows[0]["status"], "succeeded")
        self.assertEqual((rows[1]["status"], rows[1]["exit_code"]), ("failed", 7))
