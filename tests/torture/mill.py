"""The processes under torture: a broker and its workers, each started again whenever it is killed."""
import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading

from harness import BIN, marked_processes, wait_until

READY = b"results are kept"  # what a broker logs once it serves
JOINED = b" slot"  # "… with 1 slot": what a worker logs once it is welcome
PROBE_KILLED = b"ends the executor: killed by signal 9"  # a worker leaves if the executor that looks into a plugin is killed
STOP_WITHIN = 60.0


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(pid, number)


def children_of(pid):
    """Of any of its threads."""
    children = []
    with contextlib.suppress(OSError):
        for thread in pathlib.Path("/proc/%d/task" % pid).iterdir():
            children += map(int, (thread / "children").read_text().split())
    return children


class Kept:
    """A program that is started again at once when it ends, as a supervisor does. Its end is a violation unless we killed it."""

    def __init__(self, mill, name, argv, prefix=()):
        self.mill, self.name, self.argv = mill, name, [str(word) for word in (*prefix, *argv)]
        self.log = mill.dir / (name + ".log")
        self.stopping, self.killed, self.hold = threading.Event(), set(), 0.0
        self.may_start = threading.Event()
        self.may_start.set()
        self.process, self.begun, self.code, self.log_begin = None, threading.Event(), None, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.begun.wait()

    def _run(self):
        while not self.stopping.is_set():
            with open(self.log, "ab") as log:
                self.log_begin = log.tell()
                self.process = subprocess.Popen(self.argv, env=self.mill.env, cwd=self.mill.dir, stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, start_new_session=True)
            self.begun.set()
            self.code = self.process.wait()
            if self.stopping.is_set():
                return
            if self.code == 3 and self.said(PROBE_KILLED):
                self.mill.counts.note("workers whose first executor was killed")
                continue
            if self.process.pid not in self.killed:
                self.mill.counts.violation("%s ended by itself with %d:\n%s" % (self.name, self.code, self.tail()))
                return
            if self.hold:
                self.stopping.wait(self.hold)
            self.may_start.wait()

    @property
    def pid(self):
        return self.process.pid

    def tail(self):
        return self.log.read_bytes()[-2000:].decode(errors="replace")

    def said(self, words):
        """In this life."""
        with open(self.log, "rb") as log:
            log.seek(self.log_begin)
            return words in log.read()

    def kill(self, hold=0.0):
        """It is started again after so long."""
        self.hold = hold
        process = self.process
        self.killed.add(process.pid)
        process.kill()

    @contextlib.contextmanager
    def down(self):
        """Killed, and away until the end of the block."""
        self.may_start.clear()
        process = self.process
        self.kill()
        process.wait()
        try:
            yield
        finally:
            self.may_start.set()

    def stop(self):
        """Ends it as a user does."""
        self.stopping.set()
        send(self.pid, signal.SIGCONT)
        self.process.terminate()
        self.thread.join(STOP_WITHIN)
        if self.thread.is_alive():
            self.mill.counts.violation("%s does not end on SIGTERM within %.0f s:\n%s" % (self.name, STOP_WITHIN, self.tail()))
            self.process.kill()
            self.thread.join()
        elif self.code != 0:
            self.mill.counts.violation("%s ended on SIGTERM with %d:\n%s" % (self.name, self.code, self.tail()))


def environment(directory, test_id):
    """Of every program under torture: nothing of the user's, and the folder where tasks leave their marks."""
    marks = directory / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    sanitizers = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    return {**sanitizers, "PATH": "%s:%s" % (BIN, os.environ.get("PATH", "/usr/bin:/bin")), "HOME": str(directory), "TMPDIR": str(directory),
            "LANG": "C.UTF-8", "TERM": "dumb", "FANMILL_TEST_ID": test_id, "FANMILL_MARKS": str(marks)}


def fresh_id():
    return "torture-%d-%d" % (os.getpid(), random.SystemRandom().randrange(1 << 32))


def kill_all(test_id):
    for pid in marked_processes(test_id):
        send(pid, signal.SIGKILL)


class Mill:
    """A broker with a store at level sync, and workers that offer what marks.cpp has, and commands.

    listen: its endpoint, one in the folder by default; advertise: what join files say instead.
    broker_prefix and prefix are put before a program, as of nsenter; env is added to everybody's.
    """

    def __init__(self, run, listen=None, advertise=None, broker_prefix=(), env=None):
        self.run, self.counts = run, run.counts
        self.dir = run.directory
        self.marks = self.dir / "marks"
        self.test_id = fresh_id()
        self.where = listen or "ipc://%s/b/socket" % self.dir
        self.join = self.where if self.where.startswith("ipc:") else str(self.dir / "keys/worker.join")
        self.store = self.dir / "broker.store"
        self.env = {**environment(self.dir, self.test_id), "FANMILL_BROKER": self.join.replace("worker.join", "producer.join"), **(env or {})}
        self.producer_prefix = ()
        self.plugin = run.options.plugins / "marks.so"
        self.workers = []
        words = [BIN / "fanmill-broker", "--listen", self.where, "--store", self.store]
        if not self.where.startswith("ipc:"):
            words += ["--keys", self.dir / "keys"]
        if advertise:
            words += ["--advertise", advertise]
        self.broker = Kept(self, "broker", words, broker_prefix)
        wait_until(lambda: self.broker.said(READY) or self.counts.violations, "a broker that serves")

    def add_worker(self, *options, slots=1, prefix=()):
        name = "w%d" % len(self.workers)
        self.workers.append(Kept(self, name, [BIN / "fanmill-worker", "--broker", self.join, "--slots", slots, "--allow-exec", "--verbose",
                                              "--plugin", self.plugin, "--name", name, *options], prefix))
        return self.workers[-1]

    def wait_for_workers(self):
        for worker in self.workers:
            wait_until(lambda w=worker: w.said(JOINED) or self.counts.violations, "%s at work" % worker.name, 60)

    def executors(self):
        return sorted(child for worker in self.workers for child in children_of(worker.pid))

    def processes(self):
        return marked_processes(self.test_id)

    def verify(self):
        """The store, while no broker has it."""
        done = subprocess.run([BIN / "fanmill", "store", "verify", self.store], env=self.env, cwd=self.dir, capture_output=True, text=True)
        if done.returncode != 0:
            self.counts.violation("fanmill store verify ended with %d: %s" % (done.returncode, done.stdout + done.stderr))
        self.counts.note("stores verified")
        return done.stdout.strip()

    def stop(self):
        """Everything ends as told, and leaves a store that is as it was written, and no process."""
        for kept in self.workers:  # at once: each takes its time to leave
            kept.stopping.set()
            send(kept.pid, signal.SIGCONT)
            send(kept.pid, signal.SIGTERM)
        for kept in (*self.workers, self.broker):
            kept.stop()
        try:
            wait_until(lambda: not self.processes(), "")
        except AssertionError:
            self.counts.violation("processes are left: %s" % list(self.processes().values()))
        self.run.tell(self.verify())

    def clear(self):
        """Nothing stays, whatever went wrong."""
        everyone = (*self.workers, self.broker)
        for kept in everyone:
            kept.stopping.set()
            kept.may_start.set()
        for _ in range(3):  # what is being started just now too
            kill_all(self.test_id)
            for kept in everyone:
                kept.thread.join(2)


@contextlib.contextmanager
def mill(run, workers=4, **options):
    """A mill that is gone at the end of the block; if all went well it ended as told."""
    it = Mill(run, **options)
    try:
        for _ in range(workers):
            it.add_worker()
        it.wait_for_workers()
        yield it
        if not it.counts.violations:
            it.stop()
    finally:
        it.clear()


def free_port(chance):
    """One that nothing gets by asking for any port, so that it is free again after a restart."""
    for _ in range(1000):
        port = chance.randint(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
