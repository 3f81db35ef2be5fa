"""What README and man pages show is what the programs print; the pages are sound and name every option."""
import pathlib
import re
import shutil
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


class Docs(FanmillTest):
    def run_steps(self, steps, where):
        for command, expected in steps:
            with self.subTest("%s: %s" % (where, command)):
                run = self.pipeline(command)
                self.assertEqual(masked(run.out() + run.err()), masked(expected), run)

    def test_readme_prints_what_it_shows(self):
        run, skipped = 0, []
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

    def test_examples_of_the_man_pages(self):
        ran = 0
        for page in sorted(PAGES.glob("*.1")):
            lines = page.read_text().replace("\\-", "-").replace("\\e", "\\").splitlines()
            for begin in (i for i, line in enumerate(lines) if line.startswith(".Bd -literal")):
                steps = steps_of(lines[begin + 1:lines.index(".Ed", begin)])
                ran += len(steps)
                self.run_steps(steps, page.name)
        self.assertGreaterEqual(ran, 8)


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
