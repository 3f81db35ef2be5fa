#!/usr/bin/env python3
"""A broker that dies at every point where it writes, commits, answers or begins to listen.

    tests/torture/failpoints.py [--bin build/bin] [--cycles N] [--seed N] [--shim build/tests/torture/failpoint.so]

The points: writes of the store's log and of its file, syncs, bind, and sends (to whomever), each right before and right
after the call (failpoint.c), at its first three hits and at one drawn from the seed; with a store that is made then, and
with one of an earlier life. At each the broker is killed, started again, and a job that is submitted meanwhile must end
with every row once, in order; the store must verify. Prints the seed and what was counted.

Exit status: 0 all held, 1 violations.
"""
import argparse
import itertools
import pathlib
import random
import shutil
import sys
import threading
import time

from disk import Site, Violation, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINTS = {"log": ("write", "broker.store-wal"), "file": ("write", "broker.store"), "sync": ("sync", "broker.store"), "bind": ("bind", None),
          "send": ("send", None)}
TASKS = 60


class Point:
    def __init__(self, name, when, hit, store):
        self.call, self.part = POINTS[name]
        self.name, self.when, self.hit, self.store = name, when, hit, store

    def __str__(self):
        return "%s the %d. %s, with %s store" % (self.when, self.hit, self.name, self.store)

    def environment(self, shim):
        env = {"LD_PRELOAD": str(shim), "FAILPOINT": "%s:%s:%d" % (self.call, self.when, self.hit)}
        return dict(env, FAILPOINT_PART=self.part) if self.part else env


def points(chance):
    for name, when, store in itertools.product(POINTS, ("before", "after"), ("a new", "an old")):
        # It listens in one place.
        for hit in (1,) if name == "bind" else (1, 2, 3, chance.randint(4, 120)):
            yield Point(name, when, hit, store)


class Supervisor(threading.Thread):
    """Starts the broker again when it has died, as systemd would."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.deaths, self.stopped, self.failure = site, 0, threading.Event(), None

    def run(self):
        try:
            while not self.stopped.wait(0.01):
                if self.site.ended():
                    self.deaths += 1
                    self.site.preloaded = {}
                    self.site.start_broker()
        except Violation as violation:
            self.failure = violation


def play(point, binaries, shim):
    site = Site(binaries)
    try:
        site.start_worker()
        if point.store == "an old":
            site.start_broker()
            site.fanmill("submit", "--quiet", "--key", "old", "identity", ":::", "1", "2", "3")
            site.kill_broker()
        site.preloaded = point.environment(shim)
        site.launch_broker()
        supervisor = Supervisor(site)
        supervisor.start()
        texts = ["%s-%d" % (point.name, i) for i in range(TASKS)]
        submit = ("submit", "--quiet", "--key", "k", "identity", ":::", *texts)

        def submitted():
            done = site.fanmill(*submit, code=None)
            if done.returncode not in (0, 3):  # 3: nobody listened
                raise Violation("fanmill submit ended with %d: %s" % (done.returncode, done.stderr[-500:]))
            return done.returncode == 0

        wait_for(submitted, "a submit", 60)
        jobs = {"k": texts, "old": ["1", "2", "3"]} if point.store == "an old" else {"k": texts}
        for job, rows in jobs.items():
            wait_for(lambda: site.fanmill("wait", "--quiet", job, code=None).returncode == 0, "the end of %s" % job, 60)
            site.check_rows(job, rows)
        supervisor.stopped.set()
        supervisor.join()
        if supervisor.failure:
            raise supervisor.failure
        site.kill_broker()
        site.preloaded = {}
        site.verify()
        return supervisor.deaths
    except Violation as violation:
        raise Violation("%s: %s\nthe broker's log:\n%s" % (point, violation, site.log())) from violation
    finally:
        site.end()
        shutil.rmtree(site.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=ROOT / "build/bin", type=pathlib.Path)
    parser.add_argument("--shim", default=ROOT / "build/tests/torture/failpoint.so", type=pathlib.Path)
    parser.add_argument("--cycles", type=int, help="so many points, drawn from the seed; without it all")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    chance = random.Random(options.seed)
    all_points = list(points(chance))
    if options.cycles is not None:
        all_points = chance.sample(all_points, min(options.cycles, len(all_points)))
    begin, deaths, missed = time.monotonic(), 0, []
    for point in all_points:
        try:
            died = play(point, options.bin, options.shim.resolve())
        except Violation as violation:
            print("VIOLATION", violation)
            return 1
        deaths += died
        if died == 0:
            missed.append(str(point))
    print("%d points, %d deaths, %d not reached, %.0f s: 0 violations" % (len(all_points), deaths, len(missed), time.monotonic() - begin))
    for one in missed:
        print("  not reached:", one)
    # A harness that kills nobody shows nothing.
    return 0 if deaths >= len(all_points) / 2 else 1


if __name__ == "__main__":
    sys.exit(main())
