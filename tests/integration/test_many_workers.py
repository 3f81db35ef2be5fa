"""Many workers of one slot on one machine: they join, work and leave without an error."""
import datetime
import pathlib
import re
import signal
import unittest

from harness import BIN, FanmillTest, measured, serial, wait_until


class ManyWorkers(FanmillTest):
    def setUp(self):
        super().setUp()
        self.broker = self.start(BIN / "fanmill-broker", "--listen", "tcp://127.0.0.1:0", "--keys", "keys")
        self.broker.wait_for_stderr("results are kept")

    def start_workers(self, first, count):
        # Their logs go to files: two threads for each would slow down what is measured.
        for number in range(first, first + count):
            with open(self.dir / ("log%d" % number), "w") as log:
                self.start(BIN / "fanmill-worker", "--broker", "keys/worker.join", "--slots", "1", "--name", "w%d" % number,
                           stdout=log, stderr=log)
        wait_until(lambda: all(self.joined(number) for number in range(first, first + count)), "all of them have joined", 60)

    def joined(self, number):
        """When it did, by its log."""
        line = re.search(r"^(\S+ \S+) worker info: connected to", (self.dir / ("log%d" % number)).read_text(), re.M)
        return line and datetime.datetime.fromisoformat(line.group(1)).timestamp()

    def share_of_memory(self, pid):
        """KiB, what is shared with others in equal parts."""
        return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text(), re.M).group(1))

    @serial
    @measured
    def test_200_join_work_and_leave(self):
        self.start_workers(0, 64)
        times = [self.joined(number) for number in range(64)]
        self.assertLess(max(times) - min(times), 2.0)
        self.start_workers(64, 136)
        workers = self.programs[1:]
        run = self.run_fanmill("map", "--broker", "keys/producer.join", "--format", "jsonl", "sleep", "-", stdin="0.1\n" * 4000)
        rows = self.rows(run)
        self.assertEqual(list(rows), list(range(4000)))
        self.assertEqual({(row["status"], row["attempt"]) for row in rows.values()}, {("succeeded", 1)})
        self.assertEqual(len({row["worker"] for row in rows.values()}), 200)
        executors = self.processes_named("fanmill-executor")
        self.assertEqual(len(executors), 200)
        memory = sum(self.share_of_memory(one.pid) for one in (*workers, *executors)) / 1024
        print("%.1f s for 2 s of work each; %.0f MiB for 200 workers, broker %d KiB" %
              (run.seconds, memory, self.share_of_memory(self.broker.pid)))
        self.assertLess(memory, 600)
        for worker in workers:
            worker.signal(signal.SIGTERM)
        for number, worker in enumerate(workers):
            worker.wait()
            self.assertEqual(worker.code, 0)
            self.assertNotRegex((self.dir / ("log%d" % number)).read_text(), "warning|error")
        self.assertNotRegex(self.broker.err(), "warning|error")


if __name__ == "__main__":
    unittest.main()
