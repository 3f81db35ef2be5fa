"""One job while every process is killed in turn, the broker in between: the output is that of an undisturbed run."""
import json
import os
import signal
import time

from harness import wait_until
from load import Load, Producers, together
from mill import READY, children_of, mill, send
from tally import Violation


def run(run):
    with mill(run) as it:
        producers = Producers(it)
        load = Load(it, producers)
        while run.more():
            cycle(run, it, producers, load)
    return run.counts


def cycle(run, it, producers, load):
    tag, tasks = "c%d" % run.begun, run.options.tasks
    texts = ["%s/%d" % (tag, i) for i in range(tasks)]
    load.write(tag + ".jsonl", [json.dumps([run.chance.choice((0, 0, 0, 0.001)), text]) for text in texts])
    begin = time.monotonic()
    undisturbed = job(it, producers, tag, "undisturbed")
    between = time.monotonic()
    load.check_marks(tag, tasks)
    os.truncate(it.marks / tag, 0)  # the executors have it open
    producers.storm()
    ended = []

    def disturbed():
        ended.append(job(it, producers, tag, "disturbed"))

    together([(disturbed,), (kills, run, it, producers, ended, between - begin)])
    if ended[0].read_bytes() != undisturbed.read_bytes():
        raise Violation("%s and %s differ" % (ended[0], undisturbed))
    load.compare(tag, ended[0], ['"%s"\n' % text for text in texts])
    load.check_counts(tag, tag + " disturbed", tasks)
    load.check_marks(tag, tasks)
    undisturbed.unlink()
    run.tell("%d tasks in %.1f s, and with %s in %.1f s: the same bytes" % (
        tasks, between - begin, ", ".join("%d %s" % (n, kind) for kind, n in sorted(run.counts.faults.items())), time.monotonic() - between))


def job(it, producers, tag, how):
    """Its output file. What gathers runs from the beginning on, beside what submits."""
    out, key = it.dir / ("%s.%s" % (tag, how)), "%s %s" % (tag, how)
    words = ("--quiet", "--wait-workers", "10m", "--key", key)
    id = producers.run("submit", *words, "--open", "marked").strip()

    def push():
        producers.run("push", "--quiet", "--key", "all", id, tag + ".jsonl")
        producers.run("close", id)

    together([(push,), (producers.run, "gather", "--quiet", id, "-o", out)])
    return out


def kills(run, it, producers, ended, undisturbed):
    """Each worker, each executor and both producers, as often as wanted, and the broker before each of them; spread over a time in which
    the job would have ended."""
    counts = run.counts

    def broker():
        last = it.broker.pid
        it.broker.kill()
        counts.fault("broker")
        wait_until(lambda: it.broker.pid != last, "the broker's next life")

    def executor(worker):
        children = children_of(worker.pid)
        for child in children:
            send(child, signal.SIGKILL)
        counts.fault("executor", len(children))

    def agent(worker):
        worker.kill()
        counts.fault("worker")

    def producer():
        counts.fault("producer", producers.kill_one(run.chance))

    victims = [lambda w=w: agent(w) for w in it.workers] + [lambda w=w: executor(w) for w in it.workers] + [producer, producer]
    gap = max(0.1, undisturbed / (2 * len(victims) * run.options.rounds))
    for _ in range(run.options.rounds):
        for victim in victims:
            for strike in (broker, victim):
                if run.chance.random() < 0.8:  # else it is struck while it begins
                    begin = time.monotonic()
                    wait_until(lambda: ended or it.broker.said(READY), "a broker that serves", 60)
                    counts.most("longest start of the broker, in ms", round(1000 * (time.monotonic() - begin)))
                time.sleep(run.chance.uniform(0, 2 * gap))  # the moment is what is drawn
                if not ended and not counts.violations:
                    strike()
    producers.settle()
