"""Private runs with a journal, killed as a whole, or the command line or an executor alone, and resumed."""
import json
import random
import signal
import subprocess

from harness import BIN, marked_processes, wait_until
from mill import children_of, environment, fresh_id, kill_all, send
from tally import Violation

FORMS = (("values", ()), ("csv", ("--columns", "index,value,status")))
RUNS_MAX = 200  # of one line, until it ends by itself


def run(run):
    run.directory.mkdir()
    while run.more():
        Line(run, random.Random(run.chance.randrange(1 << 62))).play()
        if run.begun % 10 == 0:
            run.tell("%d lines, %d kills" % (run.begun, run.counts.faults["producer"]))
    return run.counts


class Line:
    """One command line, said again until its file is whole."""

    def __init__(self, run, chance):
        self.run, self.chance, self.counts = run, chance, run.counts
        self.tag = "line%d" % run.begun
        self.dir, self.test_id = run.directory, fresh_id()
        self.env = environment(self.dir, self.test_id)
        self.texts = ["%s/%d" % (self.tag, i) for i in range(chance.randrange(300, 3000))]
        self.input = self.dir / (self.tag + ".jsonl")
        self.input.write_text("".join(
            json.dumps([chance.choice((0, 0, 0, 0.0005, 0.002)), text]) + "\n" for text in self.texts))
        self.form, columns = chance.choice(FORMS)
        self.out, self.journal = self.dir / (self.tag + ".out"), self.dir / (self.tag + ".db")
        self.words = [BIN / "fanmill", "map", "--plugin", run.options.plugins / "marks.so", "-j", "2", "--quiet", "--format", self.form, *columns,
                      "--journal", self.journal, "--resume", "-o", self.out]
        if chance.random() < 0.2:
            self.words += ["--durability", "sync"]
        self.words += ["marked", self.input]

    def expected(self):
        if self.form == "values":
            return "".join('"%s"\n' % text for text in self.texts)
        return "index,value,status\n" + "".join("%d,%s,succeeded\n" % row for row in enumerate(self.texts))

    def play(self):
        try:
            for _ in range(RUNS_MAX):
                if self.once():
                    break
            else:
                raise Violation("%s has not ended after %d runs" % (self.tag, RUNS_MAX))
            self.check()
        finally:
            kill_all(self.test_id)

    def once(self):
        """True if it ended by itself."""
        with open(self.dir / (self.tag + ".err"), "ab") as err:
            process = subprocess.Popen([str(word) for word in self.words], env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL,
                                       stdout=err, stderr=err, start_new_session=True)
        try:
            return self.ended(process.wait(self.chance.uniform(0.02, 0.5)))
        except subprocess.TimeoutExpired:
            pass
        executors = children_of(process.pid)
        if executors and self.chance.random() < 0.3:
            send(self.chance.choice(executors), signal.SIGKILL)
            self.counts.fault("executor")
            try:
                return self.ended(process.wait(self.chance.uniform(0.02, 0.3)))
            except subprocess.TimeoutExpired:
                pass
        if self.chance.random() < 0.5:
            kill_all(self.test_id)
        else:
            process.kill()
        self.counts.fault("producer")
        process.wait()
        wait_until(lambda: not marked_processes(self.test_id), lambda: "gone with their run: %s" % marked_processes(self.test_id))
        return False

    def ended(self, code):
        if code not in (0, 1):  # 1: a task whose executor was killed three times; what failed runs again
            raise Violation("%s ended with %d:\n%s" % (self.tag, code, (self.dir / (self.tag + ".err")).read_text()[-2000:]))
        return code == 0

    def check(self):
        got = self.out.read_text()
        marks = (self.dir / "marks" / self.tag).read_text().splitlines()
        if got != self.expected():
            there, wanted = got.splitlines(), self.expected().splitlines()
            self.counts.lost += len(set(wanted) - set(there))
            self.counts.duplicate += len(there) - len(set(there))
            raise Violation("%s has %d rows of %d, or others" % (self.out, len(there), len(wanted)))
        if set(marks) != {str(i) for i in range(len(self.texts))}:
            raise Violation("%s: recorded, and never ran" % self.tag)
        self.counts.note("run more than once", len(marks) - len(self.texts))
        self.counts.job(len(self.texts))
        for path in (*self.dir.glob(self.tag + ".*"), self.dir / "marks" / self.tag):
            path.unlink()
