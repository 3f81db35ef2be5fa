"""How exec runs its commands: with a shell, in groups, in a directory, with variables, a stdin, a log, and time limits.

What GNU parallel prints, logs and would run is compared with the real one, byte for byte.
"""
import shutil
import unittest

from harness import BIN, FanmillTest, wait_until

PARALLEL = shutil.which("parallel")
SHOW = "printf '<%s>\\n' "

HARD = ["a", "a b", "  ", "it's", '"x"', "'", "$HOME", "`id`", "$(id)", ";", "a;b", "&", "|", ">out", "<in", "(", ")", "#", "!x", "~", "*",
        "?", "[a]", "{a,b}", "a=b", "a:b", "@%+,", "\\", "a\\b", "\\n", "a\\", "", "ü", "日本 語", "😀", "-n", "--x", "007", "a\tb", "\x01",
        "\udcff\udcfe", "x" * 3000]
PATHS = ["a.b", "d e/a.b.c", "/a/b c/d.e", "..", "it's/$x.y", ""]
TWO = [["a b/c.d", "$x"], ["it's", ""]]
LINES = ["a\nb", "\n", "a\n", "\na"]


def shell_cases():
    """(name, words of the command, sources)"""
    yield "values appended", ["printf", "'<%s>\\n'"], [HARD]
    yield "values in place", [SHOW + "{}"], [HARD]
    yield "values in words", [SHOW + "x{}y {1}{}"], [HARD]
    yield "newlines", [SHOW + "{}"], [LINES]
    yield "newlines, appended", [SHOW], [LINES]
    yield "a pipe", ["echo {} | cat -A"], [["a b", "it's", "$x", ""]]
    yield "a pipe, as words", ["echo", "{}", "|", "tr a-z A-Z"], [["a b", "it's", "$x", "c;d"]]
    yield "a redirection and what it wrote", ["echo {1} > f{#}; cat f{#}; rm f{#}"], [["a b", "$x", "'"]]
    yield "a redirected error", ["cat {} 2>&1 | wc -l"], [["no such", "/dev/null"]]
    yield "input from a file", ["wc -c < {}"], [["/dev/null"]]
    yield "two commands", ["echo {}; echo {}"], [["a b", ";"]]
    yield "and, or", ["test {} = 'a b' && echo yes || echo no"], [["a b", "b"]]
    yield "variables of the shell", ["x={}; echo \"$x\" $x"], [["a  b", "*.none", "$HOME"]]
    yield "variables of the environment", ["echo $HOME {}"], [["$HOME", "a"]]
    yield "substitution", ["echo $(printf %s {} | wc -c) `echo {1}`"], [["a b", "ü", ""]]
    yield "arithmetic", ["echo $(( {} * 2 ))"], [["3", "4+1"]]
    yield "a loop", ["for i in 1 2; do echo $i {}; done"], [["a b", "'"]]
    yield "a here document", ["cat <<EOF\n{}\nEOF\n"], [["a", "b c"]]
    yield "a subshell", ["(cd /; pwd; echo {})"], [["a b"]]
    yield "a case", ["case {} in a*) echo A;; *) echo other;; esac"], [["ab", "b", ""]]
    yield "quotes around a placeholder", [SHOW + "\"{}\" '{}'"], [["a", "a b", ""]]
    yield "a backslash in the command", [SHOW + "a\\ b {} \\$x"], [["c"]]
    yield "a comment", ["echo {} # {}"], [["a"]]
    yield "a trailing semicolon", ["echo {} ;"], [["a"]]
    yield "spaces of the command", ["  echo   {}  "], [["a b"]]
    yield "words of the command are joined by a space", ["echo", "a", "", "b  c", "{}"], [["d"]]
    yield "the command as a value", ["{}"], [["echo", "true", "echo a;  echo 'b  c' | tr b x", "x=1; echo $x"]]
    yield "the command as a value, and arguments", ["{1} {2} x"], [["echo", "printf"], ["a  b", "$HOME"]]
    yield "a part of the command as a value", ["ec{}"], [["ho a  b", "ho;"]]
    yield "an assignment before the command", ["A={} eval 'echo $A'"], [["a  b"]]
    yield "the command as words of values", ["{1} {2}"], [["echo", "printf"], ["a b", "c"]]
    for placeholder in ("{.}", "{/}", "{//}", "{/.}", "{1.}", "{1/}", "{1//}", "{1/.}", "{-1}"):
        yield placeholder, [SHOW + placeholder], [PATHS]
    for text in ("{1} {2}", "{2}{1}", "{}", "x{}y", "{}{}", "{#} {2/}", "'{1}'", "{1.}-{2//}", ""):
        yield "two sources, %r" % text, [SHOW + text], TWO
    for text in ("{{}}", "{ }", "{a}", "${HOME}", "{1", "{print $1}"):
        yield "the text %r" % text, ["echo '" + text + "' {}"], [["v w"]]


def group_cases():
    values = ["a b", "c.d", "it's", "e/f.g", ""]
    for count in ("2", "3"):
        for text in ("", "{}", "{1}", "x{}y", "x{}y{1}", "{} {}", "'x {} y'", "z{.}w{/}v", "{-1}", "{#}:{}"):
            yield "-N %s %r" % (count, text), ["-N" + count], text, values
    for text in ("{1} {2}", "{2} {1}", "{2}{1}", "x{2}y", "{2.} {2/}", "{1}{} {2}"):
        yield "-N 2 %r" % text, ["-N2"], text, values


@unittest.skipUnless(PARALLEL, "GNU parallel is not installed: apt-get install parallel")
class AsGnuParallel(FanmillTest):
    def setUp(self):
        super().setUp()
        (self.dir / ".parallel").mkdir()
        self.write(".parallel/will-cite", "")
        self.env["PARALLEL_SHELL"] = "/bin/sh"

    def compare(self, name, theirs, ours, words, sources):
        """The two programs with these options, the same words and the same sources."""
        with self.subTest(name):
            tail = list(words)
            for source in sources:
                tail += [":::", *source]
            if any("\n" in value for source in sources for value in source):
                theirs = ["-0", *theirs]  # else it takes a newline for the border of two values
            first = self.start(PARALLEL, "-k", "-j1", *theirs, *tail).wait()
            second = self.fanmill("exec", "-j1", *ours, *tail).wait()
            self.assertEqual(bytes(second.stdout.data), bytes(first.stdout.data), tail)
            self.assertEqual(second.code != 0, first.code != 0, "%s\n%s" % (first, second))

    def test_a_shell(self):
        for name, words, sources in shell_cases():
            self.compare(name, [], ["--shell"], words, sources)

    def test_bash(self):
        self.env["PARALLEL_SHELL"] = "/bin/bash"
        for words in (["[[ {} == a* ]] && echo yes || echo no"], ["x={}; echo ${x//a/b}"], ["cat <<< {}"], ["cat <(echo {})"]):
            self.compare(words, [], ["--shell=/bin/bash"], words, [["ab", "a b", "b"]])

    def test_a_shell_and_tags(self):
        self.compare("tags", ["--tag"], ["--shell", "--tag"], ["echo {}; echo"], TWO)

    def test_commands_as_values(self):
        self.compare("", [], ["--shell"], [], [["echo a  b", "printf '%s\n' \"it's\" | cat", "exit 0"]])

    def test_groups(self):
        for name, options, text, values in group_cases():
            self.compare(name, ["-q", *options], options, ["printf", "<%s>\\n", *([text] if text else [])], [values])

    def test_groups_with_a_shell(self):
        for name, options, text, values in group_cases():
            self.compare(name, options, ["--shell", *options], [SHOW + text], [values])

    def test_groups_of_lines_and_of_files(self):
        path = self.write("values", "".join("%d\n" % i for i in range(10)))
        theirs = self.start(PARALLEL, "-k", "-N4", "echo", "{1}-{4}", "{}", "::::", path).wait()
        for words in (["exec", "-N4", "echo", "{1}-{4}", "{}", "::::", path],
                      ["exec", "-N4", "--lines", path, "--", "echo", "{1}-{4}", "{}"]):
            self.assertEqual(self.run_fanmill(*words).out(), theirs.out())

    def test_dry_runs(self):
        for name, words, sources in shell_cases():
            self.compare("shell: " + name, ["--dry-run"], ["--shell", "--dry-run"], words, sources)
        words = [["echo"], ["echo", "{}"], ["echo", "x{}y", "{1}"], ["printf", "a b", "", "$x", "{.}-{/}"], ["{}", "{#}"]]
        for sources in ([HARD], [LINES], TWO, [PATHS]):
            for command in words:
                self.compare("no shell: %s" % command, ["-q", "--dry-run"], ["--dry-run"], command, sources)
        for name, options, text, values in group_cases():
            self.compare("groups: " + name, ["--dry-run", *options], ["--shell", "--dry-run", *options], ["echo " + text], [values])

    # ---- the job log ----
    def logged(self, path):
        """Header, and Seq, Host, Send, Receive, Exitval, Signal and Command of every line, by Seq."""
        header, *lines = path.read_bytes().split(b"\n")[:-1]
        fields = [line.split(b"\t", 8) for line in lines]
        for line in fields:
            self.assertRegex(line[2], rb"^\d+\.\d{3}$")
            self.assertRegex(line[3], rb"^ *\d+\.\d{3}$")
            self.assertEqual(len(line[3]), 10)
        return header, sorted((int(line[0]), line[1], *line[4:]) for line in fields)

    def test_a_job_log(self):
        cases = [(["echo {}; exit {#}"], [["a b", "it's", "$x"]]), (["kill -{} $$"], [["9", "15", "6"]]), (["no-such-program {}"], [["a"]]),
                 (["echo"], [["a\nb", "\n"]]), (["printf", "%s", "{1}-{2}"], TWO), (["exit {}"], [["0", "1", "255"]])]
        for words, sources in cases:
            with self.subTest(words):
                tail = list(words)
                for source in sources:
                    tail += [":::", *source]
                zero = ["-0"] if any("\n" in v for s in sources for v in s) else []
                self.start(PARALLEL, "-k", *zero, "--joblog", "theirs", *tail).wait()
                self.fanmill("exec", "--shell", "--joblog", "ours", *tail).wait()
                self.assertEqual(self.logged(self.dir / "ours"), self.logged(self.dir / "theirs"))

    def test_a_job_log_of_argument_vectors(self):
        for words in (["true"], ["test", "{}", "=", "a b"], ["echo", "x y", "", "{}"]):
            with self.subTest(words):
                tail = [*words, ":::", "a b", "'"]
                self.start(PARALLEL, "-k", "-q", "--joblog", "theirs", *tail).wait()
                self.fanmill("exec", "--joblog", "ours", *tail).wait()
                self.assertEqual(self.logged(self.dir / "ours"), self.logged(self.dir / "theirs"))


class Logs(FanmillTest):
    def test_a_line_is_there_as_soon_as_its_result_is(self):
        run = self.fanmill("exec", "-j2", "--joblog", "log", "sh", "-c", "until [ -e {} ]; do sleep 0.01; done", ":::", "a", "b")
        self.write("a", "")
        log = self.dir / "log"
        wait_until(lambda: log.exists() and log.read_text().count("\n") == 2, "the first line of the log")
        self.assertTrue(run.running())
        self.write("b", "")
        self.assertEqual(run.wait().code, 0)
        self.assertEqual(log.read_text().count("\n"), 3)

    def test_a_plus_appends(self):
        for _ in range(2):
            self.run_fanmill("exec", "--joblog", "+log", "true", ":::", "a")
        self.assertEqual([line.split("\t")[0] for line in (self.dir / "log").read_text().splitlines()], ["Seq", "1", "1"])
        self.run_fanmill("exec", "--joblog", "log", "true", ":::", "a")
        self.assertEqual((self.dir / "log").read_text().count("\n"), 2)

    def test_a_command_over_its_time_limit(self):
        self.run_fanmill("exec", "--timeout", "0.2", "--joblog", "log", "sleep", ":::", "60", code=1)
        fields = (self.dir / "log").read_text().splitlines()[1].split("\t")
        self.assertEqual(fields[6:], ["-1", "9", "sleep 60"])
        self.assertGreaterEqual(float(fields[3]), 0.2)
        self.assertGreater(float(fields[2]), 1e9)

    def test_a_file_that_cannot_be_opened_is_refused(self):
        run = self.run_fanmill("exec", "--joblog", "no/such", "echo", ":::", "a", code=2)
        self.assertEqual(run.out(), "")
        self.assertIn('cannot write to "no/such": No such file or directory (--joblog)', run.err())

    def test_a_full_disk_is_told(self):
        run = self.run_fanmill("exec", "--joblog", "/dev/full", "echo", ":::", "a", code=3)
        self.assertIn('cannot write to "/dev/full": No space left on device (--joblog)', run.err())


class Settings(FanmillTest):
    def test_a_directory(self):
        for name in ("a", "b c"):
            (self.dir / name).mkdir()
        run = self.run_fanmill("exec", "--chdir", "{}", "basename {}", "--", "pwd", code=2)
        self.assertEqual(run.out(), "")
        run = self.run_fanmill("exec", "--chdir", "{}", "--shell", "basename \"$PWD\"", ":::", "a", "b c", "none", code=1)
        self.assertEqual(run.out(), "a\nb c\n")
        self.assertIn("cannot change to the directory 'none': No such file or directory", run.err())

    def test_variables(self):
        self.env["PASSED"] = "{} as it is"
        run = self.run_fanmill("exec", "--env", "PASSED", "--env", "SET=<{1}:{2}>", "--env", "SET2=", "--shell",
                               "echo $PASSED $SET \"[${SET2-none}]\"", ":::", "a", ":::", "b", "c")
        self.assertEqual(run.out(), "{} as it is <a:b> []\n{} as it is <a:c> []\n")

    def test_a_variable_reaches_a_worker_that_was_started_without_it(self):
        listen = "ipc://%s/broker" % self.dir
        self.start(BIN / "fanmill-broker", "--listen", listen).wait_for_stderr("listening")
        self.start(BIN / "fanmill-worker", "--broker", listen, "--slots", "1", "--name", "elsewhere", "--allow-exec")
        run = self.run_fanmill("exec", "--broker", listen, "--env", "OURS", "--joblog", "log", "--shell", "echo $OURS {}", ":::", "a",
                               env=dict(self.env, OURS="of the producer"))
        self.assertEqual(run.out(), "of the producer a\n")
        self.assertRegex((self.dir / "log").read_text().splitlines()[1], r"^1\telsewhere[^\t]*\t.*\techo \$OURS a$")

    def test_a_text_on_stdin(self):
        run = self.run_fanmill("exec", "--stdin", "{1}*{2}\n", "cat", ":::", "2", "3", ":::", "4")
        self.assertEqual(run.out(), "2*4\n3*4\n")

    def test_a_text_on_stdin_that_is_longer_than_a_pipe(self):
        path = self.write("long", "x" * 3_000_000 + "\n")
        run = self.run_fanmill("exec", "--lines", path, "--stdin", "{}", "--", "sh", "-c", "cat | wc -c")
        self.assertEqual(run.out(), "3000000\n")

    def test_nothing_on_stdin_otherwise(self):
        run = self.run_fanmill("exec", "cat", "/dev/stdin", "#{#}", "--", ":::", "a", code=2)
        run = self.run_fanmill("exec", "--shell", "cat; echo {}", ":::", "a", stdin="ours")
        self.assertEqual(run.out(), "a\n")

    def test_signals_in_rows(self):
        run = self.run_fanmill("exec", "--format", "jsonl", "--shell", "kill -{} $$", ":::", "9", "0", code=1)
        rows = self.rows(run)
        self.assertIn("killed by signal 9 (Killed)", rows[0]["error"])
        self.assertEqual((rows[0]["exit_code"], rows[1]["exit_code"]), (None, 0))


class TimeLimits(FanmillTest):
    def test_a_limit_ends_the_whole_group_and_is_named_with_its_task(self):
        run = self.run_fanmill("exec", "--timeout", "0.3", "sh", "-c", "sleep {} & sleep {}; wait", ":::", "0", "61", code=1)
        self.assertIn("task 1 (61) failed: killed at its time limit of 300 ms", run.err())
        self.assert_nothing_left()

    def test_a_share_of_the_median(self):
        run = self.run_fanmill("exec", "-j1", "--timeout", "300%", "sleep", ":::", "0.1", "0.1", "0.1", "60", "0.1", code=1)
        self.assertRegex(run.err(), r"task 3 \(60\) failed: killed at its time limit of 3\d\d ms \(300 % of the median run time, 1\d\d ms\)")
        self.assertIn("4 of 5 tasks done", run.err())

    def test_a_share_of_the_median_for_functions(self):
        run = self.run_fanmill("map", "-j1", "--timeout", "300%", "sleep", ":::", "0.1", "0.1", "0.1", "60", code=1)
        self.assertIn("task 3 (60) failed: killed at its time limit", run.err())


class Refusals(FanmillTest):
    def refused(self, sentence, *words, code=2):
        with self.subTest(words):
            run = self.run_fanmill("exec", *words, code=code)
            self.assertEqual(run.out(), "")
            self.assertIn(sentence, run.err())
            self.assertLessEqual(run.err().count("\n"), 3)

    def test_what_cannot_be_meant(self):
        self.refused("-N 0: so many values for each command: 1 to 65536", "-N", "0", "echo", ":::", "a")
        self.refused("-N 65537: so many", "-N", "65537", "echo", ":::", "a")
        self.refused("-N two: so many", "-N", "two", "echo", ":::", "a")
        self.refused("-N takes the values of one source, and here are 2", "-N2", "echo", ":::", "a", ":::", "b")
        self.refused("the command uses {3}, but it gets 2 values (-N)", "-N2", "echo", "{3}", ":::", "a")
        self.refused("the command uses {2}, but it gets 1 value", "--stdin", "{2}", "cat", ":::", "a")
        self.refused("the command uses {-2}, but it gets 1 value", "--env", "A={-2}", "cat", ":::", "a")
        self.refused("--env FANMILL_NOT_THERE: there is no such variable here", "--env", "FANMILL_NOT_THERE", "true", ":::", "a")
        self.refused("--env =x: write NAME or NAME=VALUE", "--env", "=x", "true", ":::", "a")
        self.refused("--timeout 0%: a share of the median", "--timeout", "0%", "true", ":::", "a")
        self.refused("--timeout x%: a share of the median", "--timeout", "x%", "true", ":::", "a")
        self.refused("--timeout 1000001%: a share of the median", "--timeout", "1000001%", "true", ":::", "a")
        self.refused("--max-output is at most 256MiB, and more than nothing", "--max-output", "0", "true", ":::", "a")
        self.refused("--max-output is at most 256MiB, and more than nothing", "--max-output", "257MiB", "true", ":::", "a")
        self.refused("--env: at most 64 variables; here are 65", *["--env=A%d=" % i for i in range(65)], "true", ":::", "a")

    def test_groups_of_rows_with_more_than_a_value(self):
        path = self.write("in.csv", "a,b\n1,2\n")
        self.refused("-N puts single values together, but a tuple of the input has 2 elements", "-N2", path, "--", "echo")

    def test_a_command_that_is_too_long(self):
        long = "x" * 100_000
        self.run_fanmill("exec", "--stdin", "x" * (196_608 - 100_000 - len("true {}")), "--env", "A=" + long, "--shell", "true {}", ":::", "")
        self.refused("the command with its --stdin and --env has", "--stdin", long, "--env", "A=" + long, "true", ":::", "a")


if __name__ == "__main__":
    unittest.main()
