"""What runs meanwhile: jobs of every kind, by producers that are killed and started again with the same words.

Every job's tuples are drawn from the seed, so what must come of it is known beforehand: each ends by comparing its output
file with that, byte for byte, its counts at the broker, and the marks that its tasks left.
"""
import collections
import json
import signal
import subprocess
import threading
import time

from harness import BIN
from tally import Violation

ROWS = ("--format", "jsonl", "--columns", "index,value,status,cause,exit_code,signal")
ROW_KEYS = ("index", "value", "status", "cause", "exit_code", "signal")
SETTLE = 150.0  # seconds from the last fault until everything must have ended
UNFOUND = (b"no broker", b"is lost", b"does not answer")  # what a producer says that finds no broker
FOUND_WITHIN = 20.0  # seconds from the last fault until a broker must answer


def row(index, value, status=0):
    values = (index, None if status else value, "failed" if status else "succeeded", "error" if status else None, status, None)
    return json.dumps(dict(zip(ROW_KEYS, values)), separators=(",", ":")) + "\n"


class Producers:
    """Runs of the command line; those that a fault kills begin again with the same words."""

    def __init__(self, mill):
        self.mill, self.lock, self.running, self.killed = mill, threading.Lock(), {}, set()
        self.calm = threading.Event()  # no fault strikes
        self.calm.set()
        self.deadline = None  # monotonic; set when calm returns
        self.found_by = 0.0  # until then the broker may still be on its way back

    def kill_one(self, chance):
        """False if there is none."""
        with self.lock:
            pids = sorted(pid for pid, process in self.running.items() if process.poll() is None)
            if not pids:
                return False
            pid = chance.choice(pids)
            self.killed.add(pid)
            self.running[pid].kill()
            return True

    def storm(self):
        self.deadline = None
        self.calm.clear()

    def settle(self, seconds=SETTLE):
        self.found_by = time.monotonic() + FOUND_WITHIN
        self.deadline = time.monotonic() + seconds
        self.calm.set()

    def _finish(self, process, words):
        while True:
            try:
                return process.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self.mill.counts.violations:
                    process.kill()
                elif self.deadline and time.monotonic() > self.deadline:
                    self.mill.counts.violation("has not ended: fanmill %s\n%s" % (" ".join(map(str, words)), self.state()))
                    process.kill()

    def state(self):
        """Of the broker, for whoever looks into a violation."""
        told = ""
        for words in (("status", "--json"), ("jobs", "--state", "running,waiting,paused,open"), ("show",)):
            try:
                told += subprocess.run([*self.mill.producer_prefix, BIN / "fanmill", *words], env=self.mill.env,
                                       capture_output=True, text=True, timeout=10).stdout
            except subprocess.TimeoutExpired:
                told += "fanmill %s: no answer" % words[0]
        return told

    def run(self, *words, code=0, codes=None, env=None):
        """Until it has ended by itself; returns what it printed. With codes: (code, what it printed), code one of these.
        A word may be a function, asked at each start."""
        codes_wanted = (code,) if codes is None else codes
        while True:
            process = subprocess.Popen([*self.mill.producer_prefix, BIN / "fanmill", *[str(w() if callable(w) else w) for w in words]],
                                       env=env or self.mill.env, cwd=self.mill.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, start_new_session=True)
            with self.lock:
                self.running[process.pid] = process
            try:
                out, err = self._finish(process, words)
            finally:
                with self.lock:
                    self.running.pop(process.pid, None)
            if self.mill.counts.violations:
                raise Violation()
            if process.returncode in codes_wanted:
                return out.decode() if codes is None else (process.returncode, out.decode())
            if process.returncode == -signal.SIGKILL and process.pid in self.killed:
                self.mill.counts.note("producers begun again")
                continue
            if process.returncode == 3 and any(words in err for words in UNFOUND) and (
                    not self.calm.is_set() or time.monotonic() < self.found_by):
                self.mill.counts.note("producers that found no broker")
                time.sleep(0.05)
                continue
            self.mill.counts.violation("fanmill %s ended with %d, not %s:\n%s" % (
                " ".join(map(str, words)), process.returncode, " or ".join(map(str, codes_wanted)), err.decode(errors="replace")[-2000:]))
            raise Violation()


class Load:
    """The kinds of jobs. Each draws its tuples, runs them, and checks what came of them."""

    def __init__(self, mill, producers, scale=1.0):
        self.mill, self.producers, self.counts, self.scale = mill, producers, mill.counts, scale
        self.kinds = [self.run_marked, self.run_marked, self.run_fast, self.run_commands, self.run_big, self.run_stream, self.run_map,
                      self.run_once]

    def count(self, chance, most):
        return max(4, int(chance.uniform(0.3, 1) * most * self.scale))

    def write(self, name, lines):
        path = self.mill.dir / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    # ---- the kinds ----
    def run_marked(self, tag, chance):
        """No-ops, some of 1 to 20 ms, few of 200 ms; each leaves a mark."""
        seconds = [chance.choices((0, chance.uniform(0.001, 0.02), 0.2), (85, 14, 1))[0] for _ in range(self.count(chance, 2000))]
        self.marked(tag, seconds)

    def run_fast(self, tag, chance):
        """Tasks of next to nothing."""
        self.marked(tag, [0] * self.count(chance, 20000))

    def marked(self, tag, seconds, *options, where=()):
        texts = ["%s/%d" % (tag, i) for i in range(len(seconds))]
        self.write(tag + ".jsonl", [json.dumps([s, text]) for s, text in zip(seconds, texts)])
        self.kept(tag, ("marked", tag + ".jsonl", *where), options, len(texts), ['"%s"\n' % text for text in texts])
        self.check_marks(tag, len(texts))

    def run_commands(self, tag, chance):
        """Commands, of which some fail, once and for all."""
        codes = [chance.choice((0, 0, 0, 3)) for _ in range(self.count(chance, 100))]
        script = "echo {1} >>$FANMILL_MARKS/%s; echo out {1}; exit {2}" % tag
        self.write(tag + ".jsonl", [json.dumps([i, code]) for i, code in enumerate(codes)])
        self.kept(tag, ("exec", tag + ".jsonl", "--", "sh", "-c", script), ROWS, len(codes),
                  [row(i, "out %d\n" % i, code) for i, code in enumerate(codes)], code=1 if any(codes) else 0)
        self.check_marks(tag, len(codes))

    def run_big(self, tag, chance):
        """Large values."""
        lines = ['"%s"\n' % ("%08x" % chance.randrange(1 << 32) * chance.randrange(100, 100000)) for _ in range(self.count(chance, 12))]
        (self.mill.dir / (tag + ".jsonl")).write_text("".join(lines))
        self.kept(tag, ("identity", tag + ".jsonl"), (), len(lines), lines)

    def run_stream(self, tag, chance):
        """Several push into one open job, so its order is theirs: compared as sorted lines."""
        each, parts = self.count(chance, 500), 3
        job = self.producers.run("submit", "--quiet", "--wait-workers", "10m", "--open", "--key", tag, "identity").strip()
        ranges = ["n=%d..%d" % (part * each + 1, (part + 1) * each) for part in range(parts)]
        together([(self.producers.run, "push", "--quiet", "--key", "part %d" % i, job, "--range", text) for i, text in enumerate(ranges)])
        self.producers.run("close", job)
        out = self.mill.dir / (tag + ".out")
        self.gather(job, out, ("--unordered",), 0)
        out.write_text("".join(sorted(out.read_text().splitlines(True), key=int)))
        self.compare(tag, out, ["%d\n" % n for n in range(1, parts * each + 1)])
        self.check_counts(tag, job, parts * each)

    def run_map(self, tag, chance):
        """A map through the broker begins anew when it is killed: its file must be whole all the same."""
        texts = ["%s/%d" % (tag, i) for i in range(self.count(chance, 1000))]
        self.write(tag + ".jsonl", [json.dumps([chance.choice((0, 0.002)), text]) for text in texts])
        out = self.mill.dir / (tag + ".out")
        words = ("map", "--quiet", "--wait-workers", "10m", "--name", tag, "marked", tag + ".jsonl", "-o", out)
        while self.producers.run(*words, codes=(0, 1))[0] == 1:
            self.only_crashed(tag, tag)
        self.compare(tag, out, ['"%s"\n' % text for text in texts])
        self.check_marks(tag, len(texts))
        self.counts.job(len(texts))
        self.producers.run("cancel", tag, codes=(0, 2))  # what a killed producer left behind

    def run_once(self, tag, chance):
        """At most once: a task that was lost ends as failed, for it may have run, and none has run twice."""
        tasks = self.count(chance, 80)
        self.write(tag + ".jsonl", [json.dumps([chance.uniform(0, 0.03), "%s/%d" % (tag, i)]) for i in range(tasks)])
        job = self.producers.run("submit", "--quiet", "--wait-workers", "10m", "--at-most-once", "--key", tag, "marked", tag + ".jsonl").strip()
        out = self.mill.dir / (tag + ".out")
        self.producers.run("gather", "--quiet", *ROWS, job, "-o", out, codes=(0, 1))
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        marks = self.marks_of(tag)
        wrong = [row for row in rows if (row["cause"] not in ("worker-lost", "crashed") if row["status"] != "succeeded" else
                                         marks[str(row["index"])] != 1 or row["value"] != "%s/%d" % (tag, row["index"]))]
        if [row["index"] for row in rows] != list(range(tasks)) or wrong or max(marks.values(), default=0) > 1:
            self.counts.violation("%s: at most once, but %d rows of %d, %d marks of %d tasks, and %s" % (
                out, len(rows), tasks, sum(marks.values()), len(marks), wrong[:3]))
            raise Violation()
        self.counts.note("at most once, and lost", sum(row["status"] != "succeeded" for row in rows))
        out.unlink()
        self.counts.job(tasks)

    # ---- how a kept job runs ----
    def kept(self, tag, submit, words, tasks, expected, code=0):
        job = self.producers.run("submit", "--quiet", "--wait-workers", "10m", "--key", tag, *submit).strip()
        out = self.mill.dir / (tag + ".out")
        self.gather(job, out, words, code)
        self.compare(tag, out, expected)
        self.check_counts(tag, job, tasks)

    def gather(self, job, out, words, code):
        """A task whose executor was killed three times is recorded as crashed; such ones run once more, by fanmill retry."""
        while True:
            ended, _ = self.producers.run("gather", "--quiet", *words, job, "-o", out, codes=(0, 1))
            dead = self.of_job(job)["dead_lettered"]
            if not dead:
                break
            self.only_crashed(job, job)
            self.counts.note("dead-lettered tasks run again", dead)
            self.producers.run("retry", job, "--cause", "crashed")
            if "--unordered" in words:  # newer rows would follow the older ones
                out.unlink()
        if ended != code:
            self.counts.violation("%s: gather ended with %d, not %d" % (job, ended, code))
            raise Violation()

    def of_job(self, job):
        return json.loads(self.producers.run("jobs", "--json", job))["jobs"][0]["counts"]

    def only_crashed(self, tag, job):
        """Dead letters are only of tasks whose executors were killed three times."""
        if self.counts.faults["executor"] < 3:
            self.counts.violation("%s: dead letters, but no executors were killed:\n%s" % (tag, self.producers.run("why", job)))
            raise Violation()
        for cause in json.loads(self.producers.run("why", job, "--json"))["why"][0]["causes"]:
            if cause["cause"] not in ("crashed", "error") or (cause["cause"] == "crashed" and cause["worst"]["attempt"] < 3):
                self.counts.violation("%s: dead letters for no reason: %s" % (tag, cause))
                raise Violation()

    # ---- what must come of it ----
    def compare(self, tag, path, expected):
        """With the undisturbed run's, which the tuples tell."""
        got = path.read_bytes()
        if got == "".join(expected).encode():
            path.unlink()
            path.with_name(tag + ".jsonl").unlink(missing_ok=True)
            return
        there, wanted = (collections.Counter(lines) for lines in (got.decode(errors="replace").splitlines(True), expected))
        lost = sum((wanted - there).values())
        duplicate = sum(n - wanted[line] for line, n in there.items() if line in wanted and n > wanted[line])
        wrong = sum(n for line, n in there.items() if line not in wanted)
        with self.counts.lock:
            self.counts.lost += lost
            self.counts.duplicate += duplicate
        example = next((line for line in (*(wanted - there), *(there - wanted))), "the order alone")
        self.counts.violation("%s: %d rows of %d; %d lost, %d duplicate, %d of no tuple; the first: %.200s" % (
            path, sum(there.values()), len(expected), lost, duplicate, wrong, example))
        raise Violation()

    def check_counts(self, tag, job, tasks):
        counts = self.of_job(job)
        ended = counts["succeeded"] + counts["failed"] + counts["dead_lettered"] + counts["cancelled"]
        if counts["accepted"] != tasks or ended != tasks or counts["waiting"] or counts["running"] or counts["dead_lettered"]:
            self.counts.violation("%s of %d tuples: %s" % (tag, tasks, counts))
            raise Violation()
        self.counts.job(tasks)

    def marks_of(self, tag):
        """How often each task of the job has run."""
        path = self.mill.marks / tag
        return collections.Counter(path.read_text().splitlines() if path.exists() else ())

    def check_marks(self, tag, tasks):
        """Each recorded task ran at least once."""
        path, marks = self.mill.marks / tag, self.marks_of(tag)
        missing = [i for i in range(tasks) if str(i) not in marks]
        if missing or len(marks) != tasks:
            self.counts.violation("%s: recorded, and never ran: %s" % (path, missing[:10]))
            raise Violation()
        self.counts.note("run more than once", sum(marks.values()) - tasks)
        return marks


def together(calls):
    """Runs them at once; what one raises is raised at the end."""
    raised = []

    def guarded(function, *words):
        try:
            function(*words)
        except Exception as error:  # handed on below
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def lanes(load, chance, over, count=3):
    """Job after job in so many lanes at once, until over is set; each lane ends its last one."""
    number = [0]

    def lane(seed_source):
        while True:
            with load.counts.lock:
                number[0] += 1
                tag = "c%dj%d" % (load.mill.run.begun, number[0])
            seed_source.choice(load.kinds)(tag, seed_source)
            if over():
                return

    seeds = [type(chance)(chance.randrange(1 << 62)) for _ in range(count)]
    together([(lane, seed) for seed in seeds])
