"""A task that takes its executor with it. In a command, $PPID is the executor."""
import os
import signal

from harness import FanmillTest, wait_until


class ExecutorKilled(FanmillTest):
    def test_while_a_command_runs_the_crash_is_shown_and_the_task_runs_again(self):
        # The first attempt says who its executor is and stays; the second ends at once.
        script = 'if [ -e "first.$1" ]; then echo "again $1"; else echo $PPID >"tmp.$1"; mv "tmp.$1" "first.$1"; exec sleep 1000; fi'
        (self.dir / "first.1").touch()
        (self.dir / "first.3").touch()
        run = self.fanmill("exec", "-j", "2", ":::", "1", "2", "3", "--", "sh", "-c", script, "sh", "{1}")
        wait_until(lambda: (self.dir / "first.2").exists(), lambda: "the first attempt of %s" % run)
        os.kill(int((self.dir / "first.2").read_text()), signal.SIGKILL)
        run.wait_for_stderr(r"attempt 1 of 3")  # shown as it happens
        run.wait()
        self.assertEqual(run.code, 0, run)
        self.assertEqual(run.out(), "again 1\nagain 2\nagain 3\n")
        self.assertRegex(run.err(), r"(?i)signal 9|SIGKILL|killed")
        self.assert_nothing_left()

    def test_while_a_function_runs_nothing_is_lost(self):
        run = self.fanmill("map", "-j", "1", "--unordered", "--format", "jsonl", "sleep", ":::", "0", "0.5", "0", "0")
        run.wait_for_lines(1)
        for executor in self.processes_named("fanmill-executor"):
            os.kill(executor.pid, signal.SIGKILL)
        run.wait()
        self.assertEqual(run.code, 0, run)
        self.assertEqual({i: row["status"] for i, row in self.rows(run).items()}, {i: "succeeded" for i in range(4)})


class AlwaysCrashing(FanmillTest):
    def test_is_dead_lettered_and_named_while_the_rest_completes(self):
        script = '[ "$1" != 3 ] || { echo "last words of 3" >&2; kill -9 $PPID; }; echo "$1"'
        run = self.run_fanmill("exec", "-j", "2", "--format", "jsonl", ":::", *map(str, range(8)), "--",
                               "sh", "-c", script, "sh", "{1}", code=1)
        rows = self.rows(run)
        self.assertEqual(sorted(rows), list(range(8)))
        self.assertEqual({i for i, row in rows.items() if row["status"] != "succeeded"}, {3}, run)
        self.assertEqual((rows[3]["status"], rows[3]["cause"]), ("dead-lettered", "crashed"))
        self.assertEqual(rows[3]["attempt"], 3)
        for fact in (r"attempt 1 of 3", r"attempt 2 of 3", r"task 3 .*attempt 3 of 3; given up", r"(?i)signal 9|SIGKILL|killed", "last words of 3"):
            self.assertRegex(run.err(), fact)
        self.assertEqual(run.err().count("last words of 3"), 3, run)  # once an attempt

    def test_shows_what_the_command_wrote_to_stderr_however_soon_it_crashed(self):
        script = 'echo "begin $1" >&2; [ "$1" = 0 ] || { seq 30000; sleep 0.05; } >&2; echo "end $1" >&2; kill -9 $PPID'
        run = self.run_fanmill("exec", "-j", "2", ":::", "0", "1", "--", "sh", "-c", script, "sh", "{1}", code=1)
        for words in ("begin 0", "end 0", "end 1"):
            self.assertEqual(run.err().count(words), 3, run)

    def test_alone_ends_too(self):
        run = self.run_fanmill("exec", ":::", "x", "--", "sh", "-c", "kill -9 $PPID", code=1)
        self.assertEqual(run.out(), "")
