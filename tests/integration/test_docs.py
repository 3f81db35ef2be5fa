"""What README and man pages show is what the programs print; every example of a --help runs; the pages are sound and name every option.

Of a README block in `console`, `$ ` begins a command, what follows is what it prints. It exits with 0, or with what an `echo $?`
behind it shows. `cat FILE` makes the file that it shows, if it is not there yet. A block of lines without `$ ` is several
shells: each line in one of its own, the last one in front.
"""
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import unittest

from harness import BIN, FanmillTest
from test_completion import options_of

ROOT = pathlib.Path(__file__).parents[2]
PAGES = BIN.parent / "man" / "man1"
README_COLUMNS = 140  # of text; tables and what programs print are as wide as they are
NOT_RUN = re.compile(r"<!-- not run: (.+) -->$")
# What differs from run to run, on both sides of a comparison: durations, sizes, rates.
MASK = re.compile(r"\d+(\.\d+)? ?(µs|ms|s|KiB|MiB|GiB|tasks/s)\b")


def masked(text):
    return MASK.sub("#", text).strip()


def steps_of(block):
    """[(command, what it prints)] of lines that begin with `$ ` and those behind them."""
    steps = []
    for line in block:
        if line.startswith("$ "):
            steps.append([line[2:], []])
        elif steps and steps[-1][0].endswith("\\"):
            steps[-1][0] += "\n" + line
        elif steps:
            steps[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in steps]


def blocks_of(markdown):
    """[(language, line number, lines, reason why it is not run or None)] of the fenced blocks."""
    blocks, inside, before = [], None, ""
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.startswith("```"):
            if inside is None:
                reason = NOT_RUN.match(before)
                inside = (line[3:], number, [], reason and reason.group(1))
            else:
                blocks.append(inside)
                inside = None
        elif inside is not None:
            inside[2].append(line)
        before = line
    return blocks


def code_of(lines):
    return [line.split("  #")[0].rstrip() for line in lines if line.strip()]


def unused_port():
    for port in random.sample(range(20000, 30000), 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def norm_plugin():
    """The README's C++ function."""
    return next("\n".join(lines) for language, _, lines, _ in blocks_of((ROOT / "README.md").read_text())
                if language == "cpp" and "FANMILL_FUNCTION" in "".join(lines))


class DocTest(FanmillTest):
    def setUp(self):
        super().setUp()
        self.env["CPLUS_INCLUDE_PATH"] = str(ROOT / "worker/plugin/include")  # as if installed

    def run_steps(self, steps, where):
        for (command, expected), (behind, status) in zip(steps, steps[1:] + [("", "")]):
            if command == "echo $?":
                continue
            code = int(status) if behind == "echo $?" else 0
            with self.subTest("%s: %s" % (where, command)):
                shown = re.fullmatch(r"cat (\S+)", command)
                if shown and not (self.dir / shown.group(1)).exists():
                    self.write(shown.group(1), expected + "\n")
                run = self.pipeline("set -o pipefail\n" + command)
                self.assertEqual(masked(run.out() + run.err()), masked(expected), run)
                self.assertEqual(run.code, code, run)

    def run_shells(self, lines):
        """Each line in a shell of its own, the last one in front; what that prints. Only names in /tmp and ports are other ones."""
        port = str(unused_port())
        self.env["PATH"] = "%s:%s" % (BIN, self.env["PATH"])
        lines = [line.replace("/tmp/mill/", "%s/mill/" % self.dir).replace("0.0.0.0:7070", "127.0.0.1:" + port) for line in lines]
        shells = []
        for line in lines[:-1]:
            shells.append(self.start("bash", "-c", "exec " + line))
            # What is typed next finds the broker listening, as it does at a human pace.
            shells[-1].wait_for_stderr("results are kept" if "broker --listen" in line else "connects to")
        run = self.start("bash", "-o", "pipefail", "-c", lines[-1]).wait()
        self.assertEqual(run.code, 0, run)
        for shell in reversed(shells):  # the broker last: it takes the workers' farewells
            shell.signal(signal.SIGTERM)
            shell.wait()
            self.assertEqual(shell.code, 0, shell)
        shutil.rmtree(self.dir / "mill", ignore_errors=True)
        return run.out() + run.err()


class Docs(DocTest):
    def test_readme_prints_what_it_shows(self):
        run, skipped = 0, []
        self.write("norm.cpp", norm_plugin())
        (self.dir / "worker").symlink_to(ROOT / "worker")
        del self.env["CPLUS_INCLUDE_PATH"]
        for language, number, lines, reason in blocks_of((ROOT / "README.md").read_text()):
            if language == "console" and not reason:
                steps = steps_of(lines)
                run += len(steps)
                self.run_steps(steps, "README.md, line %d" % number)
            elif language in ("", "sh", "console"):
                self.assertTrue(reason, "README.md, line %d: mark the block as `console`, or say why it is not run" % number)
                skipped.append("line %d: %s" % (number, reason))
        self.assertGreaterEqual(run, 4)
        print("README.md: %d commands run; not run:\n  %s" % (run, "\n  ".join(skipped)))

    def test_readme_has_no_line_of_text_beyond_140_columns(self):
        inside, long_lines = False, []
        for number, line in enumerate((ROOT / "README.md").read_text().splitlines(), 1):
            inside ^= line.startswith("```")
            if not inside and not line.startswith("|") and len(line) > README_COLUMNS:
                long_lines.append(number)
        self.assertEqual(long_lines, [])

    def test_the_tests_that_show_the_promises_are_there(self):
        text = (ROOT / "ARCHITECTURE.md").read_text()
        table = text[text.index("| promise | shown by"):].split("\n\n")[0]
        named = [name for line in table.splitlines()[2:] for name in re.findall("`([^`]+)`", line.split("|")[2])]
        self.assertGreater(len(named), 20)
        listed = subprocess.run(["ctest", "-N"], cwd=BIN.parent, capture_output=True, text=True).stdout
        tests = re.findall(r"Test +#\d+: (\S+)", listed)
        self.assertEqual([name for name in named if not any(re.search(name, test) for test in tests)], [])

    def test_readme_blocks_of_several_shells_deal_to_their_workers(self):
        numbers = "".join("%d\n" % i for i in range(1, 11))
        shells = [code_of(lines) for _, _, lines, reason in blocks_of((ROOT / "README.md").read_text())
                  if reason and "a shell of its own" in reason]
        self.assertEqual(len(shells), 2)
        for lines in shells:
            with self.subTest(lines[0]):
                self.assertEqual(self.run_shells(lines), numbers)

    def test_readme_block_that_asks_and_steers(self):
        block, = [code_of(lines) for _, _, lines, reason in blocks_of((ROOT / "README.md").read_text())
                  if reason and "at a broker with a job" in reason]
        self.assertRegex(block[0], "^export FANMILL_BROKER=ipc:///tmp/mill/broker$")
        endpoint = self.env["FANMILL_BROKER"] = "ipc://%s/mill/broker" % self.dir
        self.fanmill("broker", "--listen", endpoint).wait_for_stderr("results are kept")
        self.fanmill("worker", "--broker", endpoint)
        job = self.fanmill("map", "--wait-workers", "20s", "--format", "jsonl", "sleep", ":::", *["0.05"] * 1000)
        job.wait_for_lines(1)
        for line in block[1:]:
            with self.subTest(line):
                run = self.pipeline(line)
                self.assertEqual(run.code, 0, run)
                self.assertGreaterEqual(run.stdout.lines, 1, run)
        self.assertEqual(job.wait().code, 1)
        self.assertIn('"cancelled"', job.out())

    def literal_blocks(self, page):
        lines = page.read_text().replace("\\-", "-").replace("\\e", "\\").splitlines()
        for begin in (i for i, line in enumerate(lines) if line.startswith(".Bd -literal")):
            yield lines[begin + 1:lines.index(".Ed", begin)]

    def test_examples_of_the_man_pages(self):
        ran = 0
        for page in sorted(PAGES.glob("*.1")):
            for block in self.literal_blocks(page):
                steps = steps_of(block)
                ran += len(steps)
                self.run_steps(steps, page.name)
        self.assertGreaterEqual(ran, 14)

    def test_shells_of_the_man_pages(self):
        numbers = "".join("%d\n" % i for i in range(1, 11))
        broker = [block for block in self.literal_blocks(PAGES / "fanmill-broker.1") if block[0].startswith("fanmill")]
        worker = [block for block in self.literal_blocks(PAGES / "fanmill-worker.1") if block[0].startswith("fanmill")]
        self.assertEqual((len(broker), len(worker)), (2, 2))
        for of_broker, of_worker in zip(broker, worker):
            with self.subTest(of_broker[0]):
                self.assertEqual(self.run_shells(of_broker), numbers)
            with self.subTest(of_worker[0]):
                self.assertEqual(self.run_shells([of_broker[0], *of_worker, of_broker[-1]]), numbers)


def examples_of(text):
    """The commands that a --help shows: two blanks in, below `Examples:` and the like. What is further in goes on or explains."""
    lines, inside = [], False
    for line in text.splitlines():
        if re.match(r"(Examples?|Try it|With workers)\b.*:$", line):
            inside = True
        elif inside and lines and lines[-1].endswith("\\"):
            lines[-1] += "\n" + line
        elif inside and re.match(r"  \S", line):
            lines.append(line.split("  # ")[0].strip())
        elif not line.startswith("   "):
            inside = False
    return lines


# Stand-ins for programs that the examples name: each succeeds if it got what it would need.
STAND_INS = {
    "bin/convert": '[ $# = 2 ] && cp "$1" "$2"',
    "bin/optipng": '[ $# -ge 1 ] && [ $# -le 20 ] && ls "$@"',
    "bin/make": '[ $# = 0 ] && [ -f Makefile ] && [ "$CFLAGS" = -O2 ]',
    "simulate": 'case "$*" in "--seed "[0-9]*" --rate "[0-9]* | "--seed "[0-9]* | [0-9]*) echo "$*" ;; *) exit 1 ;; esac',
    "solve": "[ $# = 0 ] && grep problem",
}
EXAMPLE_FILES = {
    "a.png": "1\n", "b c.png": "2\n", "a.log": "error\n", "b c.log": "ok\n", "lib/Makefile": "", "app/Makefile": "",
    "runs.csv": "seed,rate\n1,0.5\n2,0.25\n", "params.csv": "seed,x\n1,2\n3,4\n", "points.csv": "kind,x,y\neuclid,3,4\n",
    "in.jsonl": '[1]\n[2]\n', "old.txt": "a.png\na.log\n", "new.txt": "A.png\nA.log\n", "problems.txt": "problem 1\nproblem 2\n",
}
# Of an example with these words in it: what is there afterwards, and was not before.
MADE = {
    "-- convert": ["a.webp", "b c.webp"], "gzip -k": ["a.log.gz", "b c.log.gz"], "mv ": ["A.png", "A.log"], "count'": ["a.count", "b c.count"],
    "--joblog": ["log.txt"], "-o out.jsonl": ["out.jsonl"], "-o results.csv": ["results.csv"], "-o sizes.csv": ["sizes.csv"],
}


class Help(DocTest):
    """Every example of every --help exits with 0, in a folder with the files that it names; those of brokers until they are stopped."""

    def examples(self, *command):
        text = self.run_fanmill(*command, "--help").out()
        found = examples_of(text)
        self.assertEqual(len(found), len(re.findall(r"^  (?:\S.*\| )?fanmill ", text, re.M)), found)
        return found

    def furnish(self, folder):
        for name, text in EXAMPLE_FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, script in STAND_INS.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/bin/sh\n%s\n" % script)
            path.chmod(0o755)

    def compile_norm(self):
        self.write("norm.cpp", norm_plugin())
        run = self.pipeline("g++ -std=c++20 -shared -fPIC norm.cpp -o norm.so")
        self.assertEqual(run.code, 0, run)

    def run_examples(self, examples):
        for number, example in enumerate(examples):
            with self.subTest(example):
                folder = self.dir / str(number)
                self.furnish(folder)
                if "norm.so" in example:
                    (folder / "norm.so").symlink_to("../norm.so")
                made = [name for words, names in MADE.items() if words in example and "--dry-run" not in example for name in names]
                self.assertEqual([name for name in made if (folder / name).exists()], [])
                run = self.pipeline("set -o pipefail; cd %d; PATH=$PWD/bin:$PATH\n%s" % (number, example))
                self.assertEqual(run.code, 0, run)
                if not re.search("--dry-run|--progress", example):
                    self.assertEqual(run.err(), "", run)
                self.assertEqual([name for name in made if not (folder / name).exists()], [], run)

    def without_broker(self, examples):
        return [one for one in examples if "broker" not in one]

    def test_examples_of_fanmill(self):
        examples = self.examples()
        self.run_examples(self.without_broker(examples))
        self.assertEqual(self.run_shells(examples[-3:]), "")

    def test_examples_of_map(self):
        self.compile_norm()
        examples = self.examples("map")
        self.run_examples(self.without_broker(examples))
        self.furnish(self.dir)
        with_broker = [one for one in examples if "broker" in one]
        self.assertEqual(len(with_broker), 1)
        self.assertEqual(self.run_shells(self.examples("broker")[:2] + with_broker), "1\n2\n")

    def test_examples_of_exec(self):
        examples = self.examples("exec")
        self.assertGreaterEqual(len(examples), 14)
        self.run_examples(examples)

    def test_examples_of_functions(self):
        self.compile_norm()
        self.run_examples(self.without_broker(self.examples("functions")))

    def test_examples_of_what_asks_and_steers(self):
        self.env["FANMILL_BROKER"] = "mill/producer.join"
        endpoint = "ipc://%s/broker" % self.dir
        self.fanmill("broker", "--listen", "tcp://127.0.0.1:0", "--listen", endpoint, "--keys", "mill").wait_for_stderr("results are kept")
        self.fanmill("worker", "--broker", "mill/worker.join", "--slots", "1")
        for name, key, more in (("a", "1", ()), ("resize", "2", ()), ("b", "3", ("open",))):
            kept = self.start(BIN / "fanmill-kept-job", endpoint, name, key, "2", *more).wait()
            self.assertEqual(kept.code, 0, kept)
        # In this order every job is what the examples take it for.
        for command in ("jobs", "show", "workers", "status", "functions", "pause", "resume", "close", "cancel", "forget"):
            examples = self.examples(command)
            for example in examples if command != "functions" else [one for one in examples if "broker" in one]:
                with self.subTest(example):
                    if "jq" in example and not shutil.which("jq"):
                        continue
                    run = self.pipeline("set -o pipefail; " + example)
                    self.assertEqual(run.code, 0, run)

    def test_examples_of_what_failed(self):
        self.env["FANMILL_BROKER"] = "mill/producer.join"
        self.fanmill("broker", "--listen", "tcp://127.0.0.1:0", "--keys", "mill").wait_for_stderr("results are kept")
        self.fanmill("worker", "--broker", "mill/worker.join", "--slots", "1", "--allow-exec")
        for name in ("a", "b", "sweep"):
            self.run_fanmill("submit", "exec", "--wait", "--name", name, "false", ":::", "1", "2", code=1)
        for command in ("why", "retry"):
            for example in self.examples(command):
                with self.subTest(example):
                    if "jq" in example and not shutil.which("jq"):
                        continue
                    run = self.pipeline("set -o pipefail; " + example)
                    self.assertEqual(run.code, 0, run)

    def test_examples_of_broker(self):
        self.assertEqual(self.run_shells(self.examples("broker")), "".join("%d\n" % i for i in range(1, 11)))

    def test_examples_of_worker(self):
        self.compile_norm()
        self.furnish(self.dir)
        over_ipc = "fanmill broker --listen ipc:///tmp/mill/broker"
        at_broker = " --broker ipc:///tmp/mill/broker "
        around = {
            "worker.join": ("fanmill broker --listen tcp://0.0.0.0:7070 --keys .", "fanmill map --broker producer.join identity ::: 1", "1\n"),
            "--allow-exec": (over_ipc, "fanmill exec" + at_broker + "echo ::: a b", "a\nb\n"),
            "--plugin": (over_ipc, "fanmill map" + at_broker + "norm points.csv", "5.0\n"),
            "--label": ("fanmill broker --listen tcp://0.0.0.0:7070 --keys .", "fanmill map --broker producer.join identity ::: 1", "1\n"),
        }
        examples = self.examples("worker")
        self.assertEqual(len(examples), len(around))
        for example, (words, (broker, producer, prints)) in zip(examples, around.items()):
            with self.subTest(example):
                self.assertIn(words, example)
                self.assertEqual(self.run_shells([broker, example, producer]), prints)


class ManPages(FanmillTest):
    def page(self, command):
        return PAGES / ("fanmill-%s.1" % command if command else "fanmill.1")

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_nothing_to_warn_of(self):
        pages = sorted(PAGES.glob("*.1"))
        self.assertGreaterEqual(len(pages), 5)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
        self.assertEqual((lint.returncode, lint.stdout), (0, ""))

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_every_command_has_a_page_with_its_options(self):
        commands = re.findall(r"^  ([a-z]+) ", self.run_fanmill("--help").out().split("Try it")[0], re.M)
        self.assertLessEqual({"map", "exec", "broker", "worker"}, set(commands))
        for command in commands:
            expected = options_of(self.run_fanmill(command, "--help").out())
            shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", self.page(command)],
                                   capture_output=True, text=True, check=True).stdout
            shown = re.sub(".\b", "", shown).split("OPTIONS")[1]
            heads = re.findall(r"^     (-.*)$", shown, re.M)
            found = {word.rstrip(",") for head in heads for word in head.split() if word.startswith("-")}
            self.assertLessEqual(expected, found, command)
