"""What a scenario is given, and what it gives back."""
import collections
import dataclasses
import pathlib
import random
import threading
import time


class Violation(Exception):
    """A promise was broken; the run ends."""


class Skipped(Exception):
    """The scenario cannot be played here: why."""


@dataclasses.dataclass
class Counts:
    """Of one scenario. Any thread may add to it, by the methods."""

    faults: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by kind
    notes: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # whatever else is worth a number
    jobs: int = 0
    tasks: int = 0
    lost: int = 0  # accepted tuples without a row
    duplicate: int = 0  # rows beyond the first of a tuple
    violations: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def fault(self, kind, by=1):
        with self.lock:
            self.faults[kind] += by

    def note(self, name, by=1):
        with self.lock:
            self.notes[name] += by

    def most(self, name, value):
        with self.lock:
            self.notes[name] = max(self.notes[name], value)

    def job(self, tasks):
        with self.lock:
            self.jobs += 1
            self.tasks += tasks

    def violation(self, text):
        with self.lock:
            self.violations.append(text)
        print("VIOLATION: " + text, flush=True)


class Run:
    """One scenario's part of a run: its chance, its folder, how long it may go on, and what it counted.

    A scenario begins cycle after cycle while more() says so, and each begun cycle is carried to its end.
    """

    def __init__(self, name, options, directory):
        self.name, self.options, self.directory = name, options, pathlib.Path(directory)
        self.chance = random.Random("%d %s" % (options.seed, name))  # of this scenario alone, whatever else runs
        self.counts = Counts()
        self.begin = time.monotonic()
        self.begun = 0

    def more(self):
        """True if another cycle is to begin; the first one always is."""
        elapsed = time.monotonic() - self.begin
        enough = (self.options.cycles and self.begun >= self.options.cycles) or (
            self.options.seconds and elapsed >= self.options.seconds)
        if self.counts.violations or (self.begun and enough):
            return False
        self.begun += 1
        return True

    def tell(self, text):
        print("%6.0f s  %s: %s" % (time.monotonic() - self.begin, self.name, text), flush=True)
