"""A producer in Python, from proto/PROTOCOL.md alone: opens jobs, submits tuples under credit, gathers rows by cursor.

    client = Client("producer.join")                     # or "ipc:///tmp/mill/broker"
    job = client.open("my-key", function="echo")
    for row in job.run((i, "x") for i in range(10)):     # rows in input order, while it still submits
        print(row.index, row.value if row.outcome == "succeeded" else row.failure.message)

Everything happens in the caller's thread, inside Client.turn(): say hello and heartbeats, take what came, send again what
was not answered. Jobs survive the loss of the connection: all they need for that is their key, what the broker has
not yet accepted, and the reader's cursor.
"""
import collections
import os
import random
import socket
import time

import wire

CHUNK_TUPLES = 4096
CHUNK_BYTES = 1 << 20
WINDOW_BYTES = 8 << 20
WAITING_CHUNKS = 4  # cut and not yet accepted, before no more tuples are pulled
NEVER = (1 << 64) - 1

Row = collections.namedtuple("Row", "index outcome value failure stdout stderr worker attempt dead_lettered start_unix_us run_ns "
                                    "tuple")
Chunk = collections.namedtuple("Chunk", "first count blocks blob")


class Refused(Exception):
    """The broker cannot do it; `code` is an ErrorCode."""

    def __init__(self, fields):
        super().__init__(fields.message)
        self.code = fields.code


def rows_of(fields, blob):
    """The rows [first, first + count) of a Rows message. Its blob is that of the report, in which the batch
    [batch_first, batch_first + batch_count) ended alike, and behind it perhaps tuples."""
    report = blob[: len(blob) - fields.tuples_bytes]
    outcome = wire.ENUMERATIONS["outcome"][fields.outcome]
    tuples = [None] * fields.count
    if fields.tuples_bytes:
        tuples = wire.tuples_of(blob[len(report):], fields.tuples_skip, fields.count)
    values = wire.values_of(report[: fields.values_bytes])
    columns = wire.decode_columns(report[fields.values_bytes:])
    printed = {offset: (out, err) for offset, out, err in columns.outputs or []}
    for i in range(fields.count):
        offset = fields.first - fields.batch_first + i
        out, err = printed.get(offset, (b"", b""))
        yield Row(
            index=fields.first + i, outcome=outcome, value=values[offset] if values else None,
            failure=wire.Failure(*columns.failures[offset]) if columns.failures else None, stdout=out, stderr=err,
            worker=fields.worker, attempt=fields.attempt, dead_lettered=fields.dead_lettered,
            start_unix_us=columns.start_unix_us,
            run_ns=columns.run_ns[offset] if columns.run_ns else fields.run_ns // fields.batch_count, tuple=tuples[i])


class Job:
    """One job as this client sees it. `cursor`: where its reader goes on; kept with the output, it survives a restart."""

    def __init__(self, client, key, options, order, cursor):
        self.client, self.key, self.options, self.order, self.cursor = client, key, options, order, cursor
        self.id = None
        self.error = None
        # The submitting side. `cut`: tuples put into chunks; `sent`: submitted in this session; next_index: accepted.
        self.cut = self.sent = self.next_index = self.accepted_bytes = self.sent_bytes = 0
        self.credit = wire.Fields(tasks=0, bytes=0)
        self.chunks = collections.deque()  # not yet accepted, in order
        self.total = None  # once no tuple follows
        self.closed = False
        self.killed_at = None  # cancelled: when what runs is killed
        self.submitted_at = self.asked_at = 0.0  # when something was last sent, or heard
        # The reading side.
        self.gathering = False
        self.rows = collections.deque()
        self.acknowledged = cursor
        self.counts = None  # once the job has ended
        self.signature = self.durability = None

    # ---- what a user calls ----
    def run(self, tuples):
        """Submits the tuples and yields the rows meanwhile. Of a job that was open before, the broker has some already:
        those are pulled again and passed over, so give the same ones."""
        source, more = iter(tuples), True

        def feed():
            nonlocal more
            while more and len(self.chunks) < WAITING_CHUNKS:
                more = self.take_chunk(source)

        feed()
        yield from self.read(feed)

    def read(self, meanwhile=lambda: None):
        """Yields the rows from the cursor on, until the job has ended, or in the order recorded all that is there is read."""
        self.gathering = True
        self.ask_for_rows()
        while not self.ended():
            meanwhile()
            self.client.turn(0 if self.rows else 0.2)
            yield from self.take_rows()

    def take_chunk(self, source):
        """Cuts the next chunk from an iterator. False when there is no more, and the job is closed."""
        self.wait_until(lambda: self.id is not None)
        taken, size = [], 0
        while len(taken) < CHUNK_TUPLES and size < CHUNK_BYTES:
            try:
                taken.append(wire.pack_tuple(next(source)))
            except StopIteration:
                break
            size += len(taken[-1])
        first = self.cut
        self.cut += len(taken)
        if taken and self.cut > self.next_index:
            taken = taken[max(0, self.next_index - first):]
            self.chunks.append(Chunk(self.cut - len(taken), len(taken), *wire.chunk(taken)))
        if size < CHUNK_BYTES and self.cut - first < CHUNK_TUPLES:
            self.close()
        self.submit()
        return self.total is None

    def close(self):
        self.total = self.cut

    def take_rows(self):
        """The rows that came, acknowledged when the caller comes back for more: it has taken care of them."""
        while self.rows:
            reached, rows = self.rows.popleft()
            yield from rows
            self.acknowledged = reached
            if not self.rows:
                self.acknowledge()

    def ended(self):
        return self.counts is not None

    def cancel(self, grace_ms=5000):
        """Said again until the job has ended, with what is left of the grace."""
        self.killed_at, self.cancelled_at = time.monotonic() + grace_ms / 1000, time.monotonic()
        self.client.send("CancelJob", job=self.id, grace_ms=grace_ms)

    def wait_until(self, fact):
        while not fact():
            self.client.turn(0.2)

    # ---- what is sent ----
    def open(self):
        self.asked_at = time.monotonic()
        self.client.send("OpenJob", key=self.key, options=self.options)

    def submit(self):
        """All chunks that the credit allows, and the end. An over-long one may go alone."""
        if self.id is None or not self.client.session:
            return
        for chunk in self.chunks:
            if chunk.first < self.sent:
                continue
            allowed = (chunk.first + chunk.count <= self.credit.tasks
                       and self.sent_bytes + len(chunk.blob) <= self.credit.bytes)
            alone = self.sent == self.next_index and chunk.count == 1
            if not allowed and not alone:
                break
            self.client.send("Submit", chunk.blob, job=self.id, first=chunk.first, count=chunk.count, blocks=chunk.blocks)
            self.submitted_at = time.monotonic()
            self.sent, self.sent_bytes = chunk.first + chunk.count, self.sent_bytes + len(chunk.blob)
        if self.total is not None and self.sent == self.total and not self.closed:
            self.submitted_at = time.monotonic()
            self.client.send("CloseJob", job=self.id, total=self.total)

    def submit_again(self):
        self.sent, self.sent_bytes = self.next_index, self.accepted_bytes
        self.submit()

    def ask_for_rows(self):
        if self.id is not None and self.client.session:
            self.asked_at = time.monotonic()
            self.client.send("Gather", job=self.id, order=self.order, cursor=self.cursor, window_bytes=WINDOW_BYTES)

    def acknowledge(self):
        if self.id is not None and self.client.session:
            self.client.send("GatherAck", job=self.id, cursor=self.acknowledged)

    def send_again(self, now):
        """What was answered by nothing for RESEND_S."""
        if self.id is None:
            if now - self.asked_at > wire.RESEND_S:
                self.open()
            return
        if self.killed_at is not None and now - self.cancelled_at > wire.RESEND_S:
            self.cancelled_at = now
            self.client.send("CancelJob", job=self.id, grace_ms=max(0, int(1000 * (self.killed_at - now))))
        unanswered = self.sent > self.next_index or (self.total is not None and self.sent == self.total and not self.closed)
        if unanswered and now - self.submitted_at > wire.RESEND_S:
            self.submit_again()
        if self.gathering and not self.ended() and now - self.asked_at > wire.RESEND_S and not self.rows:
            self.ask_for_rows()
            self.acknowledge()

    # ---- what comes ----
    def opened(self, fields):
        if self.id not in (None, fields.job):
            self.error = LookupError("the broker has lost job %s" % self.key)
        self.id, self.signature, self.durability = fields.job, fields.signature, fields.durability
        self.accepted_bytes = fields.accepted_bytes
        self.accepted(fields, again=True)
        if self.gathering:
            self.ask_for_rows()

    def accepted(self, fields, again=False):
        self.next_index = max(self.next_index, fields.next_index)
        self.closed = self.closed or fields.closed
        while self.chunks and self.chunks[0].first + self.chunks[0].count <= self.next_index:
            gone = self.chunks.popleft()
            if not again:
                self.accepted_bytes += len(gone.blob)
        self.credit = wire.Fields(tasks=max(self.credit.tasks, fields.credit.tasks), bytes=max(self.credit.bytes, fields.credit.bytes))
        self.submitted_at = time.monotonic()
        if again or fields.next_index > self.sent:
            self.submit_again()
        else:
            self.submit()

    def came(self, fields, blob):
        if fields.position == self.cursor:
            self.cursor = fields.next
            self.asked_at = time.monotonic()
            self.rows.append((fields.next, list(rows_of(fields, blob))))


class Client:
    def __init__(self, where, role="producer"):
        self.where, self.role = where, role
        self.instance, self.attempt = random.getrandbits(64), 0
        self.jobs, self.events, self.answers = {}, [], {}  # jobs by key; attempts that failed; answers by request
        self.requests = 0
        self.connection, self.session, self.pause = None, 0, 0.1
        self.connect()

    # ---- what a user calls ----
    def open(self, key, function=None, argv=(), order=0, cursor=0, spec=None, **options):
        """Opens a job, or the one that has this key already. `cursor`: where an earlier reader of it stood."""
        spec = dict({"function": function or "exec", "argv": list(argv), "max_output": 64 << 20}, **spec or {})
        options = dict({"spec": spec, "name": key, "crash_limit": 3, "wait_workers_ms": 5000}, **options)
        job = self.jobs[key] = Job(self, key, options, order, cursor)
        if self.session:
            job.open()
        job.wait_until(lambda: job.id is not None)
        return job

    def ask(self, topic, selector=""):
        """One of ENUMERATIONS["topic"]: the maps of 1.9."""
        return self.request("Ask", topic=wire.ENUMERATIONS["topic"].index(topic), selector=selector)

    def steer(self, jobs, action, grace_ms=5000):
        return self.request("Steer", jobs=list(jobs), action=wire.ENUMERATIONS["steering"].index(action), grace_ms=grace_ms)

    def request(self, message, **fields):
        self.requests += 1
        number, sent = self.requests, 0.0
        while number not in self.answers:
            if self.session and time.monotonic() - sent > wire.RESEND_S:
                sent = time.monotonic()
                self.send(message, request=number, **fields)
            self.turn(0.2)
        answer = self.answers.pop(number)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def push(self, job, key, tuples, sequence=0):
        """Pushes tuples as chunks of `key` from `sequence` on; the number of the next chunk. One at a time: each is repeated
        until it is Pushed. A pusher that comes back asks where it stands first, by an empty list."""
        packed = [wire.pack_tuple(t) for t in tuples]
        pieces = [packed[i:i + CHUNK_TUPLES] for i in range(0, len(packed), CHUNK_TUPLES)] or [[]]
        for piece in pieces:
            blocks, blob = wire.chunk(piece)
            wanted, sent = sequence + (1 if piece else 0), 0.0
            self.answers.pop((job, key), None)
            while (job, key) not in self.answers or self.answers[job, key].sequence < wanted:
                if self.session and time.monotonic() - sent > wire.RESEND_S:
                    sent = time.monotonic()
                    self.send("Push", blob, job=job, key=key, sequence=sequence, count=len(piece), blocks=blocks)
                self.turn(0.2)
            sequence = self.answers[job, key].sequence
        return sequence

    def goodbye(self):
        if self.session:
            self.send("Goodbye")
            self.turn(0)
        self.connection.close()

    # ---- the session ----
    def connect(self):
        """Another socket, and so another session. It says hello until it is welcome."""
        if self.connection:
            self.connection.close()
        self.connection, self.session = wire.Connection(self.where, self.role), 0
        self.attempt += 1
        self.heard, self.said = time.monotonic(), 0.0

    def send(self, message, blob=b"", **fields):
        self.said = time.monotonic()
        self.connection.send(message, self.session, fields, blob)

    def turn(self, timeout):
        """One round: what is due is sent, what comes within `timeout` seconds is taken."""
        now = time.monotonic()
        if now - self.heard > 3 * wire.HEARTBEAT_S:
            time.sleep(self.pause * random.uniform(0.5, 1))
            self.pause = min(2.0, 2 * self.pause)
            self.connect()
        if not self.session:
            if now - self.said > wire.RESEND_S:
                self.send("ProducerHello", instance=self.instance, attempt=self.attempt, host=socket.gethostname(),
                          pid=os.getpid(), user=os.environ.get("USER", ""))
        else:
            if now - self.said > wire.HEARTBEAT_S:
                self.send("ProducerHeartbeat")
            for job in self.jobs.values():
                job.send_again(now)
        try:
            message = self.connection.receive(min(timeout, 0.2))
            while message:
                self.heard = time.monotonic()
                self.take(*message)
                message = self.connection.receive(0)
        except wire.Malformed:
            self.connect()
        for job in self.jobs.values():
            if job.error:
                raise job.error

    def take(self, name, session, fields, blob):
        if self.session and session not in (0, self.session):
            return
        if name == "ProducerWelcome":
            if (fields.instance, fields.attempt) == (self.instance, self.attempt) and not self.session:
                self.session, self.pause = session, 0.1
                for job in self.jobs.values():
                    job.open()
            return
        if name == "UnknownSession" and self.session:
            self.connect()
            return
        job = next((j for j in self.jobs.values() if j.id == fields.get("job")), None)
        if name == "JobOpened" and fields.key in self.jobs:
            self.jobs[fields.key].opened(fields)
        elif name == "Refused" and fields.request:
            self.answers[fields.request] = Refused(fields)
        elif name == "Refused":
            job = self.jobs.get(fields.key) or job
            if job is None:
                raise Refused(fields)
            job.error = Refused(fields)
        elif name == "Answer":
            self.answers[fields.request] = wire.unpack(blob)
        elif name == "Pushed":
            self.answers[fields.job, fields.key] = fields
        elif job and name == "Accepted":
            job.accepted(fields)
        elif job and name == "Rows":
            job.came(fields, blob)
        elif job and name in ("JobEnded", "RowsEnded"):
            job.counts = fields.counts
        elif name == "JobEvent":
            self.events.append((fields, wire.decode_columns(blob)))
