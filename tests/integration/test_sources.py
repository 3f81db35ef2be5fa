"""Where tuples come from on the command line: files of values, values in step, lines, ranges."""
import json
import subprocess

from harness import FanmillTest


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
        run = self.run_fanmill("map", "--format", "jsonl", "--range", "seconds=0..0.05..0.05", "sleep")
        self.assertEqual([row["args"] for row in self.rows(run).values()], [{"seconds": 0.0}, {"seconds": 0.05}])

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
            (("exec", "echo"), "no input"),
        ]
        for arguments, told in cases:
            with self.subTest(arguments):
                run = self.run_fanmill(*arguments, code=2)
                self.assertIn(told, run.err())
                self.assertEqual((run.out(), run.err().count("\n")), ("", 1))
