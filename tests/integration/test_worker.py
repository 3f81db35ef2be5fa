"""fanmill worker as a process: when it leaves by itself, what it tells, and how it and the broker refuse one another."""
import os
import signal
import time
import unittest

import zmtp
from harness import BIN, FanmillTest, wait_until


class WorkerTest(FanmillTest):
    def start_broker(self):
        self.broker = self.start(BIN / "fanmill-broker", "--listen", self.ipc())
        self.broker.wait_for_stderr("results are kept")
        return self.broker

    def ipc(self):
        return "ipc://%s/mill/broker" % self.dir

    def worker(self, *options, slots=1, broker=None):
        return self.start(BIN / "fanmill-worker", "--broker", broker or self.ipc(), "--slots", str(slots), *options)

    def map(self, *arguments, **options):
        return self.fanmill("map", "--broker", self.ipc(), "--format", "jsonl", *arguments, **options)


class Leaving(WorkerTest):
    def test_after_the_idle_timeout_but_not_while_it_works(self):
        self.start_broker()
        run = self.map("sleep", ":::", "1.5")
        worker = self.worker("--idle-timeout", "500ms")
        run.wait()
        self.assertEqual(self.rows(run)[0]["status"], "succeeded")
        worker.wait()
        self.assertEqual(worker.code, 0)
        self.assertGreater(worker.seconds, 2)
        self.assertRegex(worker.err(), r"nothing to do for so long \(--idle-timeout\): leaves")

    def test_before_its_time_is_over_and_without_tasks_that_would_not_end_in_time(self):
        self.start_broker()
        run = self.map("sleep", *(":::", *["0.5"] * 12))
        early = self.worker("--time-limit", "4s", "--name", "early").wait()
        self.assertEqual(early.code, 0)
        self.assertLess(early.seconds, 4.5)
        self.assertRegex(early.err(), r"\(--time-limit\): finishes what runs, gives back the rest")
        self.worker("--name", "late")
        run.wait()
        rows = self.rows(run)
        self.assertEqual({(row["status"], row["attempt"]) for row in rows.values()}, {("succeeded", 1)})
        workers = [row["worker"].split("@")[0] for row in rows.values()]
        self.assertGreaterEqual(workers.count("early"), 4)
        self.assertGreaterEqual(workers.count("late"), 4)

    def test_at_the_end_of_its_time_what_runs_goes_back_uncharged(self):
        self.start_broker()
        run = self.map("sleep", ":::", "3")
        early = self.worker("--time-limit", "1s", "--name", "early").wait()
        self.assertEqual(early.code, 0)
        self.assertLess(early.seconds, 2)
        self.assertRegex(early.err(), r"the time is over \(--time-limit\)")
        self.worker("--name", "late")
        run.wait()
        row = self.rows(run)[0]
        self.assertEqual((row["status"], row["attempt"], row["worker"].split("@")[0]), ("succeeded", 1, "late"))

    def test_at_sigterm_what_runs_ends_and_the_rest_goes_to_others(self):
        self.start_broker()
        run = self.map("sleep", *(":::", *["1"] * 4))
        first = self.worker("--name", "first")
        run.wait_for_lines(1)
        first.signal(signal.SIGTERM)
        first.wait()
        self.assertEqual(first.code, 0)
        for words in ("told to leave: finishes what runs", "drained"):
            self.assertIn(words, first.err())
        self.worker("--name", "second", slots=2)
        run.wait()
        self.assertEqual({(row["status"], row["attempt"]) for row in self.rows(run).values()}, {("succeeded", 1)})

    def test_at_the_second_signal_at_once_and_its_task_runs_elsewhere_without_waiting_for_a_lease(self):
        self.start_broker()
        run = self.map("sleep", ":::", "3")
        first = self.worker("--name", "first")
        wait_until(lambda: self.busy_executors() == 1, "a task that runs")
        for number in (signal.SIGINT, signal.SIGINT):
            first.signal(number)
            wait_until(lambda: not first.running() or "told to leave" in first.err(), "the first signal is noticed")
        first.wait()
        self.assertEqual(first.code, 0)
        self.assertRegex(first.err(), "what ran here was killed, and goes back")
        self.assertEqual(self.processes_named("fanmill-executor"), [])
        second = time.monotonic()
        self.worker("--name", "second")
        run.wait()
        self.assertLess(time.monotonic() - second, 3 + 3)  # a lease is 6 s
        row = self.rows(run)[0]
        self.assertEqual((row["status"], row["attempt"]), ("succeeded", 1))

    def busy_executors(self):
        """Executors that sit in the function `sleep`."""
        def sleeps(pid):
            try:
                with open("/proc/%d/wchan" % pid) as file:
                    return "nanosleep" in file.read()
            except OSError:
                return False
        return sum(sleeps(one.pid) for one in self.processes_named("fanmill-executor"))

    def test_a_line_tells_when_it_is_connected_lost_and_back(self):
        broker = self.start_broker()
        worker = self.worker("--name", "teller", slots=2)
        worker.wait_for_stderr("worker teller with 2 slots connects to ipc:.*\n.*connected to ipc:")
        broker.signal(signal.SIGKILL)
        broker.wait()
        worker.wait_for_stderr("trying again until it works")
        self.start_broker()
        worker.wait_for_stderr("the broker answers again")
        worker.signal(signal.SIGTERM)
        worker.wait()
        self.assertEqual(len(worker.err().splitlines()), 6, worker)

    def test_wrong_use_is_told_in_a_line_and_exits_with_2(self):
        for options, words in ((["--idle-timeout", "soon"], '--idle-timeout: "soon" is no duration'),
                               (["--time-limit", "0"], "--time-limit is at least 1ms"),
                               (["--label", "gpu"], "--label gpu: a label is a name, '=' and a value"),
                               (["--label", "a=1", "--label", "a=2"], "the name 'a' is given twice")):
            run = self.worker(*options).wait()
            self.assertEqual((run.code, len(run.err().splitlines())), (2, 1), run)
            self.assertIn(words, run.err())


# Headers by hand: [version, type, session, …].
HELLO_OF_2 = bytes.fromhex("96 02 1f 00 01 01 a178")     # a worker's, as another version may have it
REFUSED_OF_2 = bytes.fromhex("97 02 62 00 a0 00 06 a36e6f21")


class Versions(WorkerTest):
    def test_a_peer_of_another_version_is_refused_and_the_log_says_who_it_was(self):
        broker = self.start_broker()
        peer = zmtp.connect(self.dir / "mill/broker")
        self.addCleanup(peer.close)
        for _ in range(3):
            peer.send(HELLO_OF_2, b"")
            header, _ = peer.receive()
            # Refused to a worker or a producer, in the broker's version, with code 6.
            self.assertEqual(header[1], 1)
            self.assertIn(header[2], (68, 98))
            self.assertIn(b"wire protocol 2 was spoken where 1 is known", header)
        broker.wait_for_stderr("process %d on this host was refused: .*wire protocol 2 was spoken where 1 is known; "
                               "install the same release of fanmill on both hosts" % os.getpid())
        self.assertEqual(broker.err().count("was refused"), 1, broker)  # however often it comes

    def broker_of_2(self):
        (self.dir / "mill").mkdir(mode=0o700)
        listener = zmtp.Listener(self.dir / "mill/broker")
        self.addCleanup(listener.close)
        return listener

    def test_a_worker_tells_once_of_a_broker_of_another_version_and_goes_on_trying(self):
        listener = self.broker_of_2()
        worker = self.worker()
        for _ in range(3):
            connection = listener.accept()
            self.assertEqual(connection.receive()[0][1:3], b"\x01\x1f")
            self.addCleanup(connection.close)
            connection.send(REFUSED_OF_2, b"")
        worker.wait_for_stderr("the broker at ipc:.*wire protocol 2 was spoken where 1 is known; "
                               "install the same release of fanmill on both hosts; trying again")
        self.assertEqual(worker.err().count("wire protocol"), 1, worker)
        listener.close()

    def test_a_worker_that_is_refused_by_the_broker_says_why(self):
        listener = self.broker_of_2()
        worker = self.worker()
        connection = listener.accept()
        connection.receive()
        connection.send(bytes.fromhex("97 01 62 00 a0 00 07 a9") + b"not today", b"")
        self.addCleanup(connection.close)
        worker.wait_for_stderr("the broker at ipc:.* refused: not today; trying again")


if __name__ == "__main__":
    unittest.main()
