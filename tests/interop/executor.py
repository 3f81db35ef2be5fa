#!/usr/bin/python3
"""An executor in Python, from section 2 of proto/PROTOCOL.md alone: the agent starts it, once per slot.

    fanmill worker --broker worker.join --executor ./executor.py

Descriptor 3 is a stream of frames to and from the agent, descriptor 4 a page shared with it, in which the executor says
which task it runs and reads how far it may go. `--no-page` leaves the page alone: then the agent gives one task at a time.
"""
import collections
import contextlib
import ctypes
import io
import mmap
import os
import signal
import socket
import struct
import sys
import time

import wire

REPORT_NS = 1_000_000  # at the latest after so much work
SUCCEEDED, FAILED = 0, 1
FUNCTION_FAILED = 10  # the code of its failures


class Stop(Exception):
    """The socket ended, and so does the executor."""


# ---- what it can do: name -> (signature, function) ----
def say(text, count=1):
    for _ in range(count):
        print(text)
    return len(text)


def nap(seconds, value=None):
    time.sleep(seconds)
    return value


def die(number, *numbers):
    """Kills its own process at the first number that equals one of the others."""
    if number in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


FUNCTIONS = {
    "square": ("(x: int) -> int", lambda x: x * x),
    "identity": ("(...) -> any", lambda *values: values[0]),
    "sleep": ("(seconds: float) -> null", time.sleep),
    "tail": ("(text: str, size: int = 1) -> str", lambda text, size=1: text[-size:]),
    "say": ("(text: str, count: int = 1) -> int", say),
    "nap": ("(seconds: float, value: any = null) -> any", nap),
    "die": ("(...) -> any", die),
    "pid": ("(...) -> int", lambda *_: os.getpid()),
}


def call(function, values):
    """(outcome, value or Failure, what it printed, nanoseconds) of one task."""
    printed = io.StringIO()
    begin = time.monotonic_ns()
    try:
        with contextlib.redirect_stdout(printed):
            value = FUNCTIONS[function][1](**values) if isinstance(values, dict) else FUNCTIONS[function][1](*values)
        result = SUCCEEDED, wire.pack_tuple(value)
    except Exception as error:
        result = FAILED, wire.Failure(FUNCTION_FAILED, "%s: %s" % (type(error).__name__, error), -1, 0, b"")
    return result + (printed.getvalue().encode(), time.monotonic_ns() - begin)


class Batch:
    """Tasks one behind the other that ended alike, until they are reported together."""

    def __init__(self, first):
        self.first, self.count, self.outcome, self.run_ns = first, 0, None, 0
        self.values, self.times, self.outputs, self.failures = [], [], [], []
        self.start_unix_us = time.time_ns() // 1000

    def add(self, outcome, result, printed, run_ns):
        if printed:
            self.outputs.append([self.count, printed, b""])
        (self.values if outcome == SUCCEEDED else self.failures).append(result)
        self.outcome, self.count, self.run_ns = outcome, self.count + 1, self.run_ns + run_ns
        self.times.append(run_ns)

    def blob(self):
        """(values_bytes, the blob of 1.8)."""
        values = b"".join(self.values)
        return len(values), values + wire.encode_columns(
            self.start_unix_us, self.times, self.outputs or None, self.failures or None)


# ---- the page ----
class Page:
    """Its fields, each access atomic and sequentially consistent: libatomic has that for whoever can call C."""

    SEQ_CST = 5

    def __init__(self, descriptor):
        self.map = mmap.mmap(descriptor, 4096)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        atomic = ctypes.CDLL("libatomic.so.1")
        self.load_8, self.store_8 = getattr(atomic, "__atomic_load_8"), getattr(atomic, "__atomic_store_8")
        self.load_8.restype = ctypes.c_uint64
        self.load_8.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self.store_8.restype = None
        self.store_8.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]

    def started(self, value):
        self.store_8(self.address, value, self.SEQ_CST)

    def finished(self, value):
        self.store_8(self.address + 8, value, self.SEQ_CST)

    def end(self):
        return self.load_8(self.address + 16, self.SEQ_CST)


class NoPage:
    def started(self, value):
        pass

    finished = started

    def end(self):
        return 1 << 64


# ---- the executor ----
class Executor:
    def __init__(self, uses_page):
        self.socket = socket.socket(fileno=3)
        self.page = Page(4) if uses_page else NoPage()
        self.specs = {}  # of the jobs that are bound
        # (position, job, tuple) of one Work: the next is read when it is empty, for a Done must not span two.
        self.queue = collections.deque()
        self.batch = None
        self.deaf = False  # it said Stopped: every Work is passed over until the next Bind
        self.send(1, version=1, uses_page=uses_page, offers=[dict(name=n, signature=s) for n, (s, _) in FUNCTIONS.items()])

    def send(self, number, **fields):
        self.socket.sendall(wire.encode_frame(number, fields))

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise Stop
            data += piece
        return data

    def take_frame(self):
        name, fields = wire.decode_frame(self.read(struct.unpack(">I", self.read(4))[0]))
        if name == "Bind":
            self.specs[fields.job] = fields.spec
            self.deaf = False
        elif name == "Forget":
            self.specs.pop(fields.job, None)
        elif name == "Work" and not self.deaf:
            for i, values in enumerate(wire.tuples_of(fields.blob, fields.skip, fields.count)):
                self.queue.append((fields.position + i, fields.job, values))

    def report(self):
        if self.batch and self.batch.count:
            values_bytes, blob = self.batch.blob()
            self.send(2, position=self.batch.first, count=self.batch.count, outcome=self.batch.outcome,
                      values_bytes=values_bytes, run_ns=self.batch.run_ns, blob=blob)
        self.batch = None

    def stop_at(self, position):
        self.report()
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1, socket.MSG_PEEK):
                self.socket.setblocking(True)
                self.take_frame()
                self.socket.setblocking(False)
        except BlockingIOError:
            pass
        self.socket.setblocking(True)
        self.queue.clear()
        self.specs.clear()
        self.deaf = True
        self.send(3, position=position)

    def run_one(self):
        position, job, values = self.queue.popleft()
        self.page.started(position + 1)
        if self.page.end() <= position:
            self.page.started(position)
            self.stop_at(position)
            return
        result = call(self.specs[job].function, values)
        self.page.finished(position + 1)
        if self.batch and self.batch.outcome != result[0]:
            self.report()
        self.batch = self.batch or Batch(position)
        self.batch.add(*result)
        if not self.queue or self.batch.run_ns >= REPORT_NS:
            self.report()

    def run(self):
        while True:
            if not self.queue:
                self.take_frame()
            else:
                self.run_one()


if __name__ == "__main__":
    try:
        Executor(uses_page="--no-page" not in sys.argv).run()
    except (Stop, ConnectionError, BrokenPipeError):
        pass
