"""fanmill's protocols in Python, from proto/PROTOCOL.md alone: messages, frames, blobs, and a connection.

The tables below are the page's own words, and a test compares them with it. A message is a Fields: a dict whose keys
are attributes too, parts within it likewise. See client.py, worker.py and executor.py for who says what when.
"""
import collections
import os
import re
import struct

import msgpack
import zmq

VERSION = 1
PART_BYTES = 256 << 10  # kPartBytesMax
BLOB_BYTES = 257 << 20  # kBlobBytesMax
TEXT_BYTES = 256  # of a text where the table says nothing
HEARTBEAT_S = 2.0
RESEND_S = 1.0

PARTS = {
    "Token": "epoch u, counter u",
    "Range": "first u, count u",
    "Block": "tuples u, bytes u",
    "Credit": "tasks u, bytes u",
    "Offer": "name s, signature s≤4096",
    "Variable": "name s, value s≤128 KiB, placeholders b",
    "Spec": "function s, argv s*≤128 KiB each, names s*, time_limit_ms u, max_output u, shell s≤128 KiB, "
            "chdir s≤128 KiB, env Variable*, input s*≤128 KiB, time_limit_percent u, group u, at_most_once b",
    "Label": "name s, value s",
    "Options": "spec Spec, name s, priority i, retries u, crash_limit u, rows_with_tuples b, forget_when_delivered b, "
               "wait_workers_ms u, where Label*≤64, keep_ms u, named_key b, halt Halt*≤4",
    "Halt": "on halt_on, count u, percent u, beyond b, now b",
    "Running": "job u, token Token, index u",
    "Claim": "job u, token Token, unfinished Range*",
    "Counts": "accepted u, running u, succeeded u, failed u, dead_lettered u, cancelled u",
}
ENUMERATIONS = {
    "outcome": ["succeeded", "failed", "crashed", "time limit", "worker lost", "cancelled"],
    "order": ["input", "as completed", "recorded", "failures"],
    "halt_on": ["failures", "successes", "ends"],
    "topic": ["jobs", "job detail", "workers", "status"],
    "steering": ["pause", "resume", "cancel", "close", "forget", "retry"],
    "waiting_for": ["nothing", "reader", "slow task", "workers", "producer", "paused"],
    "code": ["none", "usage", "malformed input", "unknown function", "bad arguments", "protocol", "version", "limit",
             "unreachable", "system", "function failed", "crashed", "time limit", "worker lost", "cancelled", "conflict",
             "not found"],
}
MESSAGES = {
    # producer → broker
    1: ("ProducerHello", "instance u, attempt u, host s, pid u, user s"),
    2: ("ProducerHeartbeat", "–"),
    3: ("Goodbye", "–"),
    4: ("OpenJob", "key s, options Options"),
    5: ("Submit", "job u, first u, count u, blocks Block*"),
    6: ("CloseJob", "job u, total u"),
    7: ("Gather", "job u, order, cursor u, window_bytes u"),
    8: ("GatherAck", "job u, cursor u"),
    9: ("CancelJob", "job u, grace_ms u"),
    10: ("Ask", "request u, topic, selector s"),
    11: ("Steer", "request u, jobs u*≤4096, action steering, grace_ms u, outcomes u"),
    12: ("Push", "job u, key s, sequence u, count u, blocks Block*"),
    # worker → broker
    31: ("WorkerHello", "instance u, attempt u, name s, host s, pid u, slots u, offers Offer*, credit Credit, "
                        "claims Claim*, labels Label*≤64, version s"),
    32: ("WorkerHeartbeat", "credit Credit, leases_seen u, reports_sent u, held_count u, held_digest u, running Running*, "
                            "draining b, list_attached b, held Token*, number u"),
    33: ("Goodbye", "–"),
    34: ("Results", "report u, job u, token Token, first u, count u, outcome, values_bytes u, run_ns u, credit Credit"),
    35: ("Returned", "report u, job u, token Token, ranges Range*, unbound b, recall u, credit Credit"),
    # broker → producer
    61: ("ProducerWelcome", "instance u, attempt u, heartbeat_ms u"),
    62: ("JobOpened", "key s, job u, next_index u, closed b, credit Credit, accepted_bytes u, signature s≤4096, "
                      "durability s, tuples_digest u"),
    63: ("Accepted", "job u, next_index u, closed b, credit Credit"),
    64: ("Rows", "job u, position u, next u, batch_first u, batch_count u, first u, count u, outcome, dead_lettered b, "
                 "token Token, attempt u, worker s≤513, values_bytes u, run_ns u, tuples_bytes u, tuples_skip u, round u"),
    65: ("JobStatus", "job u, counts Counts, workers u, slots u, waiting_for, waiting_index u"),
    66: ("JobEvent", "job u, index u, outcome, attempt u, limit u, worker s≤513"),
    67: ("JobEnded", "job u, counts Counts, halted s≤8192, rounds u"),
    68: ("Refused", "key s, job u, code, message s≤8192, request u"),
    69: ("HeartbeatReply", "list_wanted b, number u, full b"),
    70: ("UnknownSession", "–"),
    71: ("Answer", "request u"),
    72: ("RowsEnded", "job u, cursor u, counts Counts"),
    73: ("Pushed", "job u, key s, sequence u, next_index u, room Credit, tasks u"),
    # broker → worker
    91: ("WorkerWelcome", "instance u, attempt u, heartbeat_ms u, lease_ms u, keep Token*"),
    92: ("Lease", "lease u, job u, token Token, first u, count u, skip u, attempt u, blocks Block*, spec Spec*"),
    93: ("ReportsTaken", "report u"),
    94: ("Recall", "recall u, job u, count u"),
    95: ("StopJob", "job u, grace_ms u"),
    96: ("HeartbeatReply", "list_wanted b, number u, full b"),
    97: ("UnknownSession", "–"),
    98: ("Refused", "key s, job u, code, message s≤8192, request u"),
}
FRAMES = {  # of the executor protocol
    1: ("Hello", "version u, uses_page b, offers Offer*"),
    2: ("Done", "position u, count u, outcome, values_bytes u, run_ns u, blob"),
    3: ("Stopped", "position u"),
    16: ("Bind", "job u, spec Spec"),
    17: ("Work", "job u, position u, first u, count u, skip u, token Token, attempt u, blob"),
    18: ("Forget", "job u"),
}


class Malformed(Exception):
    """Bytes from the other side that the page does not allow."""


class Fields(dict):
    __getattr__ = dict.__getitem__


Field = collections.namedtuple("Field", "name kind many limit each")


def read_schema(text):
    """"a u, b Block*, outcome" as a list of Field; a word alone is an enumeration or the blob."""
    fields = []
    for word in [] if text == "–" else text.split(", "):
        name, kind, many, limit, unit, each = re.fullmatch(
            r"(\w+)(?: (\w+)(\*?))?(?:≤(\d+)( KiB)?)?( each)?", word).groups()
        fields.append(Field(name, kind or name, bool(many), int(limit) << (10 if unit else 0) if limit else None, bool(each)))
    return fields


PART_FIELDS = {name: read_schema(text) for name, text in PARTS.items()}
MESSAGE_FIELDS = {number: (name, read_schema(text)) for number, (name, text) in MESSAGES.items()}
FRAME_FIELDS = {number: (name, read_schema(text)) for number, (name, text) in FRAMES.items()}
SENT_BY = {role: {MESSAGES[n][0]: n for n in numbers if n in MESSAGES}
           for role, numbers in (("producer", range(1, 31)), ("worker", range(31, 61)))}


def default_of(field):
    if field.many:
        return []
    if field.kind in PART_FIELDS:
        return Fields((f.name, default_of(f)) for f in PART_FIELDS[field.kind])
    return {"s": "", "b": False, "blob": b""}.get(field.kind, 0)


def plain(fields, values):
    """The array of these fields; what `values` does not name has its default."""
    unknown = set(values) - {f.name for f in fields}
    if unknown:
        raise TypeError("no such field: %s" % ", ".join(sorted(unknown)))

    def one(field, value):
        return plain(PART_FIELDS[field.kind], value) if field.kind in PART_FIELDS else value

    array = []
    for field in fields:
        value = values[field.name] if field.name in values else default_of(field)
        array.append([one(field, v) for v in value] if field.many else one(field, value))
    return array


def checked(field, value):
    kind = field.kind
    if kind in PART_FIELDS:
        return named(PART_FIELDS[kind], value)
    if kind == "s":
        fits = isinstance(value, str) and len(value.encode()) <= (field.limit if field.limit and (field.each or not field.many) else TEXT_BYTES)
    elif kind == "b":
        fits = isinstance(value, bool)
    elif kind == "blob":
        fits = isinstance(value, bytes)
    elif kind == "i":
        fits = type(value) is int and -1 << 63 <= value < 1 << 63
    else:
        top = len(ENUMERATIONS[kind]) if kind in ENUMERATIONS else 1 << 64
        fits = type(value) is int and 0 <= value < top
    if not fits:
        raise Malformed("%s: %r" % (field.name, value))
    return value


def named(fields, array):
    """The Fields of an array: what it lacks has its default, what it has beyond is passed over."""
    if not isinstance(array, list):
        raise Malformed("not an array: %r" % (array,))
    found = Fields()
    for position, field in enumerate(fields):
        if position >= len(array):
            found[field.name] = default_of(field)
        elif field.many:
            many = array[position]
            if not isinstance(many, list) or (field.limit and not field.each and len(many) > field.limit):
                raise Malformed(field.name)
            found[field.name] = [checked(field, value) for value in many]
        else:
            found[field.name] = checked(field, array[position])
    return found


def unpack(data):
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except ValueError as error:
        raise Malformed(str(error)) from None


def encode_header(number, session, values):
    return msgpack.packb([VERSION, number, session] + plain(MESSAGE_FIELDS[number][1], values))


def decode_header(data):
    """(number, name, session, Fields)."""
    array = unpack(data)
    if not isinstance(array, list) or len(array) < 3 or array[0] != VERSION or array[1] not in MESSAGE_FIELDS:
        raise Malformed("no message of version %d: %r" % (VERSION, array))
    name, fields = MESSAGE_FIELDS[array[1]]
    return array[1], name, array[2], named(fields, array[3:])


def encode_frame(number, values):
    body = msgpack.packb([number] + plain(FRAME_FIELDS[number][1], values))
    return struct.pack(">I", len(body)) + body


def decode_frame(body):
    """(name, Fields) of a frame without its length. A blob is the last element, whatever stands before it."""
    array = unpack(body)
    name, fields = FRAME_FIELDS[array[0]]
    array = array[1:]
    if fields[-1].kind == "blob":
        array = array[: len(fields) - 1] + array[-1:]
    return name, named(fields, array)


# ---- blobs ----
def pack_tuple(values):
    return msgpack.packb(values)


def tuples_of(blob, skip, count):
    """`count` tuples behind the first `skip` of a blob."""
    reader = msgpack.Unpacker(strict_map_key=False, max_buffer_size=BLOB_BYTES)
    reader.feed(blob)
    for _ in range(skip):
        reader.skip()
    return [reader.unpack() for _ in range(count)]


def values_of(blob):
    reader = msgpack.Unpacker(strict_map_key=False, max_buffer_size=BLOB_BYTES)
    reader.feed(blob)
    return list(reader)


def encode_columns(start_unix_us, run_ns=None, outputs=None, failures=None, slot=None):
    return msgpack.packb([start_unix_us, run_ns, outputs, failures, slot])


def decode_columns(data):
    """Fields of the array behind the values; all of them None if there is none."""
    array = unpack(data) if data else []
    return Fields(zip(("start_unix_us", "run_ns", "outputs", "failures", "slot"), array + [None] * 5))


class Failure(collections.namedtuple("Failure", "code message exit_code signal tuple")):
    """What went wrong with one task. exit_code -1: it did not exit; signal 0: none."""


def chunk(tuples):
    """(blocks, blob) of packed tuples, at most 256 to a block."""
    blocks = []
    for first in range(0, len(tuples), 256):
        block = tuples[first:first + 256]
        blocks.append(Fields(tuples=len(block), bytes=sum(map(len, block))))
    return blocks, b"".join(tuples)


def digest(token):
    """Of a lease's token, for heartbeats."""
    mask = (1 << 64) - 1
    x = (token.counter + (token.epoch << 40) + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & mask
    return x ^ x >> 31


def part_header(still_to_come):
    return b"\xc1part" + struct.pack(">Q", still_to_come)


# ---- a connection ----
class Connection:
    """One DEALER for one session; who wants another session makes another one. `where`: an endpoint or a join file."""

    def __init__(self, where, role):
        self.role = role
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        endpoint = str(where)
        if "://" not in endpoint:
            with open(where) as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise ValueError("others may read the keys in %s" % where)
                join = dict(line.rstrip("\n").split(" ", 1) for line in file if " " in line)
            if join["role"] != role:
                raise ValueError("%s is for a %s, not for a %s" % (where, join["role"], role))
            endpoint = join["broker"]
            self.socket.curve_serverkey = join["broker-key"].encode()
            self.socket.curve_publickey = join["public-key"].encode()
            self.socket.curve_secretkey = join["secret-key"].encode()
        self.socket.connect(endpoint)
        self.series, self.missing = [], 0  # parts of a long blob; how much of it is still to come, None after a gap

    def send(self, name, session, values, blob=b""):
        """A socket without its broker would wait for ever. What does not go is lost, which the silence that follows tells."""
        number = SENT_BY[self.role][name]
        left = memoryview(blob)
        try:
            while len(left) > PART_BYTES:
                self.socket.send_multipart([part_header(len(left)), left[:PART_BYTES]], zmq.NOBLOCK)
                left = left[PART_BYTES:]
            self.socket.send_multipart([encode_header(number, session, values), left], zmq.NOBLOCK)
        except zmq.Again:
            pass

    def receive(self, timeout):
        """(name, session, Fields, blob) of the next message, or None if none comes within `timeout` seconds."""
        while self.socket.poll(max(0, int(timeout * 1000))):
            frames = self.socket.recv_multipart()
            if len(frames) != 2:
                raise Malformed("%d frames" % len(frames))
            header, blob = frames
            if header.startswith(b"\xc1part"):
                total = struct.unpack(">Q", header[5:])[0]
                if self.series and total != self.missing:
                    self.missing = None
                self.series.append(blob)
                self.missing = None if self.missing is None else total - len(blob)
                continue
            if self.series:
                series, missing = self.series, self.missing
                self.series, self.missing = [], 0
                if len(blob) != missing:
                    continue  # dropped with its message
                blob = b"".join(series + [blob])
            _, name, session, fields = decode_header(header)
            return name, session, fields, blob
        return None

    def close(self):
        self.socket.close()
