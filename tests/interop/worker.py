#!/usr/bin/python3
"""A whole worker in Python, from proto/PROTOCOL.md alone: one slot, in a thread of this process, and no executors.

    worker.py worker.join NAME                          # or ipc:///tmp/mill/broker

The main thread owns the session: it takes leases, queues their tasks, reports what ended and keeps each report until the
broker has taken care of it. The other thread runs one task after the other. What a worker with executors does besides is
kill a task: here a task that is cancelled or late runs to its end, and its result is dropped by the broker.
"""
import collections
import os
import queue
import random
import signal
import socket
import sys
import threading
import time

import zmq

import executor
import wire

ROOM = wire.Fields(tasks=20_000, bytes=64 << 20)  # held at most
REPORT_NS = 1_000_000

Task = collections.namedtuple("Task", "lease index values")


class Lease:
    """Tasks under one token; `open`: the indexes neither reported nor given back."""

    def __init__(self, fields, function):
        self.job, self.token, self.function = fields.job, fields.token, function
        self.open = set(range(fields.first, fields.first + fields.count))
        self.bytes = 0

    def ranges(self, indexes):
        found = []
        for index in sorted(indexes):
            if found and found[-1]["first"] + found[-1]["count"] == index:
                found[-1]["count"] += 1
            else:
                found.append({"first": index, "count": 1})
        return found


NO_LEASE = Lease(wire.Fields(job=0, token=wire.Fields(epoch=0, counter=0), first=0, count=0), "")


class Slot(threading.Thread):
    """Runs tasks from `waiting`, in order, and puts batches into `done`; `wake` gets a byte for each."""

    def __init__(self, wake):
        super().__init__(daemon=True)
        self.waiting, self.there = collections.deque(), threading.Semaphore(0)
        self.done, self.wake = queue.SimpleQueue(), wake
        self.running = None
        self.valid_until = 0.0  # nothing begins after that: the broker may have dealt it to others

    def put(self, tasks):
        self.waiting.extend(tasks)
        self.there.release()

    def take_back(self, wanted, count):
        """Removes up to `count` unstarted tasks, the last ones first; popping is atomic, so each has one taker."""
        kept, taken = [], []
        while self.waiting and len(taken) < count:
            try:
                task = self.waiting.pop()
            except IndexError:
                break
            (taken if wanted(task) else kept).append(task)
        self.waiting.extend(reversed(kept))
        self.there.release()
        return taken

    def run(self):
        batch, lease = None, None

        def report():
            if batch:
                self.done.put((lease, batch))
                self.wake.send(b"x")

        while True:
            try:
                if time.monotonic() >= self.valid_until:
                    raise IndexError
                task = self.waiting.popleft()
            except IndexError:
                report()
                batch = None
                self.there.acquire()
                continue
            self.running = task
            result = executor.call(task.lease.function, task.values)
            self.running = None
            if batch and (lease is not task.lease or batch.outcome != result[0] or batch.first + batch.count != task.index):
                report()
                batch = None
            lease, batch = task.lease, batch or executor.Batch(task.index)
            batch.add(*result)
            if batch.run_ns >= REPORT_NS:
                report()
                batch = None


class Worker:
    def __init__(self, where, name):
        self.where, self.name = where, name
        self.instance, self.attempt = random.getrandbits(64), 0
        self.specs = {}  # by job: a Spec comes with a job's first lease of a session
        self.leases = {}  # by token
        self.reports = collections.OrderedDict()  # not yet taken, by number: (message, fields, blob, lease, indexes)
        self.report = 0  # number of the last one
        self.draining = self.drain_wanted = False
        self.woken, wake = socket.socketpair()
        self.slot = Slot(wake)
        self.slot.start()
        self.connection, self.pause = None, 0.1
        self.lose_connection = False  # asked for by tests, which also read these:
        self.lists = self.recalls = 0
        self.connect()

    # ---- the session ----
    def connect(self):
        """Another socket and another session, in which credit, leases, reports and heartbeats count anew."""
        if self.connection:
            self.connection.close()
        self.connection, self.session = wire.Connection(self.where, "worker"), 0
        self.attempt += 1
        self.heard, self.said, self.beat = time.monotonic(), 0.0, 0.0
        self.beats_sent = {}  # when, by number
        self.leased = wire.Fields(tasks=0, bytes=0)  # in this session
        self.leases_seen = self.beats = 0
        self.reported_at = 0.0

    def send(self, message, blob=b"", **fields):
        self.said = time.monotonic()
        self.connection.send(message, self.session, fields, blob)

    def credit(self):
        held = sum(len(lease.open) for lease in self.leases.values())
        held_bytes = sum(lease.bytes for lease in self.leases.values())
        return {"tasks": self.leased.tasks + max(0, ROOM.tasks - held), "bytes": self.leased.bytes + max(0, ROOM.bytes - held_bytes)}

    def claims(self):
        """Of each lease what is not reported, or reported and not yet taken: else it would be dealt again before that comes."""
        found = {key: (lease, set(lease.open)) for key, lease in self.leases.items()}
        for _, _, _, lease, indexes in self.reports.values():
            found.setdefault(key_of(lease), (lease, set()))[1].update(indexes)
        return [dict(job=lease.job, token=lease.token, unfinished=lease.ranges(indexes)) for lease, indexes in found.values() if indexes]

    def hello(self):
        self.beats_sent[0] = time.monotonic()
        self.send("WorkerHello", instance=self.instance, attempt=self.attempt, name=self.name, host=socket.gethostname(), pid=os.getpid(),
                  slots=1, offers=[dict(name=n, signature=s) for n, (s, _) in executor.FUNCTIONS.items()], credit=self.credit(),
                  claims=self.claims(), version="python")

    def heartbeat(self, with_list=False):
        self.beats += 1
        self.beat = self.beats_sent[self.beats] = time.monotonic()
        digest = 0
        for lease in self.leases.values():
            digest ^= wire.digest(lease.token)
        running = self.slot.running
        self.send("WorkerHeartbeat", credit=self.credit(), leases_seen=self.leases_seen, reports_sent=self.report,
                  held_count=len(self.leases), held_digest=digest, draining=self.draining, number=self.beats,
                  running=[dict(job=running.lease.job, token=running.lease.token, index=running.index)] if running else [],
                  list_attached=with_list, held=[l.token for l in self.leases.values()] if with_list else [])

    def renew(self, number):
        """The broker has answered the hello (0) or that heartbeat: leases hold from when it was sent."""
        if number in self.beats_sent:
            self.slot.valid_until = self.beats_sent.pop(number) + self.lease_s
            self.slot.there.release()

    def welcome(self, session, fields):
        """What is not in `keep` is forgotten, but for the task that runs; reports not yet taken are numbered anew."""
        self.session, self.pause, self.lease_s = session, 0.1, fields.lease_ms / 1000
        self.renew(0)
        keep = {(t.epoch, t.counter) for t in fields.keep}
        self.slot.take_back(lambda t: key_of(t.lease) not in keep, 1 << 60)
        self.leases = {key: lease for key, lease in self.leases.items() if key in keep}
        self.reports = collections.OrderedDict(enumerate(self.reports.values(), 1))
        self.report = len(self.reports)
        self.send_reports()
        self.heartbeat()

    # ---- reports ----
    def add_report(self, message, lease, indexes, blob=b"", **fields):
        """Numbered, kept until the broker has taken it, and sent again if that takes long."""
        indexes = set(indexes)
        lease.open -= indexes
        if not lease.open:
            self.leases.pop(key_of(lease), None)
        self.report += 1
        self.reports[self.report] = (message, dict(fields, job=lease.job, token=lease.token), blob, lease, indexes)
        if self.session:
            self.send_report(self.report)

    def send_report(self, report):
        message, fields, blob, _, _ = self.reports[report]
        self.reported_at = time.monotonic()
        self.send(message, blob, report=report, credit=self.credit(), **fields)

    def send_reports(self):
        for report in self.reports:
            self.send_report(report)

    def take_done(self):
        self.woken.setblocking(False)
        try:
            while self.woken.recv(4096):
                pass
        except BlockingIOError:
            pass
        while not self.slot.done.empty():
            lease, batch = self.slot.done.get()
            values_bytes, blob = batch.blob()
            self.add_report("Results", lease, range(batch.first, batch.first + batch.count), blob, first=batch.first, count=batch.count,
                            outcome=batch.outcome, values_bytes=values_bytes, run_ns=batch.run_ns)

    def give_back(self, wanted, count=1 << 60, recall=0):
        """Unstarted tasks return to the broker: one message per lease, the answer to a recall even if there are none."""
        back = collections.defaultdict(list)
        for task in self.slot.take_back(wanted, count):
            back[task.lease].append(task.index)
        for lease, indexes in back.items():
            self.add_report("Returned", lease, indexes, ranges=lease.ranges(indexes), recall=recall)
        if recall and not back:
            self.add_report("Returned", NO_LEASE, (), recall=recall)

    # ---- what comes ----
    def take(self, name, session, fields, blob):
        if self.session and session not in (0, self.session):
            return
        if name == "WorkerWelcome":
            if (fields.instance, fields.attempt) == (self.instance, self.attempt) and not self.session:
                self.welcome(session, fields)
        elif name == "UnknownSession":
            if self.session:
                self.connect()
        elif name == "Refused":
            print("refused: " + fields.message, file=sys.stderr)
            if not self.session:
                raise SystemExit(1)  # of the hello; within a session it is for people alone
        elif name == "HeartbeatReply":
            self.renew(fields.number)
            if fields.list_wanted:
                self.lists += 1
                self.heartbeat(with_list=True)
        elif name == "ReportsTaken":
            while self.reports and next(iter(self.reports)) <= fields.report:
                self.reports.popitem(last=False)
        elif name == "Lease" and fields.lease > self.leases_seen:
            self.leases_seen = fields.lease
            self.leased.tasks += fields.count
            self.leased.bytes += len(blob)
            self.take_lease(fields, blob)
        elif name == "Recall":
            self.recalls += 1
            self.give_back(lambda t: fields.job in (0, t.lease.job), fields.count, fields.recall)
        elif name == "StopJob":
            self.give_back(lambda t: t.lease.job == fields.job)
            self.specs.pop(fields.job, None)

    def take_lease(self, fields, blob):
        if fields.spec:
            self.specs[fields.job] = fields.spec[0]
        bound = fields.job in self.specs
        lease = Lease(fields, bound and self.specs[fields.job].function)
        lease.bytes = len(blob)
        if key_of(lease) in self.leases:
            return
        self.leases[key_of(lease)] = lease
        if self.draining or not bound:
            self.add_report("Returned", lease, list(lease.open), ranges=lease.ranges(lease.open), unbound=not bound)
            return
        tuples = wire.tuples_of(blob, fields.skip, fields.count)
        self.slot.put([Task(lease, fields.first + i, values) for i, values in enumerate(tuples)])

    def turn(self):
        now = time.monotonic()
        if (now - self.heard > 3 * wire.HEARTBEAT_S and not self.draining) or self.lose_connection:
            self.lose_connection = False
            time.sleep(self.pause * random.uniform(0.5, 1))
            self.pause = min(2.0, 2 * self.pause)
            self.connect()
        if not self.session and now - self.said > wire.RESEND_S:
            self.hello()
        elif self.session and now - self.beat > wire.HEARTBEAT_S:
            self.heartbeat()
        if self.session and self.reports and now - self.reported_at > wire.RESEND_S:
            self.send_reports()
        poller = zmq.Poller()
        poller.register(self.connection.socket, zmq.POLLIN)
        poller.register(self.woken, zmq.POLLIN)
        poller.poll(200)
        try:
            message = self.connection.receive(0)
            while message:
                self.heard = time.monotonic()
                self.take(*message)
                message = self.connection.receive(0)
        except wire.Malformed:
            self.connect()
        self.take_done()
        if self.drain_wanted and not self.draining:
            self.draining = True
            self.give_back(lambda task: True)
            if self.session:
                self.heartbeat()

    def drain(self):
        """Gives back what is not started; goodbye follows when everything is reported and taken. For signal handlers too."""
        self.drain_wanted = True

    def drained(self):
        """Nothing is held, and every report is taken, or nobody is there to take it."""
        return self.draining and not self.leases and (not self.reports or time.monotonic() - self.heard > 3 * wire.HEARTBEAT_S)

    def run(self):
        while not self.drained():
            self.turn()
        if self.session:
            self.send("Goodbye")
            self.connection.receive(0.1)  # a socket that is closed at once may take it along
        self.connection.close()


def key_of(lease):
    return lease.token.epoch, lease.token.counter


if __name__ == "__main__":
    worker = Worker(sys.argv[1], sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: worker.drain())
    worker.run()
