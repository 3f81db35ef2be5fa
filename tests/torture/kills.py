"""SIGKILL of the broker, agents, executors and producers at random moments, while jobs of every kind run."""
import json
import random
import signal
import threading
import time

from load import Load, Producers, lanes
from mill import mill, send

RATES = {"broker": 2.0, "worker": 4.0, "executor": 6.0, "producer": 2.5}  # in a second of storm, on average
VERIFIED_EVERY = 5  # cycles


def run(run):
    with mill(run) as it:
        producers = Producers(it)
        load = Load(it, producers)
        for number, kind in enumerate(load.kinds[1:]):
            kind("calm%d" % number, run.chance)
        run.tell("undisturbed: %d jobs, %d tasks" % (run.counts.jobs, run.counts.tasks))
        while run.more():
            cycle(run, it, producers, load)
    return run.counts


def cycle(run, it, producers, load):
    """A storm, and then calm until every job of it has ended."""
    storm = Storm(run, it, producers)
    producers.storm()
    storm.thread.start()
    try:
        lanes(load, run.chance, storm.over.is_set)
    finally:
        storm.over.set()
        storm.thread.join()
    run.counts.note("stale", json.loads(producers.run("status", "--json"))["status"]["sink"]["stale"])
    run.tell("cycle %d: %s; %d jobs, %d tasks; calm after %.1f s" % (
        run.begun, ", ".join("%d %s" % (n, kind) for kind, n in sorted(run.counts.faults.items())), run.counts.jobs, run.counts.tasks,
        time.monotonic() - storm.ended))
    if run.begun % VERIFIED_EVERY == 0:
        with it.broker.down():
            it.verify()
        producers.storm()  # until the broker is back
        producers.run("forget", "all")
        producers.settle()
        for mark in it.marks.iterdir():
            mark.unlink()


class Storm:
    """Faults at moments drawn beforehand. Sets over at its end, and the producers' deadline."""

    def __init__(self, run, it, producers):
        self.run, self.mill, self.producers = run, it, producers
        chance = random.Random(run.chance.randrange(1 << 62))
        seconds = run.options.storm
        kinds = [kind for kind, rate in RATES.items() for _ in range(max(1, round(rate * chance.uniform(0.3, 1.7) * seconds)))]
        self.plan = sorted((chance.uniform(0, seconds), kind) for kind in kinds)
        self.chance, self.over, self.ended = chance, threading.Event(), None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        begin = time.monotonic()
        for when, kind in self.plan:
            if self.over.wait(max(0.0, begin + when - time.monotonic())):
                break
            if getattr(self, "_" + kind)():
                self.run.counts.fault(kind)
        self.ended = time.monotonic()
        self.producers.settle()
        self.over.set()

    def _broker(self):
        self.mill.broker.kill(hold=self.chance.choice((0, 0, 0, self.chance.uniform(0, 1))))
        return True

    def _worker(self):
        self.chance.choice(self.mill.workers).kill(hold=self.chance.choice((0, 0, self.chance.uniform(0, 1))))
        return True

    def _executor(self):
        executors = self.mill.executors()
        if executors:
            send(self.chance.choice(executors), signal.SIGKILL)
        return bool(executors)

    def _producer(self):
        for _ in range(20):
            if self.producers.kill_one(self.chance):
                return True
            if self.over.wait(0.01):
                break
        return False
