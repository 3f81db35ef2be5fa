#!/usr/bin/env python3
"""Disks that fill up and disks that fail, under a real broker with jobs running.

    tests/torture/disk.py full    [--bin build/bin] [--cycles 100] [--seed N]
    tests/torture/disk.py errors  [--bin build/bin] [--cycles 300] [--seed N] [--shim build/tests/torture/faulty_disk.so]
    tests/torture/disk.py journal [--bin build/bin] [--cycles 100] [--seed N] [--shim build/tests/torture/faulty_disk.so]

full: the store lies on a small tmpfs, which is filled to the last byte while a job runs and another is submitted, and
freed. Meanwhile the broker stays, takes no tuples, says so, and records what runs; it goes on by itself within 5 s.
In some cycles it is killed while the disk is full. Needs a right to mount; ends with 77 (skipped) without it.

errors: writes and syncs of the store fail with EIO or ENOSPC, chosen by seed (faulty_disk.c). A write that fails for
want of space is repeated; after any other failure the broker ends itself with a message, and is started again.

journal: the same faults under the journal of a private run, which ends with a message; the same line with --resume, as
often as it takes, leaves the file that an undisturbed run leaves.

In all, every tuple whose acceptance was acknowledged must come back, once, in order, with its value. Prints the seed
and what was counted. Exit status: 0 all held, 1 violations, 77 skipped.
"""
import argparse
import contextlib
import errno
import json
import mmap
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

SKIPPED = 77
WRITES, SYNCS = 1, 2
TEXT = 2000  # bytes of a tuple that is submitted to a full disk


class Violation(Exception):
    pass


def wait_for(fact, what, seconds):
    end = time.monotonic() + seconds
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise Violation("not within %.0f s: %s" % (seconds, what))
        time.sleep(0.005)


class Site:
    """A broker whose store lies in `disk`, and a worker; everything else in a directory beside it."""

    def __init__(self, binaries, disk=None):
        self.binaries = pathlib.Path(binaries).resolve()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="fanmill-disk-"))
        self.disk = disk or self.directory / "disk"
        self.disk.mkdir(exist_ok=True)
        self.store = self.disk / "broker.store"
        self.endpoint = "ipc://%s/broker/socket" % self.directory
        self.env = dict(os.environ, FANMILL_BROKER=self.endpoint, HOME=str(self.directory))
        self.preloaded = {}
        self.broker, self.worker, self.log_begin = None, None, 0
        self.log_path = self.directory / "broker.log"

    def spawn(self, program, *options, env=None, log="worker.log"):
        with open(self.directory / log, "ab") as out:
            return subprocess.Popen([str(self.binaries / program), *options], env=env or self.env, cwd=self.directory,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def launch_broker(self):
        self.log_begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.broker = self.spawn("fanmill-broker", "--listen", self.endpoint, "--store", str(self.store),
                                 env={**self.env, **self.preloaded}, log="broker.log")

    def start_broker(self):
        self.launch_broker()
        wait_for(lambda: self.ended() or self.says("results are kept"), "a broker that serves:\n" + self.log(), 30)
        if self.ended():
            raise Violation("the broker does not start:\n" + self.log())

    def start_worker(self):
        self.worker = self.spawn("fanmill-worker", "--slots", "4")

    def kill_broker(self):
        self.broker.kill()
        self.broker.wait()

    def ended(self):
        return self.broker.poll() is not None

    def log(self):
        """Of this life of the broker."""
        with open(self.log_path, errors="replace") as log:
            log.seek(self.log_begin)
            return log.read()

    def says(self, words):
        return words in self.log()

    def fanmill(self, *words, code=0, seconds=120, **options):
        done = subprocess.run([str(self.binaries / "fanmill"), *map(str, words)], env=self.env, cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, **options)
        if code is not None and done.returncode != code:
            raise Violation("fanmill %s ended with %d: %s" % (words, done.returncode, done.stderr[-500:]))
        return done

    def start_fanmill(self, *words, log):
        with open(log, "wb") as err:
            return subprocess.Popen([str(self.binaries / "fanmill"), *map(str, words)], env=self.env, cwd=self.directory,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, text=True)

    def counts(self, job):
        return json.loads(self.fanmill("jobs", "--json", job).stdout)["jobs"][0]["counts"]

    def check_rows(self, job, texts):
        got = self.fanmill("gather", "--quiet", "--raw", job).stdout.splitlines()
        if got != texts:
            wrong = next((i for i, (a, b) in enumerate(zip(got, texts)) if a != b), min(len(got), len(texts)))
            raise Violation("job %s: %d rows of %d, the first other one is %d" % (job, len(got), len(texts), wrong))

    def verify(self):
        return self.fanmill("store", "verify", self.store).stdout.strip()

    def end(self):
        for process in (self.worker, self.broker):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def clear(self):
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- a disk that is full ----
@contextlib.contextmanager
def tmpfs(mib):
    """A small disk; None where it cannot be mounted."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="fanmill-tmpfs-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "none", str(path)], capture_output=True).returncode == 0
    try:
        yield path if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(path)], check=False)
        path.rmdir()


def fill(path):
    """Until not a byte more fits."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, bytes(size))
    finally:
        os.close(fd)


def lines_of(texts, seconds=None):
    rows = ([text] if seconds is None else [seconds, text] for text in texts)
    return "".join(json.dumps(row) + "\n" for row in rows)


def full_cycle(site, chance, cycle, counted):
    filler = site.disk / "filler"
    slow = ["cycle %d slow %d" % (cycle, i) for i in range(400)]
    fast = ["cycle %d fast %d " % (cycle, i) + "x" * TEXT for i in range(chance.randrange(30000, 45000))]
    (site.directory / "slow.jsonl").write_text(lines_of(slow, 0.005))
    (site.directory / "fast.jsonl").write_text(lines_of(fast))
    slow_job = site.fanmill("submit", "--quiet", "sleep_print", "slow.jsonl").stdout.strip()
    wait_for(lambda: site.counts(slow_job)["succeeded"] > 0, "a first result", 30)
    fill(filler)
    said = site.directory / "submit.log"
    submit = site.start_fanmill("submit", "--key", "fast %d" % cycle, "identity", "fast.jsonl", log=said)
    try:
        wait_for(lambda: site.says("the disk is full") or site.ended(), "that the disk is full, in the log", 60)
        # What runs is recorded meanwhile, and no tuple is taken.
        wait_for(lambda: site.ended() or site.counts(slow_job)["succeeded"] == len(slow), "the results of what runs", 60)
        if site.ended():
            raise Violation("the broker ended on a full disk:\n" + site.log())
        if submit.poll() is not None:
            raise Violation("submit ended on a full disk with %d" % submit.returncode)
        wait_for(lambda: "the broker's disk is full: it takes no tuples until there is room" in said.read_text(), "that submit says so", 5)
        if "which is full: it takes no tuples" not in site.fanmill("status").stdout:
            raise Violation("fanmill status does not say that the disk is full")
        killed = chance.random() < 0.25
        if killed:
            site.kill_broker()
            counted["kills while full"] += 1
        filler.unlink()
        freed = time.monotonic()
        if killed:
            site.start_broker()
        else:
            wait_for(lambda: site.says("there is room again"), "that there is room again", 5)
        out = submit.communicate(timeout=60)[0]
        if submit.returncode != 0:
            raise Violation("submit ended with %d: %s" % (submit.returncode, said.read_text()))
        counted["slowest to go on, s"] = max(counted["slowest to go on, s"], round(time.monotonic() - freed, 2))
    finally:
        if submit.poll() is None:
            submit.kill()
            submit.communicate()
        filler.unlink(missing_ok=True)
    fast_job = out.strip()
    site.check_rows(slow_job, slow)
    site.check_rows(fast_job, fast)
    counted["tuples"] += len(slow) + len(fast)
    site.fanmill("forget", slow_job, fast_job)
    site.log_begin = site.log_path.stat().st_size


def run_full(binaries, seed, cycles):
    """Returns what was counted, or None where no tmpfs can be mounted. Raises Violation."""
    chance = random.Random(seed)
    counted = {"disk-full cycles": 0, "kills while full": 0, "tuples": 0, "slowest to go on, s": 0.0}
    with tmpfs(500) as disk:
        if disk is None:
            return None
        site = Site(binaries, disk)
        try:
            site.start_broker()
            site.start_worker()
            for cycle in range(cycles):
                full_cycle(site, chance, cycle, counted)
                counted["disk-full cycles"] += 1
            print(site.verify())
        finally:
            site.clear()
    return counted


# ---- a disk that fails ----
class Faults:
    """The control file of faulty_disk.c, which has the layout."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(40))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 40)

    def arm(self, calls, error, before, failing, torn):
        struct.pack_into("<q", self.map, 24, 0)
        struct.pack_into("<I", self.map, 32, torn)
        struct.pack_into("<qq", self.map, 8, before, failing)
        struct.pack_into("<Ii", self.map, 0, calls, error)

    def disarm(self):
        struct.pack_into("<I", self.map, 0, 0)

    def failed(self):
        return struct.unpack_from("<q", self.map, 24)[0]


class Load(threading.Thread):
    """Submits job after job under keys, and compares what comes back, whatever the broker does."""

    def __init__(self, site, chance):
        super().__init__(daemon=True)
        self.site, self.chance, self.stopping = site, chance, threading.Event()
        self.jobs, self.tuples, self.wrong, self.at = 0, 0, None, "nothing"

    def persist(self, *words):
        """The broker is away now and then: the same line again, until it is answered."""
        while True:
            self.at = "%s since %s" % (" ".join(words), time.strftime("%X"))
            done = self.site.fanmill(*words, code=None)
            if done.returncode == 0:
                return done.stdout
            if done.returncode != 3 or self.stopping.wait(0.1):
                raise Violation("fanmill %s ended with %d: %s" % (words, done.returncode, done.stderr[-500:]))

    def run(self):
        try:
            while not self.stopping.is_set():
                texts = ["job %d line %d" % (self.jobs, i) + "x" * self.chance.randrange(400) for i in range(self.chance.randrange(50, 1500))]
                (self.site.directory / "in.jsonl").write_text(lines_of(texts, 0.001))
                job = self.persist("submit", "--quiet", "--key", "job %d" % self.jobs, "sleep_print", "in.jsonl").strip()
                rows = self.persist("gather", "--quiet", "--raw", job).splitlines()
                if rows != texts:
                    raise Violation("job %s: %d rows of %d, or other ones" % (job, len(rows), len(texts)))
                if self.chance.random() < 0.7:  # its rows are swept while others are written
                    self.persist("forget", job)
                self.jobs += 1
                self.tuples += len(texts)
        except (Violation, subprocess.TimeoutExpired) as wrong:
            self.wrong = wrong


def error_cycle(site, load, faults, chance, counted):
    calls = chance.choice((WRITES, SYNCS))
    error = chance.choice((errno.EIO, errno.EIO, errno.ENOSPC, errno.EDQUOT))
    waits = calls == WRITES and error != errno.EIO  # for room
    before = int(2 ** chance.uniform(0, 8)) - 1
    failing = chance.choice((1, 1, 3, 20)) if waits else 1
    at_start = chance.random() < 0.15
    if at_start:
        site.kill_broker()
        before = chance.randrange(12)
        counted["kills"] += 1
    faults.arm(calls, error, before, failing, chance.random() < 0.3)
    if at_start:
        site.launch_broker()
    try:
        wait_for(lambda: faults.failed() > 0 or site.ended(), "a fault", 60)
    except Violation:
        raise Violation("the load stands still, at %s; the broker's log:\n%s\n%s\n%s" % (
            load.at, site.log(), site.fanmill("jobs", code=None).stdout, site.fanmill("status", code=None).stdout)) from None
    what = "%s failed with %s%s" % ("a write" if calls == WRITES else "a sync", errno.errorcode[error], " at the start" if at_start else "")
    if waits:
        wait_for(lambda: site.ended() or faults.failed() >= failing or site.says("there is room again"), "the end of the faults", 60)
        faults.disarm()
        wait_for(lambda: site.ended() or site.says("results are kept"), "a broker that serves or has ended", 30)
        if site.ended() and not at_start:
            raise Violation("the broker ended where it should wait for room; %s:\n%s" % (what, site.log()))
    else:
        wait_for(site.ended, "the end of the broker; " + what, 30)
        faults.disarm()
    counted["injected errors"] += faults.failed()
    if site.ended():
        code = site.broker.returncode
        told = re.search(r"broker\.store[^ ]*: .*(the disk failed to (read|write|sync)|the disk is full|cannot be)", site.log())
        if code != 3 or not told:
            raise Violation("the broker ended with %d; %s:\n%s" % (code, what, site.log()))
        counted["ended itself"] += 1
        site.start_broker()
    else:
        counted["waited for room"] += 1


def run_errors(binaries, seed, cycles, shim):
    """Returns what was counted. Raises Violation. `cycles`: errors that are injected at least."""
    chance = random.Random(seed)
    counted = {"injected errors": 0, "ended itself": 0, "waited for room": 0, "kills": 0}
    site = Site(binaries)
    faults = Faults(site.directory / "control")
    site.preloaded = {"LD_PRELOAD": str(pathlib.Path(shim).resolve()), "FAULTY_DISK_PART": str(site.store),
                      "FAULTY_DISK_CONTROL": str(site.directory / "control")}
    load = Load(site, random.Random(seed + 1))
    try:
        site.start_broker()
        site.start_worker()
        load.start()
        while counted["injected errors"] < cycles and load.wrong is None:
            error_cycle(site, load, faults, chance, counted)
        load.stopping.set()
        load.join(180)
        if load.wrong is not None:
            raise load.wrong
        if load.is_alive():
            raise Violation("a job has not ended:\n" + site.log())
        for job in json.loads(site.fanmill("jobs", "--json", "--all").stdout)["jobs"]:
            counts = job["counts"]
            if counts["accepted"] != counts["succeeded"]:
                raise Violation("job %s: %s" % (job["id"], counts))
        print(site.verify())
        counted.update(jobs=load.jobs, tuples=load.tuples)
    finally:
        load.stopping.set()
        site.clear()
    return counted


def run_journal(binaries, seed, cycles, shim):
    """Returns what was counted. Raises Violation. `cycles`: errors that are injected at least."""
    chance = random.Random(seed)
    counted = {"injected errors": 0, "runs": 0, "files compared": 0}
    site = Site(binaries)
    faults = Faults(site.directory / "control")
    site.env = {**site.env, "LD_PRELOAD": str(pathlib.Path(shim).resolve()), "FAULTY_DISK_PART": "/run.db",
                "FAULTY_DISK_CONTROL": str(site.directory / "control")}
    del site.env["FANMILL_BROKER"]
    try:
        while counted["injected errors"] < cycles:
            texts = ["line %d" % i + "x" * chance.randrange(2000) for i in range(2000)]
            (site.directory / "in.jsonl").write_text(lines_of(texts, 0.0005))
            for path in (*site.directory.glob("run.db*"), *site.directory.glob("out*")):
                path.unlink()
            for attempt in range(1000):
                calls, error = chance.choice((WRITES, SYNCS)), chance.choice((errno.EIO, errno.ENOSPC, errno.EDQUOT))
                faults.arm(calls, error, int(2 ** chance.uniform(0, 9 if calls == WRITES else 4)) - 1, 1, chance.random() < 0.3)
                done = site.fanmill("map", "-j", "2", "--quiet", "--journal", "run.db", "--durability", chance.choice(("os", "sync")), "--resume",
                                    "-o", "out", "sleep_print", "in.jsonl", code=None)
                faults.disarm()
                counted["runs"] += 1
                counted["injected errors"] += faults.failed()
                if done.returncode == 0:
                    break
                if faults.failed() == 0 or done.returncode != 3 or not re.search("run.db: (the disk|cannot be)", done.stderr):
                    raise Violation("a run ended with %d; %d %s: %s" % (done.returncode, faults.failed(), errno.errorcode[error], done.stderr))
            got = (site.directory / "out").read_text().splitlines()
            if got != texts:
                raise Violation("the file has %d lines of %d, or other ones" % (len(got), len(texts)))
            counted["files compared"] += 1
    finally:
        site.clear()
    return counted


def run(what, binaries, seed, cycles, shim=None):
    """One of the three, by name; returns what was counted, None if it cannot be done here. Raises Violation."""
    if what == "full":
        return run_full(binaries, seed, cycles)
    return (run_errors if what == "errors" else run_journal)(binaries, seed, cycles, shim)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("full", "errors", "journal"))
    parser.add_argument("--bin", default="build/bin", type=pathlib.Path)
    parser.add_argument("--shim", default="build/tests/torture/faulty_disk.so", type=pathlib.Path)
    parser.add_argument("--cycles", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    cycles = options.cycles or (300 if options.what == "errors" else 100)
    print("%s: seed %d, %d cycles" % (options.what, options.seed, cycles), flush=True)
    begin = time.monotonic()
    try:
        counted = run(options.what, options.bin, options.seed, cycles, options.shim)
    except Violation as wrong:
        print("VIOLATION (seed %d): %s" % (options.seed, wrong))
        return 1
    if counted is None:
        print("skipped: no tmpfs can be mounted here; it takes root, or a container with CAP_SYS_ADMIN")
        return SKIPPED
    print(", ".join("%s %s" % (value, name) for name, value in counted.items()) + "; %.0f s" % (time.monotonic() - begin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
