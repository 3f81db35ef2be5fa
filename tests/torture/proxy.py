"""A TCP proxy before the broker that delays, stalls, resets, and leaves connections half open."""
import json
import random
import threading

from chaos_proxy import ChaosProxy
from harness import wait_until
from load import Load, Producers, lanes
from mill import free_port, mill

SETTLED_WITHIN = 6.0 + 5.0 + 15.0  # a lease and 5 s; keepalives of a connection that is open to nobody, 10 + 3 × 5 s from its end


def run(run):
    port = free_port(run.chance)
    proxy = ChaosProxy(("127.0.0.1", port), seed=run.chance.randrange(1 << 32))
    try:
        with mill(run, listen="tcp://127.0.0.1:%d" % port, advertise="tcp://127.0.0.1:%d" % proxy.port) as it:
            producers = Producers(it)
            load = Load(it, producers)
            while run.more():
                cycle(run, it, producers, load, proxy)
    finally:
        proxy.close()
    return run.counts


def cycle(run, it, producers, load, proxy):
    chance = random.Random(run.chance.randrange(1 << 62))
    over = threading.Event()
    producers.storm()

    def misbehave():
        try:
            for _ in range(max(2, int(run.options.storm))):
                if over.wait(chance.uniform(0.2, 1.5)):
                    break
                kind = chance.choice(("delay", "stall", "reset", "half-open"))
                if kind == "delay":
                    proxy.delay(chance.uniform(0.5, 3), chance.choice((0.05, 0.5, 3)))
                elif kind == "stall":
                    seconds = chance.choice((0.3, 2, 9))  # the last one is longer than a lease
                    proxy.stall(seconds)
                    over.wait(seconds)
                elif kind == "reset":
                    proxy.reset(chance.choice((0.3, 1)))
                else:
                    proxy.half_open(chance.choice((0.3, 1)))
                run.counts.fault(kind)
        finally:
            proxy.calm()
            producers.settle()
            over.set()

    striking = threading.Thread(target=misbehave)
    striking.start()
    try:
        lanes(load, chance, over.is_set)
    finally:
        over.set()
        striking.join()
    wait_until(lambda: workers_there(producers) == len(it.workers), "every worker is back", SETTLED_WITHIN)
    run.tell("cycle %d: %s; %d jobs, %d tasks" % (
        run.begun, ", ".join("%d %s" % (n, kind) for kind, n in sorted(run.counts.faults.items())), run.counts.jobs, run.counts.tasks))


def workers_there(producers):
    """Names of workers that are active."""
    workers = json.loads(producers.run("workers", "--json"))["workers"]
    return len({worker["name"] for worker in workers if worker["state"] == "active"})
