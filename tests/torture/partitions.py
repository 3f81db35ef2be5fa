"""Network namespaces cut off from the broker's, both ways or one way, shorter and longer than a lease, and healed."""
import random
import subprocess
import time

from harness import wait_until
from hosts import REFUSED, Hosts
from load import Load, Producers, together
from mill import mill
from proxy import workers_there
from tally import Skipped

LEASE = 6.0
SETTLED_WITHIN = LEASE + 5.0  # after healing every worker is back
WORKERS = 4
NOWHERE = "02:00:00:00:00:99"  # the address of no host


class Net(Hosts):
    """Hosts outside of a test."""

    def runTest(self):
        raise NotImplementedError


class Cut:
    """One host is cut off: its link is down, or what it sends, or what the broker's host sends to it, reaches nobody."""

    KINDS = ("link down", "one-way out", "one-way in")

    def __init__(self, net, names, name, kind):
        self.net, self.names, self.name, self.kind = net, names, name, kind

    def _ip(self, host, *words):
        self.net.run_in(self.net.hosts[host], "ip", *words)

    def _lose(self, sender, receiver, lose):
        """A neighbour entry that never changes and leads nowhere."""
        address = "10.77.0.%d" % (self.names.index(receiver) + 1)
        if lose:
            self._ip(sender, "neigh", "replace", address, "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent")
        else:
            self._ip(sender, "neigh", "del", address, "dev", "eth0")

    def set(self, cut):
        if self.kind == "link down":
            self.net.plug(self.names.index(self.name) + 1, "down" if cut else "up")
        elif self.kind == "one-way out":
            self._lose(self.name, "broker", cut)
        else:
            self._lose("broker", self.name, cut)


def run(run):
    if REFUSED:
        raise Skipped("no network namespaces: %s" % REFUSED)
    net = Net()
    net.setUp()
    try:
        names = ["broker", *("worker%d" % i for i in range(WORKERS)), "desk"]
        prefixes = [net.host(name) for name in names]
        with mill(run, workers=0, listen="tcp://10.77.0.1:7070", broker_prefix=prefixes[0]) as it:
            for prefix in prefixes[1:-1]:
                it.add_worker(prefix=prefix)
            it.wait_for_workers()
            it.producer_prefix = prefixes[-1]
            producers = Producers(it)
            load = Load(it, producers)
            while run.more():
                cycle(run, it, producers, load, net, names)
    except subprocess.CalledProcessError as error:
        raise RuntimeError("%s: %s" % (error, error.stderr)) from error
    finally:
        net.doCleanups()
    return run.counts


def cycle(run, it, producers, load, net, names):
    """Now and then three partitions for everybody."""
    if run.begun % 4 == 0:
        thrice(run, it, producers, load, net, names)
    else:
        overlapping(run, it, producers, load, net, names)


def thrice(run, it, producers, load, net, names):
    """All workers are cut off three times, each time for longer than a lease, while one task runs on each: nobody is dead-lettered,
    and each task runs but once, for there is nobody else to deal it to."""
    tag, longest = "c%d" % run.begun, run.options.cut
    gap = 4.0  # until they are back
    producers.settle(3 * (longest + gap) + 60)

    def cuts():
        wait_until(lambda: load.of_job(tag)["running"] == WORKERS, "a task at every worker")
        for _ in range(3):
            cut_all = [Cut(net, names, name, run.chance.choice(Cut.KINDS)) for name in names[1:-1]]
            for cut in cut_all:
                cut.set(True)
            time.sleep(longest)
            for cut in cut_all:
                cut.set(False)
                run.counts.fault(cut.kind + ", longer than a lease")
            wait_until(lambda: workers_there(producers) == WORKERS, "every worker is back", SETTLED_WITHIN)

    def job():
        load.marked(tag, [3 * (longest + gap)] * WORKERS)

    before = run.counts.notes["run more than once"]
    together([(job,), (when_known(load, tag, cuts),)])
    again = run.counts.notes["run more than once"] - before
    run.tell("cycle %d: three cuts of everybody; %d tasks ran again" % (run.begun, again))


def when_known(load, job, function):
    """Calls it once the broker knows the job."""
    def called():
        wait_until(lambda: load.producers.run("jobs", "--json", job, codes=(0, 2))[0] == 0, "the job")
        function()

    return called


def overlapping(run, it, producers, load, net, names):
    """Every host but the broker's is cut off once or more, overlapping, while long and short tasks run."""
    chance = random.Random(run.chance.randrange(1 << 62))
    tag, longest = "c%d" % run.begun, run.options.cut
    tasks = [chance.choices((0.01, 0.1, longest), (80, 19, 1))[0] for _ in range(400)]
    order = names[1:]
    chance.shuffle(order)
    plan = [(chance.uniform(0, 3), name, chance.choice(Cut.KINDS),
             chance.choice((chance.uniform(0.2, LEASE / 2), longest))) for name in order]
    producers.storm()
    healed = []

    def cut(after, name, kind, seconds):
        time.sleep(after)  # the moment is what is drawn
        it = Cut(net, names, name, kind)
        it.set(True)
        time.sleep(seconds)
        it.set(False)
        healed.append(time.monotonic())
        run.counts.fault(kind + (", longer than a lease" if seconds > LEASE else ""))

    def cuts():
        together([(cut, *one) for one in plan])
        producers.settle()
        back = wait_until(lambda: workers_there(producers) == WORKERS and time.monotonic(), "every worker is back", SETTLED_WITHIN)
        took.append(back - max(healed))

    took = []
    together([(load.marked, tag, tasks), (cuts,)])
    run.counts.most("longest settling, in ms", round(1000 * took[0]))
    dead = load.of_job("last")["dead_lettered"]
    run.tell("cycle %d: %d cuts; settled %.1f s after healing; %d dead letters" % (
        run.begun, sum(run.counts.faults.values()), took[0], dead))
