#!/usr/bin/env python3
"""How long a killed broker is away, and how much memory it takes, with much in its store.

    tests/bench/restart.py [--bin build/bin] [--waiting 10000000] [--recorded 10000000] [--restarts 5]

The real programs fill a store in a directory of its own: one job that is recorded, then jobs of a million tuples
of 20 bytes each, which wait behind a task that sleeps. Then SIGKILL and start, as often as asked for; away is from the
start to the answer to `fanmill status`. Nothing here passes or fails.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

AT_ONCE = 1_000_000  # a job has so many unfinished tasks at most, a little more


class Site:
    def __init__(self, binaries, directory, durability):
        self.binaries, self.directory, self.durability = binaries, directory, durability
        self.endpoint = "ipc://%s/broker" % directory
        self.store = directory / "broker.store"
        self.env = dict(os.environ, FANMILL_BROKER=self.endpoint, HOME=str(directory))
        self.broker = self.worker = None

    def start(self, program, *options):
        with open(self.directory / "log", "ab") as log:
            return subprocess.Popen([str(self.binaries / program), *options], env=self.env, stdout=log, stderr=log)

    def start_broker(self):
        begin = time.monotonic()
        self.broker = self.start("fanmill-broker", "--listen", self.endpoint, "--store", str(self.store),
                                 "--durability", self.durability)
        while not self.asked():
            if self.broker.poll() is not None:
                sys.exit("the broker ended: %s" % (self.directory / "log").read_text()[-500:])
        return time.monotonic() - begin

    def asked(self):
        if not (self.directory / "broker").is_socket():
            return None
        try:
            done = subprocess.run([str(self.binaries / "fanmill"), "status", "--json"], env=self.env,
                                  capture_output=True, timeout=60)
        except subprocess.TimeoutExpired:
            return None
        return json.loads(done.stdout)["status"] if done.returncode == 0 else None

    def kill_broker(self):
        self.broker.kill()
        self.broker.wait()
        (self.directory / "broker").unlink(missing_ok=True)

    def resident_mib(self):
        status = pathlib.Path("/proc/%d/status" % self.broker.pid).read_text()
        return tuple(int(re.search(name + r":\s+(\d+) kB", status).group(1)) / 1024
                     for name in ("VmRSS", "VmHWM", "RssAnon"))

    def submit(self, lines, count, *options):
        """Tuples of one text each, msgpack's and all `lines` bytes long."""
        path = self.directory / "tuples.jsonl"
        with open(path, "w") as out:
            for first in range(0, count, 100_000):
                out.writelines('["%0*d"]\n' % (lines, i) for i in range(first, min(count, first + 100_000)))
        begin = time.monotonic()
        subprocess.run([str(self.binaries / "fanmill"), "submit", "--quiet", "identity", str(path), *options],
                       env=self.env, check=True, stdout=subprocess.DEVNULL)
        path.unlink()
        return time.monotonic() - begin

    def end(self):
        for process in (self.worker, self.broker):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def fill(site, recorded, waiting):
    site.start_broker()
    site.worker = site.start("fanmill-worker", "--slots", "1")
    if recorded:
        print("%d recorded in %.1f s" % (recorded, site.submit(38, recorded, "--wait")), flush=True)
    subprocess.run([str(site.binaries / "fanmill"), "submit", "--quiet", "--priority", "1", "sleep", ":::", "100000"],
                   env=site.env, check=True, stdout=subprocess.DEVNULL)
    while site.asked()["busy"] == 0:
        time.sleep(0.01)
    seconds = 0.0
    for first in range(0, waiting, AT_ONCE):
        seconds += site.submit(18, min(AT_ONCE, waiting - first))
    print("%d waiting in %.1f s" % (waiting, seconds), flush=True)
    print("while filled: %.0f MiB resident, %.0f at most, %.0f of its own" % site.resident_mib(), flush=True)
    site.worker.kill()
    site.worker.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin", type=pathlib.Path)
    parser.add_argument("--waiting", type=int, default=10_000_000)
    parser.add_argument("--recorded", type=int, default=10_000_000)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--durability", default="sync")
    parser.add_argument("--keep", type=pathlib.Path, help="a directory for the store; it stays, and is used if it is there")
    options = parser.parse_args()
    directory = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="fanmill-restart-"))
    directory.mkdir(mode=0o700, exist_ok=True)
    site = Site(options.bin.resolve(), directory, options.durability)
    try:
        if not site.store.exists():
            fill(site, options.recorded, options.waiting)
            site.kill_broker()
        away = []
        for _ in range(options.restarts):
            away.append(site.start_broker())
            print("away %.2f s; %.0f MiB resident, %.0f at most, %.0f of its own" % (away[-1], *site.resident_mib()), flush=True)
            counts = site.asked()
            site.kill_broker()
        print("a store of %.2f GiB, %d tasks waiting: away %.2f s (median of %d, %.2f to %.2f)" % (
            site.store.stat().st_size / 2**30, counts["ventilator"]["waiting"], statistics.median(away), len(away),
            min(away), max(away)))
    finally:
        site.end()
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
