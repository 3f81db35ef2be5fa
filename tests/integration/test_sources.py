"""Where tuples come from on the command line: files of values, values in step, lines, ranges; a look without a run."""
import json
import pathlib
import re
import signal
import subprocess

from harness import FanmillTest, wait_until


class Sources(FanmillTest):
    def test_files_of_values_and_linked_lists_reach_commands_as_from_gnu_parallel(self):
        self.write("f", "x\ny y\n")
        run = self.run_fanmill("exec", "-j", "2", "echo", "::::", "f", ":::+", "1", "007", "3", ":::", "a b", "$c")
        self.assertEqual(run.out(), "x 1 a b\nx 1 $c\ny y 007 a b\ny y 007 $c\n")

    def test_stdin_as_values_streams_in_front_of_a_list(self):
        run = self.fanmill("map", "echo", "::::", "-", ":::", "1", "2", stdin=subprocess.PIPE)
        run.process.stdin.write(b"a\n")
        run.wait_for_lines(2)
        run.process.stdin.close()
        self.assertEqual(run.wait().code, 0, run)
        self.assertEqual([json.loads(line) for line in run.out().splitlines()], [["a", 1], ["a", 2]])

    def test_lines_are_text_and_stream(self):
        run = self.fanmill("map", "--lines", "identity", stdin=subprocess.PIPE)
        run.process.stdin.write(b'7\n"q"\n')
        run.wait_for_lines(2)
        run.process.stdin.write(b"last")
        run.process.stdin.close()
        self.assertEqual(run.wait().code, 0, run)
        self.assertEqual([json.loads(line) for line in run.out().splitlines()], ["7", '"q"', "last"])

    def test_lines_of_stdin_go_to_a_command_named_first(self):
        run = self.run_fanmill("exec", "--lines", "echo", "-n", "<{}>", stdin="a b\n\n[1]\n")
        self.assertEqual(run.out(), "<a b><><[1]>")

    def test_a_range_names_its_parameter_in_commands_and_rows(self):
        run = self.run_fanmill("exec", "--range", "n=1..5..2", "--range", "x=0.1..0.3..0.1", "echo", "{x}", "{n}")
        self.assertEqual(run.out(), "".join("%s %d\n" % (x, n) for n in (1, 3, 5) for x in ("0.1", "0.2", "0.3")))
        run = self.run_fanmill("map", "--format", "jsonl", "--range", "seconds=0..1..0.5", "--limit", "1", "sleep")
        self.assertEqual([row["params"] for row in self.rows(run).values()], [{"seconds": 0.0}])

    def test_a_limit_ends_an_endless_input(self):
        run = self.pipeline("yes | fanmill exec --lines --limit 3 echo")
        self.assertEqual((run.code, run.out()), (0, "y\ny\ny\n"))

    def test_a_dry_run_shows_tuples_and_runs_nothing(self):
        run = self.run_fanmill("map", "--dry-run", "--range", "n=1..1000000", "echo", ":::", "a")
        self.assertEqual([json.loads(line) for line in run.out().splitlines()],
                         [{"n": n, "arg2": "a"} for n in range(1, 11)])
        self.assertRegex(run.err(), "1000000 tuples, the first 10 shown; nothing was run")
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_a_dry_run_shows_every_command_and_runs_none(self):
        run = self.run_fanmill("exec", "--dry-run", "--range", "n=1..1000", "touch", "made-{n} {2}", ":::", "a")
        self.assertEqual(run.out().splitlines(), ["touch 'made-%d a'" % n for n in range(1, 1001)])
        self.assertRegex(run.err(), "1000 commands; nothing was run")
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_a_dry_run_of_an_endless_stream_of_commands_ends_with_its_reader(self):
        run = self.pipeline("yes | fanmill exec --dry-run --lines echo | head -n 2")
        self.assertEqual((run.code, run.out()), (0, "echo y\necho y\n"))

    def test_a_dry_run_of_an_endless_stream_ends(self):
        run = self.pipeline("yes | fanmill map --dry-run --lines echo")
        self.assertEqual((run.code, run.out()), (0, '["y"]\n' * 10))
        self.assertRegex(run.err(), "only the end of the input would tell; nothing was run")

    def test_a_dry_run_that_waits_for_its_input_ends_at_ctrl_c(self):
        run = self.fanmill("map", "--dry-run", "--lines", "echo", stdin=subprocess.PIPE)
        # SIGPIPE is ignored once the others are blocked; then a dry run lets them through again.
        wait_until(lambda: self.has_signal(run, "SigIgn", signal.SIGPIPE) and not self.has_signal(run, "SigBlk", signal.SIGINT),
                   "SIGINT let through")
        run.signal(signal.SIGINT)
        self.assertEqual(run.wait().code, -signal.SIGINT, run)

    @staticmethod
    def has_signal(run, field, number):
        status = pathlib.Path("/proc/%d/status" % run.pid).read_text()
        return bool(int(re.search(field + r":\s+(\w+)", status).group(1), 16) & (1 << (number - 1)))

    def test_a_dry_run_finds_a_malformed_row(self):
        path = self.write("in.jsonl", "1\n" * 20 + "oops\n")
        run = self.run_fanmill("map", "--dry-run", "identity", path, code=2)
        self.assertIn("line 21", run.err())

    def test_wrong_use_is_answered_with_what_helps(self):
        cases = [
            (("map", "--range", "n=1..", "identity"), "n=1..100"),
            (("map", "--range", "n=9..1", "identity"), "n=9..1..-1"),
            (("map", "--range", "1..9", "identity"), "NAME=FIRST..LAST"),
            (("map", "--range", "n=1..9", "identity", "in.csv"), "one of them"),
            (("map", "identity", ":::+", "1"), "the first one is `:::`"),
            (("map", "identity", "::::"), "`-` is stdin"),
            (("map", "identity", "::::", "nowhere"), "nowhere"),
            (("map", "identity", "::::", "-", "-"), "only once"),
            (("map", "--lines", "identity", ":::", "1"), "behind `::::`"),
            (("map", "--limit", "-1", "identity", ":::", "1"), "--limit"),
            (("map", "--limit", "x", "identity", ":::", "1"), "--limit"),
            (("exec", "echo"), "no input"),
        ]
        for arguments, told in cases:
            with self.subTest(arguments):
                run = self.run_fanmill(*arguments, code=2)
                self.assertIn(told, run.err())
                self.assertEqual((run.out(), run.err().count("\n")), ("", 1))
