"""The little of ZMTP 3.0 (RFC 23) that it takes to speak to fanmill over ipc without a library: NULL mechanism, DEALER and ROUTER."""
import os
import socket
import struct

COMMAND, MORE, LONG = 4, 1, 2


class Connection:
    """One end of a connection. Messages are lists of frames."""

    def __init__(self, connected, kind, as_server=False):
        self.socket = connected
        self.socket.settimeout(30)
        self.socket.sendall(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes([as_server]) + bytes(31))
        greeting = self.exactly(64)
        assert greeting[:1] == b"\xff" and greeting[9:10] == b"\x7f" and greeting[12:16] == b"NULL", greeting
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind.encode()
        self.socket.sendall(bytes([COMMAND, len(ready)]) + ready)
        flags, body = self.frame()
        assert flags & COMMAND and body.startswith(b"\x05READY"), body

    def exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError("the connection was closed")
            data += piece
        return data

    def frame(self):
        flags = self.exactly(1)[0]
        size = struct.unpack(">Q", self.exactly(8))[0] if flags & LONG else self.exactly(1)[0]
        return flags, self.exactly(size)

    def receive(self):
        frames = []
        while True:
            flags, body = self.frame()
            if flags & COMMAND:
                continue
            frames.append(body)
            if not flags & MORE:
                return frames

    def send(self, *frames):
        data = b""
        for i, body in enumerate(frames):
            more = MORE if i + 1 < len(frames) else 0
            data += bytes([more | LONG]) + struct.pack(">Q", len(body)) + body
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


def connect(path):
    """A DEALER at ipc://path."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(path))
    return Connection(connected, "DEALER")


class Listener:
    """Whoever connects to ipc://path meets a ROUTER."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        os.chmod(path, 0o600)
        self.socket.listen()
        self.socket.settimeout(30)

    def accept(self):
        while True:
            connected = self.socket.accept()[0]
            try:
                return Connection(connected, "ROUTER", as_server=True)
            except (EOFError, ConnectionError):  # somebody only looked whether anybody is here
                connected.close()

    def close(self):
        self.socket.close()
