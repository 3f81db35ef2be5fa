"""What the integration tests stand on: real processes with a mark, watched from outside.

Every process that a test starts carries FANMILL_TEST_ID in its environment, and so does whatever it starts in turn.
At a test's end no marked process may be left: the harness looks, fails the test, and cleans up.
Nothing here waits for a time to pass; every wait is for a fact, and has a deadline.
"""
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

BIN = pathlib.Path(os.environ["FANMILL_BIN"])
DATA = pathlib.Path(__file__).parent.parent / "data"
# Sanitizers make programs several times slower and bigger: figures then say nothing.
MEASURABLE = not os.environ.get("FANMILL_SANITIZE")
DEADLINE = 30.0  # for what ought to take a moment
GONE_WITHIN = 2.0  # no process may be left longer than this after its run


def serial(test):
    """Runs alone: the test measures time."""
    test.serial = True
    return test


def slow(test):
    """Not run by default: sh deploy/test.sh slow."""
    test.slow = True
    return test


# What even root may not write it cannot, without these.
AS_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


measured = unittest.skipUnless(MEASURABLE, "a figure of a build with sanitizers")


def wait_until(fact, what, deadline=DEADLINE):
    """The first true value of fact(); fails after the deadline, saying what it waited for."""
    end = time.monotonic() + deadline
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %.1f s: %s" % (deadline, what() if callable(what) else what))
        threading.Event().wait(0.005)


class ProcessInfo:
    def __init__(self, pid):
        self.pid = pid
        stat = pathlib.Path("/proc/%d/stat" % pid).read_text()
        self.name, rest = re.match(r"\d+ \((.*)\) (.*)", stat, re.S).groups()
        self.state, self.parent = rest.split()[0], int(rest.split()[1])
        self.command = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()

    def __repr__(self):
        return "%d %s (%s, child of %d)" % (self.pid, self.command or self.name, self.state, self.parent)


def marked_processes(test_id):
    """Living processes that carry the mark, and their descendants, by pid."""
    mark = ("FANMILL_TEST_ID=" + test_id).encode()
    everyone, found = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            info = ProcessInfo(int(entry))
            if info.state in "ZX":
                continue
            everyone[info.pid] = info
            if mark in pathlib.Path("/proc/%s/environ" % entry).read_bytes().split(b"\0"):
                found[info.pid] = info
        except (OSError, AttributeError):  # it ended meanwhile
            continue
    grown = True
    while grown:
        more = {p: i for p, i in everyone.items() if p not in found and i.parent in found}
        found.update(more)
        grown = bool(more)
    return found


class Stream:
    """Collects a pipe in a thread. With keep=False only lines are counted, and the last bytes kept."""

    KEPT = 4096

    def __init__(self, pipe, keep):
        self.pipe, self.keep, self.lines = pipe, keep, 0
        self.data, self.ended = bytearray(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                piece = os.read(self.pipe.fileno(), 1 << 16)
            except OSError:
                break
            if not piece:
                break
            self.data += piece
            self.lines += piece.count(b"\n")
            if not self.keep and len(self.data) > 64 * self.KEPT:
                del self.data[: -self.KEPT]
        self.ended.set()

    def text(self):
        return bytes(self.data).decode(errors="replace")


class Program:
    """One started program. stdin: bytes, a path, a file, subprocess.PIPE, or nothing (then /dev/null)."""

    def __init__(self, argv, env, cwd, stdin=None, keep_stdout=True, stdout=None, stderr=None):
        self.argv = [str(a) for a in argv]
        self.feeder, opened = None, None
        if isinstance(stdin, (bytes, str)):
            source = subprocess.PIPE
        elif isinstance(stdin, pathlib.Path):
            source = opened = open(stdin, "rb")
        else:
            source = subprocess.DEVNULL if stdin is None else stdin
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            self.argv, env=env, cwd=cwd, stdin=source, stdout=stdout or subprocess.PIPE,
            stderr=stderr or subprocess.PIPE, start_new_session=True, bufsize=0)
        if opened:
            opened.close()
        self.pid = self.process.pid
        self.stdout = Stream(self.process.stdout, keep_stdout) if stdout is None else None
        self.stderr = Stream(self.process.stderr, True) if stderr is None else None
        if isinstance(stdin, (bytes, str)):
            data = stdin.encode() if isinstance(stdin, str) else stdin
            self.feeder = threading.Thread(target=self._feed, args=(data,), daemon=True)
            self.feeder.start()

    def _feed(self, data):
        try:
            self.process.stdin.write(data) if len(data) <= 4096 else self.write_all(data)
            self.process.stdin.close()
        except OSError:  # it did not want all of it
            pass

    def write_all(self, data):
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view):]

    def wait(self, deadline=DEADLINE):
        """Until it has ended and everything it printed is there. Returns itself, with code and seconds set."""
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError("still running after %.1f s: %s" % (deadline, self)) from None
        self.seconds = time.monotonic() - self.begin
        self.code = self.process.returncode
        for stream in (self.stdout, self.stderr):
            if stream and not stream.ended.wait(GONE_WITHIN):
                raise AssertionError("ended, but something still holds its output open: %s" % self)
        return self

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def out(self):
        return self.stdout.text()

    def err(self):
        return self.stderr.text()

    def wait_for_stderr(self, pattern, deadline=DEADLINE):
        return wait_until(lambda: re.search(pattern, self.err()), lambda: "%r in the stderr of %s" % (pattern, self), deadline)

    def wait_for_lines(self, count, deadline=DEADLINE):
        wait_until(lambda: self.stdout.lines >= count,
                   lambda: "%d lines, only %d came, of %s" % (count, self.stdout.lines, self), deadline)

    def peak_kib(self):
        """The largest resident size so far of this one process (VmHWM)."""
        status = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))

    def __str__(self):
        text = "%s\n  exit code %s" % (" ".join(self.argv), self.process.returncode)
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream and stream.data:
                shown = stream.text()
                text += "\n--- %s\n%s" % (name, shown if len(shown) < 3000 else shown[:1000] + "\n…\n" + shown[-2000:])
        return text


class FanmillTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.test_id = uuid.uuid4().hex
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fanmill-test-"))  # 0700
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.dir), "TMPDIR": str(self.dir),
                    "LANG": "C.UTF-8", "TERM": "dumb", "FANMILL_TEST_ID": self.test_id}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.programs = []
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        for program in self.programs:
            if program.running():
                program.process.kill()
                program.process.wait()
        left = self.processes()
        for info in left.values():
            try:
                os.kill(info.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for program in self.programs:
            for pipe in (program.process.stdin, program.process.stdout, program.process.stderr):
                if pipe and not pipe.closed:
                    pipe.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def tearDown(self):
        """Long-running programs are ended as a user ends them; then nothing may be left."""
        for program in self.programs:
            if program.running():
                program.signal(signal.SIGTERM)
        for program in self.programs:
            program.wait()
        self.assert_nothing_left()

    # ---- programs ----
    def start(self, *argv, **options):
        program = Program(argv, options.pop("env", self.env), self.dir, **options)
        self.programs.append(program)
        return program

    def fanmill(self, *arguments, **options):
        """Starts the CLI; `prefix` is put before it, as of nsenter."""
        return self.start(*options.pop("prefix", ()), BIN / "fanmill", *arguments, **options)

    def run_fanmill(self, *arguments, code=0, deadline=DEADLINE, **options):
        """Runs the CLI to its end and checks its exit status."""
        program = self.fanmill(*arguments, **options).wait(deadline)
        self.assertEqual(program.code, code, program)
        return program

    def pipeline(self, script, deadline=DEADLINE):
        """Runs a shell pipeline, as a user types it; `fanmill` is in the path."""
        env = dict(self.env, PATH="%s:%s" % (BIN, self.env["PATH"]))
        return self.start("bash", "-c", script, env=env).wait(deadline)

    # ---- facts ----
    def processes(self):
        return marked_processes(self.test_id)

    def processes_named(self, name):
        return [i for i in self.processes().values() if os.path.basename(i.command.split(" ")[0]) == name]

    def assert_nothing_left(self, deadline=GONE_WITHIN):
        wait_until(lambda: not self.processes(), lambda: "no process left, but: %s" % list(self.processes().values()), deadline)

    def small_disk(self, mib):
        """A file system of its own (tmpfs); the test is skipped where it cannot be mounted."""
        path = self.dir / "disk"
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "none", str(path)], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("no tmpfs can be mounted here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", str(path)], check=False)
        return path

    def read_only(self, disk):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    def fill(self, disk):
        """Until not a byte more fits."""
        with open(disk / "filler", "ab", buffering=0) as filler:
            for size in (1 << 16, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def rows(self, program_or_path):
        """The rows of --format jsonl, by task index; `start` as seconds since 1970."""
        text = program_or_path.read_text() if isinstance(program_or_path, pathlib.Path) else program_or_path.out()
        rows = [json.loads(line) for line in text.splitlines()]
        for row in rows:
            if row["start"]:
                row["start"] = datetime.datetime.fromisoformat(row["start"]).timestamp()
        return {row["index"]: row for row in rows}
