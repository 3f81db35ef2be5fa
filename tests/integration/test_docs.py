"""What README and man pages show is what the programs print; the pages are sound and name every option.

Of a README block in `console`, `$ ` begins a command, what follows is what it prints. `cat FILE` makes the file that it
shows, if it is not there yet. A block of lines without `$ ` is several shells: each line in one of its own, the last one in front.
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


class Docs(FanmillTest):
    def run_steps(self, steps, where):
        for command, expected in steps:
            with self.subTest("%s: %s" % (where, command)):
                shown = re.fullmatch(r"cat (\S+)", command)
                if shown and not (self.dir / shown.group(1)).exists():
                    self.write(shown.group(1), expected + "\n")
                run = self.pipeline(command)
                self.assertEqual(masked(run.out() + run.err()), masked(expected), run)

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
        run = self.start("bash", "-c", lines[-1]).wait()
        for shell in reversed(shells):  # the broker last: it takes the workers' farewells
            shell.signal(signal.SIGTERM)
            shell.wait()
            self.assertEqual(shell.code, 0, shell)
        shutil.rmtree(self.dir / "mill")
        return run.out() + run.err()

    def test_readme_prints_what_it_shows(self):
        run, skipped = 0, []
        for language, number, lines, reason in blocks_of((ROOT / "README.md").read_text()):
            if language == "cpp" and "FANMILL_FUNCTION" in "".join(lines):
                self.write("norm.cpp", "\n".join(lines))
                (self.dir / "worker").symlink_to(ROOT / "worker")
            elif language == "console" and not reason:
                steps = steps_of(lines)
                run += len(steps)
                self.run_steps(steps, "README.md, line %d" % number)
            elif language in ("", "sh", "console"):
                self.assertTrue(reason, "README.md, line %d: mark the block as `console`, or say why it is not run" % number)
                skipped.append("line %d: %s" % (number, reason))
        self.assertGreaterEqual(run, 4)
        print("README.md: %d commands run; not run:\n  %s" % (run, "\n  ".join(skipped)))

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
