"""Workers stopped for five leases and woken: what they bring late is recorded if it is first, and stale if it is not."""
import datetime
import json
import signal
import time

from harness import wait_until
from load import Load, Producers
from mill import children_of, mill, send

LEASE = 6.0  # kLeaseDuration of proto/limits.hpp
TASK = 1.2  # seconds of a task
ZOMBIES_PER_SLOT = 32  # of the one worker that is never stopped: it gets through a part of what the others held


def run(run):
    zombies = run.options.zombies
    with mill(run, workers=0) as it:
        it.add_worker(slots=slots_for(zombies))
        for _ in range(zombies):
            it.add_worker()
        it.wait_for_workers()
        producers = Producers(it)
        load = Load(it, producers)
        while run.more():
            cycle(run, it, producers, load)
    return run.counts


def cycle(run, it, producers, load):
    tag, zombies = "c%d" % run.begun, it.workers[1:]
    free = slots_for(len(zombies))
    tasks = len(zombies) + free
    texts = ["%s/%d" % (tag, i) for i in range(tasks)]
    load.write(tag + ".jsonl", [json.dumps([round(run.chance.uniform(0.7, 1.3) * TASK, 3), text]) for text in texts])
    asleep = run.begun % 2 == 0  # their executors are stopped with them
    before = sink(producers)["stale"]
    job = producers.run("submit", "--quiet", "--wait-workers", "1m", "--key", tag, "marked", tag + ".jsonl").strip()
    begun = it.marks / (tag + ".begun")
    wait_until(lambda: begun.exists() and begun.read_text().count("\n") >= len(zombies) + free, "a task that runs in every slot")
    stopped = [pid for zombie in zombies for pid in (zombie.pid, *(children_of(zombie.pid) if asleep else ()))]
    for pid in stopped:
        send(pid, signal.SIGSTOP)
    stopped_at = time.time()
    try:
        wait_until(lambda: load.of_job(job)["succeeded"] == tasks, "", run.options.leases * LEASE)
    except AssertionError:
        pass  # so it goes: the time they sleep
    rest = stopped_at + run.options.leases * LEASE - time.time()
    time.sleep(max(0.0, rest))
    recorded = load.of_job(job)["succeeded"]
    for pid in stopped:
        send(pid, signal.SIGCONT)
    run.counts.fault("zombie", len(zombies))
    producers.settle()
    out = it.dir / (tag + ".rows")
    producers.run("gather", "--quiet", "--format", "jsonl", "--columns", "index,worker,start,attempt", job, "-o", out)
    load.gather(job, it.dir / (tag + ".out"), (), 0)
    load.compare(tag, it.dir / (tag + ".out"), ['"%s"\n' % text for text in texts])
    load.check_counts(tag, job, tasks)
    # Whatever ran once more is reported once more, or again and again, and answered stale.
    wait_until(lambda: sink(producers)["stale"] - before >= sum(load.marks_of(tag).values()) - tasks,
               lambda: "%d stale results" % (sum(load.marks_of(tag).values()) - tasks))
    marks = load.check_marks(tag, tasks)
    stale = sink(producers)["stale"] - before
    kept = late_and_kept(out, stopped_at)
    run.counts.note("stale", stale)
    run.counts.note("late and kept", kept)
    run.tell("%d woken%s: %d of %d recorded meanwhile, %d late ones kept, %d stale, %d executions" % (
        len(zombies), " with their executors" if asleep else "", recorded, tasks, kept, stale, sum(marks.values())))


def slots_for(zombies):
    return -(-zombies // ZOMBIES_PER_SLOT)


def sink(producers):
    return json.loads(producers.run("status", "--json"))["status"]["sink"]


def late_and_kept(path, stopped_at):
    """Rows of tasks that zombies had begun before they were stopped, and had not reported."""
    kept = 0
    for line in path.read_text().splitlines():
        row = json.loads(line)
        start = datetime.datetime.fromisoformat(row["start"]).timestamp()
        kept += not row["worker"].startswith("w0@") and start < stopped_at < start + 0.7 * TASK
    return kept
