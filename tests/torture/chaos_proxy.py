#!/usr/bin/env python3
"""A TCP proxy that misbehaves as networks do: it delays, stalls, resets, and leaves connections open on one side alone.

    chaos_proxy.py HOST:PORT [--listen HOST:PORT]

By hand it reads faults from stdin, a line each: delay SECONDS, stall SECONDS, reset, half-open, calm. Tests start it as
ChaosProxy, whose methods have these names. A fault concerns the connections that there are when it begins; delay and
stall also those that come while they last.
"""
import argparse
import asyncio
import contextlib
import random
import socket
import struct
import sys
import threading

PIECE = 1 << 16
HELD_MAX = 1 << 22  # bytes of one direction that are under way; beyond, nothing more is read


class Connection:
    """Two sockets, and a pump for each direction."""

    def __init__(self, proxy, client, server):
        self.proxy, self.ends = proxy, (client, server)  # (reader, writer) each
        self.silent = False  # nothing is passed on any more, and nobody is told
        self.pumps = [asyncio.ensure_future(self._pump(client, server)), asyncio.ensure_future(self._pump(server, client))]

    async def _pump(self, source, sink):
        """Passes pieces on in order, each when it is due."""
        under_way = asyncio.Queue(HELD_MAX // PIECE)
        sender = asyncio.ensure_future(self._send(under_way, sink))
        try:
            while piece := await source[0].read(PIECE):
                await under_way.put((self.proxy.now() + self.proxy.delay_of(self.proxy.chance), piece))
            await under_way.put((0, b""))
            await sender
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            sender.cancel()

    async def _send(self, under_way, sink):
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(max(0.0, due - self.proxy.now()))
            while self.proxy.stalled_until > self.proxy.now():
                await asyncio.sleep(self.proxy.stalled_until - self.proxy.now())
            if self.silent:
                continue
            try:
                if not piece:
                    sink[1].write_eof()
                    return
                sink[1].write(piece)
                await sink[1].drain()
            except OSError:
                return

    async def run(self):
        await asyncio.gather(*self.pumps, return_exceptions=True)
        for end in self.ends:
            if not self.silent:
                self._close(end, reset=False)

    def reset(self, which=(0, 1)):
        """As after a crash of a host between: RST."""
        for i in which:
            self._close(self.ends[i], reset=True)

    def half_open(self, survivor):
        """One end is reset; the other one keeps a connection to nobody."""
        self.silent = True
        self.reset((1 - survivor,))

    @staticmethod
    def _close(end, reset):
        writer = end[1]
        with contextlib.suppress(OSError):
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


class ChaosProxy:
    """Runs in a thread of its own; its methods may be called from any other."""

    def __init__(self, target, listen=("127.0.0.1", 0), seed=0):
        self.target, self.chance = target, random.Random(seed)
        self.connections = set()
        self.stalled_until, self.delayed_until, self.delay_max = 0.0, 0.0, 0.0
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self._accept, *listen))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def now(self):
        return self.loop.time()

    def delay_of(self, chance):
        return chance.uniform(0, self.delay_max) if self.delayed_until > self.now() else 0.0

    async def _accept(self, reader, writer):
        try:
            server = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        connection = Connection(self, (reader, writer), server)
        self.connections.add(connection)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of everything
            await connection.run()
        self.connections.discard(connection)

    def _do(self, function):
        async def called():
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(10)

    # ---- faults; each returns how many connections it met ----
    def delay(self, seconds, longest=0.5):
        """Every piece is late by up to `longest`, for so long."""
        def begin():
            self.delayed_until, self.delay_max = self.now() + seconds, longest
            return len(self.connections)

        return self._do(begin)

    def stall(self, seconds):
        """Nothing is passed on for so long; nothing is lost."""
        def begin():
            self.stalled_until = self.now() + seconds
            return len(self.connections)

        return self._do(begin)

    def reset(self, share=1.0):
        """Of a share of the connections."""
        def cut():
            met = [c for c in self.connections if not c.silent and self.chance.random() < share]
            for connection in met:
                connection.reset()
            return len(met)

        return self._do(cut)

    def half_open(self, share=1.0):
        """Of a share of the connections one side stays open, to nobody: now the broker's, now the other's."""
        def cut():
            met = [c for c in self.connections if not c.silent and self.chance.random() < share]
            for connection in met:
                connection.half_open(self.chance.randrange(2))
            return len(met)

        return self._do(cut)

    def calm(self):
        def end():
            self.stalled_until = self.delayed_until = 0.0
            return len(self.connections)

        return self._do(end)

    def close(self):
        async def end():
            self.server.close()
            for connection in self.connections:
                connection.reset()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=address, metavar="HOST:PORT")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT", help="where (a free port of loopback)")
    options = parser.parse_args()
    proxy = ChaosProxy(options.target, options.listen)
    print("listening on port %d" % proxy.port, flush=True)
    for line in sys.stdin:
        name, *rest = line.split() or [""]
        if name.replace("-", "_") in ("delay", "stall", "reset", "half_open", "calm"):
            print("%s: %d connections" % (name, getattr(proxy, name.replace("-", "_"))(*map(float, rest))), flush=True)
        else:
            print("delay SECONDS, stall SECONDS, reset, half-open, calm", flush=True)
    proxy.close()


if __name__ == "__main__":
    main()
