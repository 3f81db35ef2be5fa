"""A fleet of three kinds: fanmill's worker, the Python worker, and fanmill's worker with the Python executor."""
import unittest

import client
from harness import wait_until
from mill import Ipc, Mill, Tcp

COUNT = 100_000
ALL = {"real", "python", "executor"}


class Fleet:
    def setUp(self):
        super().setUp()
        self.real_worker("real", slots=1)
        self.python_worker("python")
        self.real_worker("executor", "--executor", self.executor(), slots=1)
        wait_until(lambda: self.workers_of(self.mapped("sleep", "-", stdin="0.03\n" * 30)) == ALL, "all three at work")

    def test_each_result_once_and_in_order(self):
        rows = self.mapped("identity", "-", stdin="".join("%d\n" % i for i in range(COUNT)))
        self.assertEqual([(i, row["value"]) for i, row in rows.items()], [(i, i) for i in range(COUNT)])
        self.assertEqual((self.workers_of(rows), {row["attempt"] for row in rows.values()}), (ALL, {1}))

    def test_the_same_by_the_python_client(self):
        mill = client.Client(self.for_producer)
        self.addCleanup(mill.connection.close)
        job = mill.open("fleet", "identity")
        rows = [(row.index, row.value, row.worker.split("@")[0]) for row in job.run((i,) for i in range(COUNT))]
        self.assertEqual([row[:2] for row in rows], [(i, i) for i in range(COUNT)])
        self.assertEqual({row[2] for row in rows}, ALL)
        mill.goodbye()


class FleetOverIpc(Fleet, Ipc, Mill):
    pass


class FleetOverTcp(Fleet, Tcp, Mill):
    pass


if __name__ == "__main__":
    unittest.main()
