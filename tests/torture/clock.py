"""The wall clock jumps ten years either way under everybody: no lease ends, nothing is forgotten."""
import json
import random
import struct
import threading
import time

from load import Load, Producers, lanes
from mill import mill
from tally import Violation

TEN_YEARS = 10 * 365 * 86400


def run(run):
    clock = run.directory.parent / "wall-clock"
    clock.write_bytes(struct.pack("<q", 0))
    with mill(run, env={"LD_PRELOAD": str(run.options.plugins / "wall_clock.so"), "WALL_CLOCK": str(clock)}) as it:
        producers = Producers(it)
        load = Load(it, producers, scale=0.5)
        load.marked("before", [0] * 1000)
        set_clock(clock, TEN_YEARS)
        load.marked("moved", [0])
        year = int(producers.run("gather", "--quiet", "--format", "jsonl", "--columns", "start", "moved")[len('{"start":"'):][:4])
        if year < time.gmtime().tm_year + 9:
            raise RuntimeError("the clock of the workers does not move: it is %d" % year)
        while run.more():
            cycle(run, it, producers, load, clock)
    return run.counts


def set_clock(path, seconds):
    """In place: everybody has mapped the file."""
    with open(path, "r+b") as file:
        file.write(struct.pack("<q", seconds))


def cycle(run, it, producers, load, clock):
    chance = random.Random(run.chance.randrange(1 << 62))
    over = threading.Event()
    producers.storm()

    def jump():
        try:
            for _ in range(max(2, int(run.options.storm))):
                if over.wait(chance.uniform(0.2, 1.2)):
                    break
                set_clock(clock, chance.choice((-TEN_YEARS, TEN_YEARS, 0)))
                run.counts.fault("jump")
                if chance.random() < 0.3:  # it comes back into another year
                    it.broker.kill()
                    run.counts.fault("broker")
        finally:
            producers.settle()
            over.set()

    jumping = threading.Thread(target=jump)
    jumping.start()
    try:
        lanes(load, chance, over.is_set)
    finally:
        over.set()
        jumping.join()
    status = json.loads(producers.run("status", "--json"))["status"]
    if status["expired_leases"] or status["workers"] != len(it.workers):
        raise Violation("%d leases expired, %d workers" % (status["expired_leases"], status["workers"]))
    if producers.run("gather", "--quiet", "before").count("\n") != 1000:
        raise Violation("the rows of an earlier job are gone")
    run.tell("cycle %d: %d jumps, %d jobs" % (run.begun, run.counts.faults["jump"], run.counts.jobs))
