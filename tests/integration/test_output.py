"""Where results and progress go: files that cannot be written, chosen columns, progress for programs."""
import csv
import io
import json
import shutil
import time

from harness import FanmillTest


class Output(FanmillTest):
    def refused(self, where, reason, code):
        """Told with file and reason, in a line, before anything runs."""
        run = self.run_fanmill("exec", "-o", where, ":::", "1", "--", "touch", "ran", code=code)
        self.assertEqual(run.err(), 'fanmill: cannot write to "%s": %s (-o)\n' % (where, reason))
        self.assertFalse((self.dir / "ran").exists())

    def test_in_a_directory_that_is_not_there_is_refused_before_anything_runs(self):
        self.refused("nowhere/out.txt", "No such file or directory", 2)

    def test_that_is_a_directory_is_refused_before_anything_runs(self):
        self.refused(str(self.dir), "Is a directory", 2)

    def test_below_a_file_is_refused_before_anything_runs(self):
        self.write("file", "")
        self.refused("file/out.txt", "Not a directory", 2)

    def test_that_is_the_input_too_is_refused_and_keeps_what_is_in_it(self):
        self.write("in.jsonl", "1\n2\n")
        (self.dir / "link.jsonl").symlink_to("in.jsonl")
        for words in (("identity", "in.jsonl"), ("identity", "::::", "in.jsonl"), ("--lines", "identity", "link.jsonl")):
            run = self.run_fanmill("map", "-o", "in.jsonl", *words, code=2)
            self.assertIn("-o in.jsonl is the input too", run.err())
        run = self.run_fanmill("map", "-o", "in.jsonl", "identity", "-", stdin=self.dir / "in.jsonl", code=2)
        self.assertEqual((self.dir / "in.jsonl").read_text(), "1\n2\n")

    def test_that_may_not_be_written_is_refused_before_anything_runs(self):
        # A program that runs: even root may not write to it.
        shutil.copy("/bin/sleep", self.dir / "busy")
        self.start(self.dir / "busy", "1000")
        self.refused("busy", "Text file busy", 2)

    def test_on_a_full_disk_ends_the_run_with_file_and_reason(self):
        run = self.run_fanmill("map", "-o", "/dev/full", "identity", "--range", "n=1..3", code=3)
        self.assertEqual(run.err(), 'fanmill: cannot write the results to "/dev/full": No space left on device\n')

    def test_on_a_full_disk_ends_endless_input_and_running_commands(self):
        run = self.pipeline("yes 1 | fanmill exec -j 2 --unordered -o /dev/full --lines -- sh -c 'echo {}; sleep 0.01'; exit ${PIPESTATUS[1]}")
        self.assertEqual(run.code, 3, run)
        self.assertIn("No space left on device", run.err())
        self.assert_nothing_left()

    def test_that_grows_past_a_limit_of_the_system_ends_the_run(self):
        run = self.pipeline("ulimit -f 8; fanmill map -o out.txt identity --range n=1..1000000")
        self.assertEqual(run.code, 3, run)
        self.assertEqual(run.err(), 'fanmill: cannot write the results to "out.txt": File too large\n')

    def test_to_a_closed_stdout_is_an_error_and_goes_nowhere_else(self):
        run = self.pipeline("fanmill map identity ::: 1 2 3 >&-")
        self.assertEqual(run.code, 3, run)
        self.assertEqual(run.err(), "fanmill: cannot write the results to stdout: Bad file descriptor\n")
        run = self.pipeline("fanmill map -o out.txt identity ::: 1 2 3 <&- >&- 2>&-")
        self.assertEqual(run.code, 0, run)
        self.assertEqual((self.dir / "out.txt").read_text(), "1\n2\n3\n")

    def test_from_a_closed_stdin_is_an_error(self):
        run = self.pipeline("fanmill map identity - <&-")
        self.assertEqual(run.code, 3, run)
        self.assertEqual(run.err(), "fanmill: cannot read stdin: Bad file descriptor\n")


class Columns(FanmillTest):
    def test_are_chosen_and_ordered_in_both_formats(self):
        path = self.write("in.csv", "seed,name\n1,one\n2,two\n")
        run = self.run_fanmill("map", "--format", "csv", "--columns", "name,index,value,status", "echo", path)
        self.assertEqual(list(csv.reader(io.StringIO(run.out()))),
                         [["name", "index", "value", "status"], ["one", "0", '[1,"one"]', "succeeded"], ["two", "1", '[2,"two"]', "succeeded"]])
        run = self.run_fanmill("map", "--format", "jsonl", "--columns", "status,seed,params", "echo", path)
        self.assertEqual([json.loads(line, object_pairs_hook=list) for line in run.out().splitlines()],
                         [[("status", "succeeded"), ("seed", seed), ("params", [("seed", seed), ("name", name)])]
                          for seed, name in ((1, "one"), (2, "two"))])

    def test_name_the_signal_beside_the_exit_code(self):
        run = self.run_fanmill("exec", "--format", "csv", "--columns", "arg1,exit_code,signal,status",
                               ":::", "exit 0", "exit 3", "kill -9 $$", "--", "sh", "-c", "{}", code=1)
        self.assertEqual(run.out(), "arg1,exit_code,signal,status\nexit 0,0,,succeeded\nexit 3,3,,failed\nkill -9 $$,,9,failed\n")

    def test_that_are_unknown_are_answered_with_the_nearest_and_the_list(self):
        run = self.run_fanmill("map", "--format", "csv", "--columns", "index,exitcode", "identity", ":::", "1", code=2)
        self.assertRegex(run.err(), r'^fanmill map: --columns: there is no column "exitcode"; did you mean exit_code\?\n  There are index, params, ')
        self.assertLessEqual(len(run.err().splitlines()), 3)

    def test_go_with_formats_that_have_columns(self):
        run = self.run_fanmill("map", "--columns", "index", "identity", ":::", "1", code=2)
        self.assertEqual(run.err(), "fanmill map: --columns goes with --format jsonl or csv\n")


class Progress(FanmillTest):
    def objects(self, run):
        return [json.loads(line) for line in run.err().splitlines() if line.startswith('{"fanmill_progress":')]

    def test_for_programs_is_json_lines_of_one_schema_at_most_four_a_second(self):
        begin = time.monotonic()
        run = self.run_fanmill("exec", "-j", "2", "--progress=json", "--range", "n=1..30", "--", "sh", "-c", "sleep 0.05")
        seconds = time.monotonic() - begin
        seen = self.objects(run)
        self.assertEqual(len(seen), len(run.err().splitlines()), run)
        self.assertGreater(len(seen), 2)
        self.assertLessEqual(len(seen), seconds * 4 + 2)
        keys = ["fanmill_progress", "state", "exit_code", "elapsed_s", "total", "done", "failed", "running", "rate", "eta_s",
                "waiting_for", "waiting_task", "workers", "slots"]
        for one in seen:
            self.assertEqual(list(one), keys)
            self.assertEqual((one["fanmill_progress"], one["total"], one["slots"]), (1, 30, 2))
        self.assertEqual([one["state"] for one in seen], ["running"] * (len(seen) - 1) + ["finished"])
        self.assertEqual([one["done"] for one in seen], sorted(one["done"] for one in seen))
        self.assertEqual((seen[-1]["done"], seen[-1]["exit_code"], seen[-1]["eta_s"]), (30, 0, None))
        self.assertTrue(any(one["eta_s"] for one in seen), seen)

    def test_for_programs_is_all_that_quiet_leaves(self):
        run = self.run_fanmill("exec", "--quiet", "--progress=json", ":::", "0", "1", "--", "sh", "-c", "exit {}", code=1)
        self.assertEqual(len(self.objects(run)), len(run.err().splitlines()), run)
        self.assertEqual([(one["state"], one["done"], one["failed"], one["exit_code"]) for one in self.objects(run)[-1:]],
                         [("finished", 2, 1, 1)])

    def test_for_programs_begins_its_lines_behind_half_a_line_of_somebody_else(self):
        run = self.run_fanmill("exec", "-j", "1", "--progress=json", ":::", "half", "--", "sh", "-c", "printf {} >&2")
        self.assertIn("\nhalf\n{", "\n" + run.err())
        self.assertEqual(self.objects(run)[-1]["state"], "finished")

    def test_for_programs_says_nothing_while_nothing_changes(self):
        run = self.run_fanmill("exec", "-j", "1", "--progress=json", ":::", "1.5", "--", "sleep")
        self.assertLessEqual(len(self.objects(run)), 4, run)

    def test_off_a_terminal_is_plain_lines_and_a_summary(self):
        run = self.run_fanmill("exec", "-j", "2", "--progress", ":::", "2.5", "0.2", "--", "sleep")
        first, *rest = run.err().splitlines()
        self.assertRegex(first, r"^fanmill: 50% 1/2 · \d+\.\d/s · 0:0\d left$")
        self.assertRegex(rest[0], r"^fanmill: 2 of 2 tasks done, in \d\.\d\d s$")
        self.assertRegex(rest[1], r'^fanmill: 2 slots, \d\d % busy; slowest: task 0 \(2\.5\) \d\.\d\d s, task 1 \(0\.2\) [\d.]+ m?s$')
        self.assertEqual(len(rest), 2, run)
        self.assertNotRegex(run.err(), "[\x1b\r]")

    def test_is_left_out_with_none(self):
        run = self.run_fanmill("exec", "-j", "1", "--progress=none", ":::", "0.1", "--", "sleep")
        self.assertEqual(run.err(), "")

    def test_has_few_modes(self):
        run = self.run_fanmill("map", "--progress=fast", "identity", ":::", "1", code=2)
        self.assertIn("json", run.err())

    def test_counts_further_attempts_in_the_summary(self):
        run = self.run_fanmill("exec", "-j", "1", "--retries", "2", ":::", "0", "1", "--", "sh", "-c", "exit {}", code=1)
        self.assertRegex(run.err(), r"fanmill: 1 of 2 tasks done, 1 failed, 2 further attempts, in ")


class Version(FanmillTest):
    def test_names_program_protocols_and_libraries(self):
        run = self.run_fanmill("--version")
        lines = run.out().splitlines()
        self.assertRegex(lines[0], r"^fanmill \d+\.\d+\.\d+$")
        self.assertRegex(lines[1], r"^protocols: wire \d+, executor \d+; schema of --progress=json 1$")
        for library in ("libzmq", "msgpack-cxx", "spdlog", "fmt", "CRoaring", "simdjson", "CLI11"):
            self.assertRegex(run.out(), r"(?m)^  %s +\d+\.\d+\.\d+" % library)

    def test_of_broker_and_worker_is_a_line(self):
        for program in ("broker", "worker"):
            self.assertRegex(self.run_fanmill(program, "--version").out(), r"^fanmill-%s \d+\.\d+\.\d+ \(wire protocol \d+.*\)\n$" % program)
