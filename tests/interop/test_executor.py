"""The Python executor under the real agent, with the page and without it."""
import re
import signal
import unittest

from harness import wait_until
from mill import Ipc, Mill, Tcp

COUNT = 100_000
# Writes down how many tasks it ever had at once, and where it was stopped.
WATCHED = """
import wire
class Watched(executor.Executor):
    def run_one(self):
        open("queued", "a").write("%d\\n" % len(self.queue))
        super().run_one()
    def stop_at(self, position):
        open("stopped", "a").write("%d\\n" % position)
        super().stop_at(position)
executor.Executor = Watched
"""


class Executor:
    def test_every_task_once_and_in_order(self):
        self.real_worker("python", "--executor", self.executor())
        rows = self.mapped("square", "-", stdin="".join("%d\n" % i for i in range(COUNT)))
        self.assertEqual([row["value"] for row in rows.values()], [i * i for i in range(COUNT)])
        self.assertEqual(({row["attempt"] for row in rows.values()}, self.workers_of(rows)), ({1}, {"python"}))

    def test_without_the_page_it_has_one_task_at_a_time(self):
        self.real_worker("python", "--executor", self.executor("--no-page", patch=WATCHED))
        rows = self.mapped("square", "-", stdin="".join("%d\n" % i for i in range(3000)))
        self.assertEqual([row["value"] for row in rows.values()], [i * i for i in range(3000)])
        self.assertEqual(set((self.dir / "queued").read_text().split()), {"1"})

    def test_only_the_task_that_kills_it_is_charged(self):
        for options in ([], ["--no-page"]):
            with self.subTest(options=options):
                worker = self.real_worker("python", "--executor", self.executor(*options))
                rows = self.mapped("die", "-", code=1, stdin="".join("[%d, 300, 700]\n" % i for i in range(1000)))
                dead = {i: row for i, row in rows.items() if row["status"] != "succeeded"}
                self.assertEqual({(i, row["status"], row["cause"], row["signal"], row["attempt"]) for i, row in dead.items()},
                                 {(i, "dead-lettered", "crashed", 9, 3) for i in (300, 700)})
                others = [row for i, row in rows.items() if i not in dead]
                self.assertEqual(({row["attempt"] for row in others}, len(others)), ({1}, 998))
                worker.signal(signal.SIGTERM)
                worker.wait()

    def test_what_waits_behind_a_slow_task_is_taken_back_through_the_page(self):
        self.real_worker("python", "--executor", self.executor(patch=WATCHED))
        rows = self.mapped("nap", "-", stdin="[0]\n" * 4000 + "[2]\n" + "[0]\n" * 4000)
        slow = rows.pop(4000)
        end = slow["start"] + slow["run_s"]
        self.assertEqual((len(rows), {row["attempt"] for row in rows.values()}), (8000, {1}))
        self.assertGreater((self.dir / "stopped").read_text().count("\n"), 0)
        late = [index for index, row in rows.items() if row["start"] >= end]
        self.assertLess(len(late), 100, late[:5])

    def test_failures_and_what_a_task_prints(self):
        self.real_worker("python", "--executor", self.executor())
        rows = self.mapped("say", "-", stdin='["a"]\n["b", 2]\n')
        self.assertEqual([(row["value"], row["stdout"]) for row in rows.values()], [(1, "a\n"), (1, "b\nb\n")])
        rows = self.mapped("identity", "-", code=1, stdin="[]\n[7]\n")
        self.assertEqual([(row["status"], row["error"], row["value"]) for row in rows.values()],
                         [("failed", "IndexError: tuple index out of range", None), ("succeeded", None, 7)])

    def test_a_task_over_its_time_limit_is_killed_with_the_executor(self):
        self.real_worker("python", "--executor", self.executor())
        rows = self.mapped("--timeout", "0.3s", "nap", "-", code=1, stdin="[0]\n[60]\n[0]\n")
        self.assertEqual([(row["status"], row["cause"]) for row in rows.values()],
                         [("succeeded", None), ("failed", "time-limit"), ("succeeded", None)])

    def test_it_ends_with_its_agent(self):
        worker = self.real_worker("python", "--executor", self.executor())
        self.mapped("square", ":::", "1")
        worker.signal(signal.SIGKILL)
        worker.wait()
        wait_until(lambda: not [i for i in self.processes().values() if "executor-" in i.command], "no executor left", 2)


class ExecutorOverIpc(Executor, Ipc, Mill):
    pass


class ExecutorOverTcp(Executor, Tcp, Mill):
    pass


class PrivateRuns(Mill):
    """fanmill map --executor PROGRAM, without any broker."""

    def listen(self):
        self.broker = None

    def test_it_runs_the_tasks_and_tells_its_functions(self):
        program = self.executor()
        run = self.run_fanmill("map", "--executor", program, "square", ":::", "3", "4")
        self.assertEqual(run.out(), "9\n16\n")
        self.assertRegex(self.run_fanmill("functions", "--executor", program).out(), r"square +\(x: int\) -> int")
        run = self.run_fanmill("map", "--executor", program, "square", ":::", "x", code=2)
        self.assertIn("x should be an int", run.err())
        self.assertEqual(self.run_fanmill("map", "--dry-run", "--executor", program, "square", ":::", "3").out(), "[3]\n")

    def test_what_is_no_executor_is_refused(self):
        talks = self.write("talks", "#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
        talks.chmod(0o755)
        for program, words in (("nope", "No such file"), ("/etc/passwd", "Permission denied"), ("/bin/true", "exited with code 0"),
                               (str(talks), "no such module")):
            for arguments in (["map", "--executor", program, "square", ":::", "1"], ["functions", "--executor", program],
                              ["worker", "--broker", "ipc:///tmp/x", "--executor", program]):
                with self.subTest(program=program, command=arguments[0]):
                    run = self.run_fanmill(*arguments, code=2)
                    self.assertEqual((run.out(), len(run.err().splitlines())), ("", 1), run)
                    self.assertRegex(run.err(), "--executor %s is no executor.*%s.*PROTOCOL.md" % (re.escape(program), words))

    def test_what_does_not_go_with_it(self):
        for arguments, words in ((["map", "--executor", "x", "--plugin", "y.so", "f", ":::", "1"], "--plugin y.so"),
                                 (["map", "--executor", "x", "--broker", "ipc:///tmp/x", "f", ":::", "1"], "fanmill worker"),
                                 (["functions", "--executor", "x", "--plugin", "y.so"], "--plugin y.so"),
                                 (["worker", "--broker", "ipc:///tmp/x", "--executor", "x", "--allow-exec"], "worker of their own"),
                                 (["worker", "--broker", "ipc:///tmp/x", "--executor", "x", "--plugin", "y.so"], "worker of their own")):
            with self.subTest(arguments=arguments):
                run = self.run_fanmill(*arguments, code=2)
                self.assertRegex(run.err(), "--executor x.*%s" % words)


if __name__ == "__main__":
    unittest.main()
