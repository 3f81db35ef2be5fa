"""fanmill exec prints what GNU parallel prints: the same template and the same values given to both, byte for byte.

What differs on purpose: {3} of a tuple of two is refused, where GNU parallel puts nothing; an empty file among several
sources has no values and so makes no commands, where GNU parallel takes it for one empty value.
"""
import shutil
import unittest

from harness import FanmillTest

PARALLEL = shutil.which("parallel")
SHOW = ("printf", "<%s>\\n")  # a line for every argument, with its borders

PATHS = ["a", "a.b", "a.b.c", "d/a.b", "d.e/a", "d.e/a.b.c", "/a", "/a.b", "/d/e.f/a.b", "//a", "a/", "a//", "d.e/", "d/e/",
         "/", "//", ".", "..", "...", ".hidden", "d/.hidden", ".hidden.txt", "d/.hidden.txt", "./a.b", "../a.b", "a.", "d//a.b",
         "-a.b", "sp ace.t x/n a.m e", "ü.ö/ä.ß", ""]

WORDS = {
    "spaces": [" lead", "trail ", "in  side", "   ", "tab\there"],
    "quotes": ["'", '"', "it's", 'say "x"', "''", '""', "'\"'\"'"],
    "dollars": ["$", "$HOME", "${HOME}", "$(id)", "`id`", "$$", "$1"],
    "shell words": [";", "a;b", "&", "|", "<", ">", "(", ")", "#", "#c", "!", "!x", "~", "*", "?", "[a]", "a=b", "^", "%"],
    "backslashes": ["\\", "a\\b", "\\n", "\\\\", "a\\", "\\'"],
    "UTF-8": ["ü", "日本 語", "😀", "e\u0301", "\u00a0", "\u2028"],
    "dashes": ["-", "--x", "-n", "--help", "-0", "-j8", "+"],
    "braces": ["{}", "{1}", "{#}", "{.}", "{", "}", "{{}}", "{x}"],
    "numbers": ["007", "1e3", "1.50", "+5", " 7", "0x10", "-0", "-0.0", "1E5", "1e400", ".5", "5.", "1_000", "0.1", "1e-7",
                "18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "3.141592653589793238", "NaN"],
    "names of values": ["true", "null", "false", "None", "[1,2]", '{"a":1}', "inf"],
    "empty texts": ["", "a", ""],
    "newlines": ["a\nb", "\n", "a\n", "\na", "a\n\nb"],
    "control characters": ["\x01", "\x1b[0m", "a\rb", "\x7f"],
    "bytes that are no text": ["\udcff\udcfe", "\udcc3", "a\udc80b"],
    "long": ["x" * 5000],
}

TWO = [["a/b.c", "d e"], ["x.y", ""]]
THREE = [["1", "2"], ["a.b/c.d", "e"], ["x", "y z"]]


def parts_of_paths():
    for placeholder in ("{}", "{.}", "{/}", "{//}", "{/.}", "{1}", "{1.}", "{1/}", "{1//}", "{1/.}", "{-1}", "{-1.}", "{-1/}",
                        "{-1//}", "{-1/.}"):
        yield placeholder, [*SHOW, placeholder], [PATHS]
    yield "paths in a word", [*SHOW, "x{/}y{//}z{.}"], [PATHS]
    lines = ["a\nb", "a\nb/c.d", "a/b\nc/d", "a.b\n", "\n", "a/\n/b", "a.b/c\nd", "a/b.c\nd.e/f/g.h"]
    for placeholder in ("{.}", "{/}", "{//}", "{/.}"):
        yield placeholder + " with newlines", [*SHOW, placeholder], [lines]


def values():
    for name, words in WORDS.items():
        yield name, [*SHOW, "{}"], [words]
        yield name + ", appended", [*SHOW], [words]
        yield name + ", in a word", [*SHOW, "x{}y{1}z"], [words]
        yield name + ", two sources", [*SHOW, "{2}", "{1}"], [words[:3], words[-3:]]


def placeholders():
    templates = [
        ["{1}", "{2}"], ["{2}", "{1}"], ["{2}"], ["{-1}", "{-2}"], ["{1.}", "{2.}"], ["{1/}", "{2/}"], ["{1//}", "{2//}"],
        ["{1/.}", "{2/.}"], ["{}"], ["{.}"], ["{/}"], ["{//}"], ["{/.}"], ["x{}y"], ["x{.}y{}z"], ["{}{}"], ["{1}{1}{2}"],
        ["{}", "{}"], ["{#}"], ["{#}", "{}"], ["{#}{#}x{1}"], ["n{#}-{2/}.out"], ["{01}"], ["--a={1}", "--b={2}"], [], ["x"],
        ["x", "y  z", ""], ["", "{1}", ""],
    ]
    for template in templates:
        yield "two sources, %s" % template, [*SHOW, *template], TWO
    for template in ([], ["{3}", "{1}"], ["{3}{2}{1}"], ["{}"], ["<{}>"], ["{-3}", "{-1/}"], ["{2/.}-{#}"]):
        yield "three sources, %s" % template, [*SHOW, *template], THREE
    for template in (["{1}", "{2}"], ["{}"]):
        yield "the command by placeholder, %s" % template, template, [["echo", "printf"], ["a b", "c"]]


def slots():
    for template in (["{%}"], ["{%}", "{1}"], ["x{%}y{%}{#}"], ["{%.}", "{}"], ["{%/}"], ["{{%}}"], ["{%}%"]):
        yield "the slot, %s" % template, [*SHOW, *template], [["a", "b/c.d", ""]]


def tags():
    printing = {"a line": "<%s>\\n", "no line end": "<%s>", "empty lines": "%s\\n\\nx\\n", "lines and a rest": "1\\n2 %s\\n\\nx"}
    sources = {"a source": [["a b", "", "$x", "7", "1.50", "a\\tb", "it's", "ü", "\udcff"]], "two sources": TWO, "three sources": THREE,
               "newlines": [["a\nb", "\n"], ["c"]]}
    for how, text in printing.items():
        for name, lists in sources.items():
            yield "tagged %s, %s" % (how, name), ["--tag", "printf", text, "{1}"], lists
    yield "tagged, nothing printed", ["--tag", "true"], [["a", "b"]]


def literals():
    # What looks like a placeholder and is none, and what a shell would take for its own.
    for text in ("{{}}", "{{1}}", "{ }", "{}}", "{1", "1}", "{1..}", "{1.1}", "{1///}", "{//.}", "{.1}", "{ 1 }", "{..}", "{...}",
                 "{+/}", "{##}", "{:}", "{,}", "{a,b}", "{1,2}", "{1x}", "{+1}", "{print $1}", "${HOME}", "$HOME", "`id`", "a;b", "'",
                 '"', "\\", "*", "~", "a  b", "a\nb", "{\n}", "ü{}日", "\\{}", "'{}'", '"{}"', "$(echo {})", "", "#{}", "{}\n{}"):
        yield "the text %r" % text, [*SHOW, text, "{}"], [["v w", "/x/y.z"]]
        if "{}" not in text:
            yield "the text %r alone" % text, [*SHOW, text], [["v w"]]


@unittest.skipUnless(PARALLEL, "GNU parallel is not installed: apt-get install parallel")
class AsGnuParallel(FanmillTest):
    def compare(self, cases, slots=2):
        for name, template, sources in cases:
            with self.subTest(name):
                words = list(template)
                for source in sources:
                    words += [":::", *source]
                # Without -0 it takes a newline for the border of two values.
                lines = any("\n" in value for source in sources for value in source)
                options = ["-k", "-q", "-j%d" % slots] + (["-0"] if lines else [])
                theirs = self.start(PARALLEL, *options, *words, env=dict(self.env, PARALLEL_SHELL="/bin/sh"))
                ours = self.fanmill("exec", "-j%d" % slots, *words)
                expected, printed = (bytes(program.wait().stdout.data) for program in (theirs, ours))
                self.assertEqual((theirs.code, ours.code), (0, 0), "%s\n%s" % (theirs, ours))
                self.assertEqual(printed, expected, words)

    def test_parts_of_paths(self):
        self.compare(parts_of_paths())

    def test_values(self):
        self.compare(values())

    def test_placeholders(self):
        self.compare(placeholders())

    def test_slots(self):
        self.compare(slots(), slots=1)

    def test_tags(self):
        self.compare(tags())

    def test_literals(self):
        self.compare(literals())


class OnItsOwn(FanmillTest):
    def test_a_position_without_a_source_is_refused(self):
        run = self.run_fanmill("exec", "echo", "{3}", ":::", "a", ":::", "b", code=2)
        self.assertEqual(run.out(), "")
        self.assertIn("the command uses {3}, but it gets 2 values, one from each source", run.err())

    def test_a_position_that_a_row_does_not_have_fails_that_row(self):
        run = self.run_fanmill("exec", "-", "--", "echo", "{2}", stdin="[1,2]\n[3]\n", code=1)
        self.assertEqual(run.out(), "2\n")
        self.assertIn("the command uses {2}, but the tuple has 1 element", run.err())

    def test_an_empty_file_has_no_values(self):
        # GNU parallel takes it for one empty value where there are other sources.
        empty = self.write("empty", "")
        self.assertEqual(self.run_fanmill("exec", "echo", "{}", "::::", empty).out(), "")
        self.assertEqual(self.run_fanmill("exec", "echo", "{}", "::::", empty, ":::", "a", "b").out(), "")

    def test_commands_at_the_same_time_have_slots_of_their_own(self):
        # Each waits until all four have told their slot.
        script = 'echo "$1" > "$2/$1.told"; until [ "$(ls "$2" | grep -c told)" = 4 ]; do sleep 0.01; done; echo "$1"'
        run = self.run_fanmill("exec", "-j4", "sh", "-c", script, "sh", "{%}", str(self.dir), "{}", ":::", "a", "b", "c", "d")
        self.assertEqual(sorted(run.out().split()), ["1", "2", "3", "4"])

    def test_a_tag_is_of_values_only(self):
        run = self.run_fanmill("exec", "--tag", "--format", "csv", "echo", ":::", "a", code=2)
        self.assertIn("--tag goes with --format values only", run.err())

    def test_a_tag_stands_before_stderr_too(self):
        run = self.run_fanmill("exec", "--tag", "sh", "-c", "echo {} >&2", ":::", "x")
        self.assertIn("x\tx\n", run.err())

    def test_an_option_that_is_not_there_is_no_command(self):
        run = self.run_fanmill("exec", "--bogus", "echo", ":::", "a", code=2)
        self.assertEqual(run.out(), "")
        self.assertIn("fanmill exec: there is no option --bogus", run.err())
