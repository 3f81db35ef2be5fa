"""Broker, workers and producer as processes of their own, over ipc."""
import os
import signal

from harness import BIN, FanmillTest, slow, wait_until


class OverIpc(FanmillTest):
    def setUp(self):
        super().setUp()
        self.endpoint = "ipc://%s/broker" % self.dir
        self.broker = self.start(BIN / "fanmill-broker", "--listen", self.endpoint)
        self.broker.wait_for_stderr("listening")

    def worker(self, name, slots=2, *options):
        return self.start(BIN / "fanmill-worker", "--broker", self.endpoint, "--slots", str(slots), "--name", name, *options)

    def map(self, *arguments, **options):
        return self.fanmill("map", "--broker", self.endpoint, *arguments, **options)

    def test_two_workers_take_part_and_the_results_are_in_order(self):
        self.worker("left")
        self.worker("right")
        wait_until(lambda: len(self.processes_named("fanmill-executor")) == 4, "four executors")
        run = self.map("--format", "jsonl", "sleep", "-", stdin="0.02\n" * 100).wait()
        self.assertEqual(run.code, 0, run)
        rows = self.rows(run)
        self.assertEqual(list(rows), list(range(100)))
        workers = {row["worker"].split("@")[0] for row in rows.values()}
        self.assertEqual(workers, {"left", "right"}, run)

    def test_as_typed_in_four_shells(self):
        self.start(BIN / "fanmill", "worker", "--broker", self.endpoint, "--slots", "2")
        self.start(BIN / "fanmill", "worker", "--broker", self.endpoint, "--slots", "2")
        run = self.map("identity", "-", stdin="".join("%d\n" % i for i in range(1, 100_001))).wait()
        self.assertEqual(run.code, 0, run)
        self.assertEqual(run.out(), "".join("%d\n" % i for i in range(1, 100_001)))

    def test_several_producers_share_the_workers(self):
        self.worker("only")
        runs = [self.map("identity", "-", stdin="".join("%d\n" % (k * 1000 + i) for i in range(1000))) for k in range(3)]
        for k, run in enumerate(runs):
            run.wait()
            self.assertEqual(run.code, 0, run)
            self.assertEqual(run.out(), "".join("%d\n" % (k * 1000 + i) for i in range(1000)))

    def test_what_a_worker_held_for_a_broker_that_was_killed_is_not_taken_for_another_job(self):
        self.worker("only")
        for i in range(10):
            run = self.map("identity", ":::", str(i)).wait()
            self.assertEqual(run.out(), "%d\n" % i, run)
            self.broker.signal(signal.SIGKILL)  # the worker's report may still be unacknowledged
            self.broker.wait()
            self.broker = self.start(BIN / "fanmill-broker", "--listen", self.endpoint)
            self.broker.wait_for_stderr("results are kept")

    def test_a_worker_that_comes_later_is_waited_for(self):
        run = self.map("identity", ":::", "1", "2")
        run2 = self.worker("late")
        run.wait()
        self.assertEqual(run.out(), "1\n2\n")
        self.assertTrue(run2.running())

    def test_the_tasks_of_a_killed_agent_run_elsewhere(self):
        doomed = self.worker("doomed", 2, "--allow-exec")
        script = 'echo "$1" >>began; until [ -e go ]; do sleep 0.01; done; echo "$1"'
        run = self.fanmill("exec", "--broker", self.endpoint, "--format", "jsonl", ":::", *map(str, range(8)), "--",
                           "sh", "-c", "cd %s; %s" % (self.dir, script), "sh", "{1}")
        began = self.dir / "began"
        wait_until(lambda: began.exists() and len(began.read_text().split()) >= 2, lambda: "two running tasks of %s" % run)
        doomed.signal(signal.SIGKILL)
        doomed.wait()
        wait_until(lambda: not self.processes_named("fanmill-executor"), "the executors of the killed agent gone", 2)
        (self.dir / "go").touch()
        self.worker("heir", 2, "--allow-exec")
        run.wait()
        self.assertEqual(run.code, 0, run)
        rows = self.rows(run)
        self.assertEqual({i: row["value"] for i, row in rows.items()}, {i: "%d\n" % i for i in range(8)})
        self.assertEqual({row["worker"].split("@")[0] for row in rows.values()}, {"heir"})

    def test_sigterm_drains_a_worker(self):
        leaving = self.worker("leaving", 2, "--allow-exec")
        script = 'echo "$1" >>began; until [ -e go ]; do sleep 0.01; done; echo "$1"'
        run = self.fanmill("exec", "--broker", self.endpoint, "--format", "jsonl", ":::", *map(str, range(8)), "--",
                           "sh", "-c", "cd %s; %s" % (self.dir, script), "sh", "{1}")
        began = self.dir / "began"
        wait_until(lambda: began.exists() and len(began.read_text().split()) >= 2, lambda: "two running tasks of %s" % run)
        leaving.signal(signal.SIGTERM)
        (self.dir / "go").touch()
        leaving.wait()
        self.assertEqual(leaving.code, 0, leaving)
        self.worker("staying", 2, "--allow-exec")
        run.wait()
        self.assertEqual(run.code, 0, run)
        rows = self.rows(run)
        by = {name: {i for i, row in rows.items() if row["worker"].split("@")[0] == name} for name in ("leaving", "staying")}
        self.assertEqual(by["leaving"] | by["staying"], set(range(8)))
        self.assertGreaterEqual(len(by["leaving"]), 2, run)
        self.assertEqual(len(began.read_text().split()), 8, "each task began once")
        self.assertEqual({row["attempt"] for row in rows.values()}, {1})

    def test_commands_need_a_worker_that_allows_them(self):
        self.worker("careful")
        wait_until(lambda: len(self.processes_named("fanmill-executor")) == 2, "two executors")
        run = self.fanmill("exec", "--broker", self.endpoint, ":::", "1", "--", "echo", "{1}").wait()
        self.assertEqual(run.code, 2, run)
        self.assertIn("--allow-exec", run.err())

    @slow  # the producer looks for its broker for a minute
    def test_a_broker_that_dies_ends_the_run_with_3(self):
        self.broker.signal(signal.SIGTERM)
        self.broker.wait()
        self.broker = self.start(BIN / "fanmill-broker", "--listen", self.endpoint, "--durability", "memory")
        self.worker("orphan")
        run = self.map("sleep_print", "-", stdin='[0.2,"x"]\n' * 1000)
        run.wait_for_lines(1)
        self.broker.signal(signal.SIGKILL)
        run.wait(90)
        self.assertEqual(run.code, 3, run)
        self.assertRegex(run.err(), "the broker at .* is gone; what it kept in memory is lost")

    def test_a_second_broker_on_the_same_address_is_refused(self):
        second = self.start(BIN / "fanmill-broker", "--listen", self.endpoint).wait()
        self.assertEqual(second.code, 3, second)

    def test_the_socket_of_a_killed_broker_is_taken_over(self):
        self.broker.signal(signal.SIGKILL)
        self.broker.wait()
        again = self.start(BIN / "fanmill-broker", "--listen", self.endpoint)
        again.wait_for_stderr("listening")
        self.assertEqual(os.stat(self.dir / "broker").st_mode & 0o077, 0)


class Closed(FanmillTest):
    def test_a_directory_that_others_can_write_is_refused(self):
        shared = self.dir / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        run = self.start(BIN / "fanmill-broker", "--listen", "ipc://%s/broker" % shared).wait()
        self.assertIn(run.code, (2, 3), run)
