"""What a stranger on the network reads: all bytes of the broker's port, recorded by a proxy between it and everybody else."""
import json
import secrets
import select
import socket
import threading
import unittest

from harness import BIN, FanmillTest, wait_until


class Recorder:
    """Passes connections on to `target` (set before the first one), and keeps what went by."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.target = None
        self.up, self.down = bytearray(), bytearray()
        self.ended, self.sockets = False, []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while not self.ended:
            ready, _, _ = select.select([self.listener], [], [], 0.1)
            if not ready:
                continue
            near, _ = self.listener.accept()
            try:
                far = socket.create_connection(self.target)
            except OSError:  # the broker has ended
                near.close()
                continue
            self.sockets += [near, far]
            for source, sink, kept in ((near, far, self.up), (far, near, self.down)):
                self.threads.append(threading.Thread(target=self._pass_on, args=(source, sink, kept), daemon=True))
                self.threads[-1].start()

    @staticmethod
    def _pass_on(source, sink, kept):
        try:
            while piece := source.recv(1 << 16):
                kept += piece
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.ended = True
        for thread in self.threads:
            thread.join(10)
        for one in (self.listener, *self.sockets):
            one.close()


class Capture(FanmillTest):
    def setUp(self):
        super().setUp()
        self.recorder = Recorder()
        self.addCleanup(self.recorder.close)

    def assert_not_told(self, told, text, piece=12):
        """No `piece` bytes of the text stand anywhere in what went by."""
        for at in range(0, max(1, len(text) - piece + 1)):
            self.assertNotIn(text[at:at + piece].encode(), told)

    def test_no_tuple_and_no_result_is_readable(self):
        broker = self.start(BIN / "fanmill-broker", "--listen", "tcp://127.0.0.1:0", "--advertise", self.recorder.address, "--keys", "keys")
        port = int(broker.wait_for_stderr(r"listening on tcp://127.0.0.1:(\d+)").group(1))
        self.recorder.target = ("127.0.0.1", port)
        broker.wait_for_stderr("results are kept")
        worker = self.start(BIN / "fanmill-worker", "--broker", "keys/worker.join", "--slots", "1", "--allow-exec",
                            "--name", "secretive-worker-name")
        worker.wait_for_stderr("connected to " + self.recorder.address)
        marker, printed = secrets.token_hex(100), secrets.token_hex(40)
        long = marker * 3000  # in parts
        lines = [json.dumps(text) for text in [marker] * 50 + [long]]
        source = self.write("in.jsonl", "\n".join(lines) + "\n")
        run = self.run_fanmill("map", "--broker", "keys/producer.join", "identity", source)
        self.assertEqual(run.out().splitlines(), lines)
        run = self.run_fanmill("exec", "--broker", "keys/producer.join", "--shell", "echo %s; echo %s >&2; exit {}" % (printed, printed),
                               ":::", "0", "1", code=1)
        self.assertIn(printed, run.out())
        for side in (self.recorder.up, self.recorder.down):
            # To the broker: the tuples and the results; from it, the same.
            wait_until(lambda: len(side) > 2 * len(long), "all of it to go by")
            told = bytes(side)
            self.assertIn(b"CURVE", told)  # what is said before the keys are used: the recording works
            for text in (marker, printed, "secretive-worker-name", "sleep_print", "identity"):
                self.assert_not_told(told, text)


if __name__ == "__main__":
    unittest.main()
