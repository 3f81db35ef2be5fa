"""What the tab key offers, asked of a bash that has sourced the completion; and that --help agrees and fits."""
import pathlib
import re

from harness import FanmillTest

SCRIPT = pathlib.Path(__file__).parents[2] / "producer/completion/fanmill.bash"
SELECTING = ("jobs", "show", "cancel", "pause", "resume", "close", "forget", "why", "retry")
COMMANDS = ("map", "exec", "submit", "push", "gather", "results", "wait", "functions", "broker", "worker", "workers", "status") + SELECTING
COLUMNS = 100
FOOTER_COLUMNS = 110  # examples and tables, which nothing wraps


def options_of(text):
    """The names of all options in a --help."""
    names = set()
    for line in text.splitlines():
        if re.match(r"  -", line):
            names |= {re.sub(r"\{.*", "", name) for name in line.split()[0].split(",")}
    return names


class Completion(FanmillTest):
    def offered(self, line):
        """The words offered at the end of `line`, whose words bash cuts as readline does, at blanks, : and =."""
        words = re.findall(r"[:=]+|[^\s:=]+", line)
        if line.endswith(" "):
            words.append("")
        quoted = " ".join("'%s'" % word for word in words)
        run = self.pipeline(
            "source '%s'; COMP_WORDS=(%s); COMP_CWORD=%d; COMP_LINE='%s'; COMP_POINT=${#COMP_LINE}; COMPREPLY=()\n"
            "_fanmill fanmill '%s'; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (SCRIPT, quoted, len(words) - 1, line, words[-1]))
        self.assertEqual(run.err(), "")
        return set(run.out().split())

    def test_commands(self):
        self.assertLessEqual(set(COMMANDS) | {"help"}, self.offered("fanmill "))
        self.assertEqual(self.offered("fanmill ma"), {"map"})
        self.assertLessEqual(set(COMMANDS), self.offered("fanmill help "))

    def test_options_are_those_of_help(self):
        for command in COMMANDS:
            expected = options_of(self.run_fanmill(command, "--help").out())
            self.assertGreaterEqual(len(expected), 3)
            self.assertEqual(self.offered("fanmill %s -" % command), expected, command)

    def test_values_of_an_option_that_has_a_choice(self):
        self.assertEqual(self.offered("fanmill map --format "), {"values", "jsonl", "csv"})
        self.assertEqual(self.offered("fanmill exec --format j"), {"jsonl"})
        self.assertEqual(self.offered("fanmill map --format=c"), {"csv"})

    def test_functions_then_files(self):
        self.write("params.csv", "a\n1\n")
        self.assertEqual(self.offered("fanmill map -j 4 sl"), {"sleep", "sleep_print"})
        self.assertEqual(self.offered("fanmill map sleep par"), {"params.csv"})
        self.assertEqual(self.offered("fanmill map -o par"), {"params.csv"})

    def test_words_that_choose_jobs(self):
        for command in SELECTING:
            self.assertEqual(self.offered("fanmill %s " % command), {"last", "all"})
        self.assertEqual(self.offered("fanmill cancel --now la"), {"last"})
        self.assertEqual(self.offered("fanmill status "), set())

    def test_no_options_behind_the_marks_of_values(self):
        self.assertEqual(self.offered("fanmill map sleep ::: 1 --"), set())
        self.assertEqual(self.offered("fanmill exec echo ::: -"), set())

    def test_behind_two_dashes_a_command_and_then_files(self):
        self.write("params.csv", "a\n1\n")
        self.assertIn("gzip", self.offered("fanmill exec params.csv -- gzi"))
        self.assertIn("gzip", self.offered("fanmill exec ::: a -- gzi"))
        self.assertEqual(self.offered("fanmill exec params.csv -- gzip --for"), set())
        self.assertEqual(self.offered("fanmill exec params.csv -- cat par"), {"params.csv"})


class Help(FanmillTest):
    def test_every_line_fits(self):
        for command in COMMANDS:
            footer = False
            for line in self.run_fanmill(command, "--help").out().splitlines():
                footer = footer or re.match(r"(INPUT|Placeholders|Examples?)\b.*[:]", line) is not None
                self.assertLessEqual(len(line), FOOTER_COLUMNS if footer else COLUMNS, (command, line))

    def test_help_of_a_command_is_its_option_help(self):
        for command in COMMANDS:
            help_text = self.run_fanmill("help", command).out()
            self.assertEqual(help_text, self.run_fanmill(command, "--help").out())
            self.assertRegex(help_text, r"Examples?\b")
