"""A broker over ipc or CURVE TCP, and who works for it: fanmill's own worker, the Python worker, the Python executor."""
import pathlib
import signal
import sys
import threading

from harness import BIN, FanmillTest, wait_until

HERE = pathlib.Path(__file__).parent


class Mill(FanmillTest):
    def setUp(self):
        super().setUp()
        self.inside = []
        self.env["PYTHONDONTWRITEBYTECODE"] = "1"
        self.listen()

    def tearDown(self):
        """The broker ends last: who drains wants its last reports taken."""
        for one in self.inside:
            one.leave()
        for program in self.programs:
            if program is not self.broker and program.running():
                program.signal(signal.SIGTERM)
        for program in self.programs:
            if program is not self.broker:
                program.wait()
        super().tearDown()

    def start_broker(self, endpoint, *options):
        self.broker = self.start(BIN / "fanmill-broker", "--listen", endpoint, *options)
        self.broker.wait_for_stderr("results are kept")

    def real_worker(self, name, *options, slots=2):
        return self.start(BIN / "fanmill-worker", "--broker", self.for_worker, "--slots", str(slots), "--name", name, *options)

    def python_worker(self, name):
        return self.start(sys.executable, HERE / "worker.py", self.for_worker, name)

    def executor(self, *options, patch=""):
        """A program that is the Python executor, with these options, and with lines of Python run before it."""
        path = self.dir / ("executor-%d" % len(list(self.dir.glob("executor-*"))))
        path.write_text("#!%s\nimport sys\nsys.path.insert(0, %r)\nimport executor\n%s\n"
                        "try:\n    executor.Executor(%s).run()\nexcept (executor.Stop, ConnectionError):\n    pass\n"
                        % (sys.executable, str(HERE), patch, "--no-page" not in options))
        path.chmod(0o755)
        return path

    def map(self, *arguments, **options):
        return self.fanmill("map", "--broker", self.for_producer, *arguments, **options)

    def mapped(self, *arguments, code=0, deadline=60, **options):
        run = self.map("--format", "jsonl", "--wait-workers", "30s", *arguments, **options).wait(deadline)
        self.assertEqual(run.code, code, run)
        return self.rows(run)

    def workers_of(self, rows):
        return {row["worker"].split("@")[0] for row in rows.values()}


class Ipc:
    def listen(self):
        self.for_worker = self.for_producer = "ipc://%s/broker" % self.dir
        self.start_broker(self.for_worker)


class Tcp:
    """CURVE, with the keys that the broker makes."""

    def listen(self):
        self.start_broker("tcp://127.0.0.1:0", "--keys", str(self.dir / "keys"))
        self.for_worker, self.for_producer = str(self.dir / "keys" / "worker.join"), str(self.dir / "keys" / "producer.join")


class InThread:
    """A Python worker in a thread of the test, so that the test can look into it and lose its messages."""

    def __init__(self, test, name):
        import worker
        self.worker = worker.Worker(test.for_worker, name)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.error = None
        self.thread.start()
        wait_until(lambda: self.worker.session or self.error, "a welcome")
        test.inside.append(self)

    def _run(self):
        try:
            self.worker.run()
        except BaseException as error:  # told by leave()
            self.error = error

    def leave(self):
        self.worker.drain()
        self.thread.join(30)
        if self.error or self.thread.is_alive():
            raise AssertionError("the Python worker did not leave: %r" % self.error)
