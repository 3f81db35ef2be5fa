"""Ctrl-C, a closed stdout, and the end of the CLI itself."""
import os
import signal
import subprocess

from harness import FanmillTest, wait_until


class ClosedStdout(FanmillTest):
    def test_ends_an_endless_run_quietly_and_at_once(self):
        endless = subprocess.Popen(["yes", "1"], stdout=subprocess.PIPE, env=self.env)
        read_end, write_end = os.pipe()
        run = self.fanmill("map", "identity", "-", stdin=endless.stdout, stdout=write_end)
        endless.stdout.close()
        os.close(write_end)
        with os.fdopen(read_end, "rb") as reader:
            lines = [reader.readline() for _ in range(3)]
        run.wait(5)
        endless.wait(10)
        self.assertEqual(lines, [b"1\n"] * 3)
        self.assertEqual((run.code, run.err()), (0, ""))

    def test_as_typed_with_head(self):
        run = self.pipeline('seq 1000000 | fanmill map identity - | head -3; echo "${PIPESTATUS[1]}"')
        self.assertEqual(run.out(), "1\n2\n3\n0\n")
        self.assertEqual(run.err(), "")


class Interrupt(FanmillTest):
    """A command leaves a file when it starts, so that a test knows that it runs."""

    def start_two_running_of_many(self, then):
        run = self.fanmill("exec", "-j", "2", "-", "--", "sh", "-c", then, "sh", "{1}", stdin=subprocess.PIPE)
        run.process.stdin.write("".join("%d\n" % i for i in range(50)).encode())
        wait_until(lambda: len(list(self.dir.glob("started.*"))) >= 2, lambda: "two started tasks of %s" % run)
        return run

    def test_once_stops_feeding_finishes_what_runs_and_says_so(self):
        run = self.start_two_running_of_many("echo > started.$1; until [ -e go ]; do sleep 0.01; done; echo done $1")
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the whole group
        run.wait_for_stderr(r"(?i)interrupt|ctrl-c|again")
        (self.dir / "go").touch()
        run.wait()
        self.assertEqual(run.code, 130, run)
        finished = run.out().count("done")
        self.assertGreaterEqual(finished, 2, run)
        self.assertLess(finished, 50, run)

    def test_twice_kills_what_runs(self):
        run = self.start_two_running_of_many("echo > started.$1; exec sleep 1000")
        run.signal(signal.SIGINT)
        run.wait_for_stderr(r"(?i)interrupt|ctrl-c|again")
        run.signal(signal.SIGINT)
        run.wait(5)
        self.assertEqual(run.code, 130, run)
        self.assert_nothing_left()


class Killed(FanmillTest):
    def test_the_cli_leaves_no_process_behind(self):
        run = self.fanmill("exec", "-j", "2", ":::", "1", "2", "3", "4", "--",
                           "sh", "-c", "echo > started.$1; sleep 1000; true", "sh", "{1}")
        wait_until(lambda: len(list(self.dir.glob("started.*"))) >= 2, lambda: "two started tasks of %s" % run)
        self.assertGreaterEqual(len(self.processes()), 4)  # CLI, two executors, commands
        run.signal(signal.SIGKILL)
        self.assert_nothing_left()
        run.wait()

    def test_the_cli_in_the_middle_of_functions_leaves_no_process_behind(self):
        run = self.fanmill("map", "-j", "2", "sleep", ":::", "1000", "1000")
        wait_until(lambda: len(self.processes_named("fanmill-executor")) == 2, "two executors")
        run.signal(signal.SIGKILL)
        self.assert_nothing_left()
        run.wait()
