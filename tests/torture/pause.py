"""The broker stopped for longer than a lease: nobody is taken for lost, and no task runs twice."""
import json
import signal
import time

from load import Load, Producers, together
from mill import mill, send
from tally import Violation


def run(run):
    with mill(run) as it:
        producers = Producers(it)
        load = Load(it, producers)
        while run.more():
            cycle(run, it, producers, load)
    return run.counts


def cycle(run, it, producers, load):
    """Long tasks run over the whole pause, short ones wait for it to end."""
    seconds, tag = run.options.pause, "c%d" % run.begun
    tasks = [seconds + 2 + run.chance.random()] * (len(it.workers) - 1) + [run.chance.uniform(0, 0.2) for _ in range(200)]
    producers.settle(seconds + 120)

    def pause():
        time.sleep(run.chance.uniform(0.3, 1.5))  # the moment is what is drawn
        send(it.broker.pid, signal.SIGSTOP)
        time.sleep(seconds)
        send(it.broker.pid, signal.SIGCONT)
        run.counts.fault("pause")

    together([(load.marked, tag, tasks), (pause,)])
    expired = json.loads(producers.run("status", "--json"))["status"]["expired_leases"]
    again = run.counts.notes["run more than once"]
    if again or expired:
        raise Violation("%s: %d tasks ran again, %d leases expired" % (tag, again, expired))
    run.tell("cycle %d: %d tasks over a pause of %g s, each ran once" % (run.begun, len(tasks), seconds))
