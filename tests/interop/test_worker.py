"""The Python worker at a real broker, under the real command line and the Python client."""
import signal
import time
import unittest

import client
import wire
from harness import wait_until
from mill import InThread, Ipc, Mill, Tcp

COUNT = 100_000
NUMBERS = "".join("%d\n" % i for i in range(COUNT))
FEW = "".join("%d\n" % i for i in range(10_000))


class Worker:
    def connect(self):
        made = client.Client(self.for_producer)
        self.addCleanup(made.connection.close)
        return made

    def test_the_real_command_line_maps_over_it(self):
        self.python_worker("python")
        rows = self.mapped("square", "-", stdin=NUMBERS)
        self.assertEqual([row["value"] for row in rows.values()], [i * i for i in range(COUNT)])
        self.assertEqual(self.workers_of(rows), {"python"})

    def test_failures_output_and_named_parameters(self):
        self.python_worker("python")
        rows = self.mapped("tail", "-", stdin='{"size": 2, "text": "abc"}\n["xyz"]\n')
        self.assertEqual([row["value"] for row in rows.values()], ["bc", "z"])
        rows = self.mapped("identity", "-", code=1, stdin="[]\n[1]\n")
        self.assertEqual([row["status"] for row in rows.values()], ["failed", "succeeded"])
        self.assertEqual(rows[0]["error"], "IndexError: tuple index out of range")
        rows = self.mapped("say", ":::", "a", "b")
        self.assertEqual([(row["value"], row["stdout"]) for row in rows.values()], [(1, "a\n"), (1, "b\n")])

    def test_a_long_task_keeps_its_lease_by_heartbeats(self):
        inside = InThread(self, "inside")
        rows = self.mapped("nap", "-", stdin="[7.0, 1]\n")  # the lease is 6 s
        self.assertEqual([(row["value"], row["attempt"]) for row in rows.values()], [(1, 1)])
        self.assertEqual(inside.worker.lists, 0)  # count and digest were as the broker had them
        self.assertGreaterEqual(inside.worker.beats, 3)

    def test_unstarted_tasks_are_recalled_for_a_worker_that_comes_later(self):
        first = InThread(self, "first")
        # Quick ones first, so that many of the slow ones travel in one lease.
        run = self.map("--format", "jsonl", "nap", "-", stdin="[0]\n" * 20_000 + "[0.2]\n" * 20)
        wait_until(lambda: first.worker.leased.tasks == 20_020, "everything leased to the first")
        self.python_worker("second")
        run.wait(60)
        self.assertEqual(run.code, 0, run)
        rows = self.rows(run)
        self.assertEqual((len(rows), self.workers_of(rows)), (20_020, {"first", "second"}))
        self.assertEqual({row["attempt"] for row in rows.values()}, {1})
        self.assertGreater(first.worker.recalls, 0)

    def test_a_drained_worker_loses_and_repeats_nothing(self):
        leaving = self.python_worker("leaving")
        run = self.map("--format", "jsonl", "--wait-workers", "30s", "nap", "-", stdin="[0.02]\n" * 100)
        run.wait_for_lines(5)
        leaving.signal(signal.SIGTERM)
        self.assertEqual(leaving.wait().code, 0, leaving)
        self.python_worker("staying")
        run.wait(60)
        rows = self.rows(run)
        self.assertEqual((run.code, len(rows), self.workers_of(rows)), (0, 100, {"leaving", "staying"}), run)
        self.assertEqual({row["attempt"] for row in rows.values()}, {1})

    def test_a_stopped_job_gives_way_to_the_next(self):
        inside = InThread(self, "inside")
        mill = self.connect()
        job = mill.open("stopped", "nap")
        rows = []
        for row in job.run([(0, i) for i in range(3)] + [(0.5, i) for i in range(1000)]):
            rows.append(row)
            if len(rows) == 3:
                job.cancel(grace_ms=0)
        self.assertEqual((len(rows), job.counts.accepted), (1003, 1003))
        self.assertGreater(job.counts.cancelled, 990)
        begin = time.monotonic()
        rows = self.mapped("square", ":::", "3")
        self.assertEqual(rows[0]["value"], 9)
        self.assertLess(time.monotonic() - begin, 30)
        wait_until(lambda: not inside.worker.leases and not inside.worker.reports, "everything reported and taken")
        mill.goodbye()

    def test_reports_that_are_lost_are_sent_again(self):
        inside = InThread(self, "inside")
        send, lost = inside.worker.connection.send, []

        def lossy(name, session, values, blob=b""):
            if name == "Results" and values["report"] in (2, 4, 6) and values["report"] not in lost:
                lost.append(values["report"])
                return
            send(name, session, values, blob)

        inside.worker.connection.send = lossy
        rows = self.mapped("square", "-", stdin=FEW)
        self.assertEqual([row["value"] for row in rows.values()], [i * i for i in range(len(rows))])
        self.assertEqual(lost, [2, 4, 6])

    def test_a_lease_that_is_lost_returns_by_the_digest_and_the_list(self):
        inside = InThread(self, "inside")
        receive, lost = inside.worker.connection.receive, []

        def lossy(timeout):
            message = receive(timeout)
            if message and message[0] == "Lease" and message[2].lease == 2:
                lost.append(message[2].token)
                return receive(timeout)
            return message

        inside.worker.connection.receive = lossy
        rows = self.mapped("square", "-", stdin=FEW)
        self.assertEqual([row["value"] for row in rows.values()], [i * i for i in range(len(rows))])
        self.assertEqual({row["attempt"] for row in rows.values()}, {1})
        self.assertEqual(len(lost), 1)
        self.assertGreater(inside.worker.lists, 0)

    def test_another_connection_claims_what_it_holds(self):
        inside = InThread(self, "inside")
        run = self.map("--format", "jsonl", "nap", "-", stdin="[0.02]\n" * 200)
        for lines in (20, 60, 100):
            run.wait_for_lines(lines)
            inside.worker.lose_connection = True
        run.wait(60)
        rows = self.rows(run)
        self.assertEqual((run.code, len(rows)), (0, 200), run)
        self.assertEqual({row["attempt"] for row in rows.values()}, {1})
        self.assertGreater(inside.worker.attempt, 3)

    def test_long_values_travel_in_parts(self):
        self.python_worker("python")
        mill = self.connect()
        job = mill.open("long", "identity", wait_workers_ms=30_000)
        sizes = [wire.PART_BYTES, 3_000_000, 10]
        self.assertEqual([row.value for row in job.run((b"x" * size,) for size in sizes)], [b"x" * size for size in sizes])
        mill.goodbye()


class WorkerOverIpc(Worker, Ipc, Mill):
    pass


class WorkerOverTcp(Worker, Tcp, Mill):
    pass


if __name__ == "__main__":
    unittest.main()
