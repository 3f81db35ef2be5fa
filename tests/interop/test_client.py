"""The Python client against a real broker and real workers."""
import os
import pathlib
import time
import unittest

import client
import wire
from mill import Ipc, Mill, Tcp

COUNT = 100_000


class Client:
    def connect(self):
        made = client.Client(self.for_producer)
        self.addCleanup(made.connection.close)
        return made

    def test_a_hundred_thousand_rows_in_input_order(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("ordered", "identity")
        indexes, limits = [], []
        for row in job.run((i,) for i in range(COUNT)):
            self.assertEqual(row.value, row.index)
            indexes.append(row.index)
            limits.append(job.credit.tasks - job.sent)
        self.assertEqual(indexes, list(range(COUNT)))
        self.assertGreaterEqual(min(limits), 0)
        self.assertEqual((job.counts.accepted, job.counts.succeeded), (COUNT, COUNT))
        mill.goodbye()

    def test_as_completed_each_row_comes_once(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("as completed", "identity", order=wire.ENUMERATIONS["order"].index("as completed"))
        rows = [(row.index, row.value) for row in job.run((i,) for i in range(COUNT))]
        self.assertEqual(sorted(rows), [(i, i) for i in range(COUNT)])
        mill.goodbye()

    def test_long_values_travel_in_parts(self):
        self.real_worker("real")
        mill = self.connect()
        sizes = [wire.PART_BYTES - 100, wire.PART_BYTES, wire.PART_BYTES + 1, 3 * wire.PART_BYTES, 5_000_000]
        job = mill.open("long", "identity", rows_with_tuples=True)
        rows = list(job.run((bytes([i]) * size,) for i, size in enumerate(sizes)))
        self.assertEqual([row.value for row in rows], [bytes([i]) * size for i, size in enumerate(sizes)])
        self.assertEqual([row.tuple for row in rows], [[row.value] for row in rows])
        mill.goodbye()

    def test_a_connection_that_is_closed_costs_nothing(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("closed", "identity")
        indexes = []
        for row in job.run((i,) for i in range(COUNT)):
            indexes.append(row.index)
            if row.index in (0, 30_000, 60_000):
                mill.connect()  # everything on the way is lost
        self.assertEqual(indexes, list(range(COUNT)))
        self.assertEqual((job.counts.accepted, job.counts.succeeded, mill.attempt), (COUNT, COUNT, 4))
        mill.goodbye()

    def test_a_client_that_begins_again_resumes_by_key_and_cursor(self):
        self.real_worker("real")
        first, kept = self.connect(), []
        job = first.open("resumed", "identity")
        for row in job.run((i,) for i in range(COUNT)):
            kept.append(row.value)
            if len(kept) == 20_000:
                break
        first.connection.close()  # as if killed: what it had accepted and not read stays with the broker
        second = self.connect()
        again = second.open("resumed", "identity", cursor=len(kept))
        self.assertEqual(again.id, job.id)
        kept += [row.value for row in again.run((i,) for i in range(COUNT))]
        self.assertEqual(kept, list(range(COUNT)))
        self.assertEqual(again.counts.accepted, COUNT)
        second.goodbye()

    def test_a_submit_that_is_lost_or_repeated_changes_nothing(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("lossy", "identity")
        send, turn = mill.connection.send, iter(range(1 << 30))

        def lossy(name, session, values, blob=b""):
            number = next(turn)
            if name == "Submit" and number % 5 == 0:
                return
            for _ in range(2 if number % 3 == 0 else 1):
                send(name, session, values, blob)

        mill.connection.send = lossy
        rows = [row.value for row in job.run((i,) for i in range(20_000))]
        self.assertEqual(rows, list(range(20_000)))
        self.assertEqual(job.counts.accepted, 20_000)
        mill.connection.send = send
        mill.goodbye()

    def test_a_cancelled_job_ends_with_a_row_for_every_task(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("cancelled", "sleep", crash_limit=1)
        rows, cancelled = [], False
        source = iter([(0,)] * 3 + [(60,)] * 1000)
        for row in job.run(source):
            rows.append(row)
            if not cancelled:
                job.cancel(grace_ms=0)
                cancelled = True
        self.assertEqual(len(rows), job.counts.accepted)
        self.assertEqual({row.outcome for row in rows}, {"succeeded", "cancelled"})
        self.assertEqual(job.counts.cancelled, [row.outcome for row in rows].count("cancelled"))
        self.assertGreaterEqual(job.counts.cancelled, 1000)
        mill.goodbye()

    def test_failures_and_output_are_in_the_rows(self):
        self.real_worker("real", "--allow-exec")
        mill = self.connect()
        job = mill.open("commands", spec={"argv": ["sh", "-c", "{}"]}, rows_with_tuples=True)
        good, bad, killed = job.run([("echo out; echo err >&2",), ("echo why >&2; exit 3",), ("kill -9 $$",)])
        self.assertEqual((good.outcome, good.value, good.stderr), ("succeeded", "out\n", b"err\n"))
        self.assertEqual((bad.outcome, bad.value, bad.stderr), ("failed", None, b"why\n"))
        self.assertEqual((bad.failure.code, bad.failure.exit_code, bad.failure.signal),
                         (wire.ENUMERATIONS["code"].index("function failed"), 3, 0))
        self.assertEqual(wire.unpack(bad.failure.tuple), ["echo why >&2; exit 3"])
        self.assertEqual((killed.outcome, killed.failure.signal), ("failed", 9))
        self.assertEqual(good.worker.split("@")[0], "real")
        self.assertLess(abs(good.start_unix_us / 1e6 - time.time()), 60)
        job = mill.open("printing", "sleep_print")
        rows = list(job.run((0, "line %d" % i) for i in range(1000)))
        self.assertEqual([row.stdout for row in rows], [b"line %d\n" % i for i in range(1000)])
        mill.goodbye()

    def test_a_crash_is_told_and_counted(self):
        self.real_worker("real", "--executor", self.executor())
        mill = self.connect()
        job = mill.open("crashing", "die", wait_workers_ms=30_000)
        rows = list(job.run((i, 2) for i in range(4)))
        self.assertEqual([row.outcome for row in rows], ["succeeded", "succeeded", "crashed", "succeeded"])
        self.assertEqual((rows[2].dead_lettered, rows[2].attempt, rows[2].failure.signal), (True, 3, 9))
        self.assertEqual([fields.attempt for fields, _ in mill.events], [1, 2])
        self.assertEqual(job.counts.dead_lettered, 1)
        mill.goodbye()

    def test_questions_are_answered_with_the_keys_of_the_page(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("asked", "identity", priority=3)
        self.assertEqual(len(list(job.run((i,) for i in range(10)))), 10)
        told, = mill.ask("jobs", "asked")
        self.assertEqual((told["id"], told["name"], told["function"], told["state"], told["priority"]),
                         ("%x-%d" % (job.id >> 32, job.id & 0xFFFFFFFF), "asked", "identity", "done", 3))
        self.assertEqual((told["counts"]["succeeded"], told["closed"]), (10, True))
        self.assertLessEqual(self.keys_of_jobs(detail=False), set(told))
        detail, = mill.ask("job detail", told["id"])
        self.assertLessEqual(self.keys_of_jobs(detail=True), set(detail))
        worker, = mill.ask("workers")
        self.assertEqual((worker["name"], worker["slots"], worker["state"], worker["done"]), ("real", 2, "active", 10))
        self.assertIn("identity", [function["name"] for function in worker["functions"]])
        status = mill.ask("status")
        self.assertEqual((status["schema"], status["workers"], status["slots"], status["producers"]), (1, 1, 2, 1))
        with self.assertRaises(client.Refused) as refused:
            mill.ask("job detail", "nobody")
        self.assertEqual(wire.ENUMERATIONS["code"][refused.exception.code], "not found")
        mill.goodbye()

    def keys_of_jobs(self, detail):
        """The first column of the table of 1.9."""
        page = (pathlib.Path(__file__).parent.parent.parent / "proto" / "PROTOCOL.md").read_text()
        table = page[page.index("**Jobs** and **job detail**"):page.index("**Workers**: an array")]
        rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
        return {key.strip() for keys, told in rows if detail or "detail only" not in told for key in keys.split(",")}

    def test_a_paused_job_goes_on_when_it_is_resumed(self):
        self.real_worker("real")
        mill = self.connect()
        job = mill.open("steered", "sleep")
        rows = job.run((0.01,) for _ in range(100))
        next(rows)
        told, = mill.steer([job.id], "pause")
        self.assertEqual(told["state"], "paused")
        told, = mill.steer([job.id], "resume")
        self.assertNotEqual(told["state"], "paused")
        self.assertEqual(len(list(rows)), 99)
        with self.assertRaises(client.Refused):
            mill.steer([job.id, 12345], "forget")  # one does not exist: nothing is done
        self.assertEqual(len(mill.ask("jobs", "steered")), 1)
        mill.steer([job.id], "forget")
        self.assertEqual(mill.ask("jobs"), [])
        mill.goodbye()

    def test_pushes_of_several_keys_are_taken_once_each(self):
        self.real_worker("real")
        mill, other = self.connect(), self.connect()
        job = mill.open("pushed", "identity")
        self.assertEqual(mill.push(job.id, "left", [("l", i) for i in range(5000)]), 2)
        self.assertEqual(other.push(job.id, "right", [("r", 0)]), 1)
        self.assertEqual(other.push(job.id, "left", []), 2)  # where it stands
        self.assertEqual(other.push(job.id, "left", [("l", "again")], sequence=0), 2)  # taken before: nothing
        self.assertEqual(mill.push(job.id, "left", [("l", 5000)], sequence=2), 3)
        order = wire.ENUMERATIONS["order"].index("recorded")
        mill.steer([job.id], "close")
        self.assertEqual([row.index for row in job.read()], list(range(5002)))
        reader = other.open("pushed", "identity", order=order)
        self.assertEqual([row.index for row in reader.read()], list(range(5002)))
        mill.goodbye()
        other.goodbye()

    def test_refusals_say_why(self):
        mill = self.connect()
        with self.assertRaises(client.Refused) as refused:
            mill.open("nobody", "nothing", wait_workers_ms=0)
        self.assertEqual(wire.ENUMERATIONS["code"][refused.exception.code], "unknown function")
        self.assertIn("nothing", str(refused.exception))
        mill.connection.close()


class ClientOverIpc(Client, Ipc, Mill):
    pass


class ClientOverTcp(Client, Tcp, Mill):
    def test_a_join_file_of_another_role_is_not_used(self):
        with self.assertRaises(ValueError):
            client.Client(self.for_worker)

    def test_a_join_file_that_others_may_read_is_not_used(self):
        os.chmod(self.for_producer, 0o640)
        with self.assertRaises(ValueError):
            client.Client(self.for_producer)


if __name__ == "__main__":
    unittest.main()
