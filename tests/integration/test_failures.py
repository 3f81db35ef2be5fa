"""What fails, why, and running it again: why, retry, --max-failures, --halt, --at-most-once, against real processes."""
import json
import os
import signal

from harness import BIN, FanmillTest, wait_until

WHERE = "ipc://broker/socket"
# In a command, $PPID is the executor: killing it is what a segmentation fault of a plugin is.
CRASH = ('if [ "$1" = 5000 ] && [ ! -e "$2/mended" ]; then echo x >>"$2/attempts"; echo "dying of $1" >&2; kill -SEGV $PPID; sleep 5; fi; '
         'if [ "$1" = 7 ] && [ ! -e "$2/mended" ]; then echo "no seven" >&2; exit 3; fi; echo "$1"')


class Failures(FanmillTest):
    def setUp(self):
        super().setUp()
        self.env["FANMILL_BROKER"] = WHERE
        self.broker = self.start(BIN / "fanmill-broker", "--listen", WHERE)
        self.broker.wait_for_stderr("results are kept")
        self.start_worker("w")

    def start_worker(self, name):
        worker = self.start(BIN / "fanmill-worker", "--slots", "2", "--allow-exec", "--name", name)
        worker.wait_for_stderr("connected")
        return worker

    def why(self, selector="last"):
        return json.loads(self.run_fanmill("why", selector, "--json").out())["why"][0]

    def job(self, selector="last"):
        return json.loads(self.run_fanmill("jobs", selector, "--json").out())["jobs"][0]


class AlwaysCrashing(Failures):
    def test_among_ten_thousand_is_dead_lettered_after_three_crashes_and_alone_charged(self):
        run = self.run_fanmill("submit", "--wait", "--quiet", "exec", "sh", "-c", CRASH, "sh", "{}", str(self.dir), "::::", "-",
                               stdin="".join("%d\n" % i for i in range(10001)), code=1, deadline=110)
        self.assertEqual((self.dir / "attempts").read_text(), "x\n" * 3, run)
        counts = self.job()["counts"]
        self.assertEqual((counts["succeeded"], counts["failed"], counts["dead_lettered"]), (9999, 1, 1))
        causes = {cause["cause"]: cause for cause in self.why()["causes"]}
        self.assertEqual(sorted(causes), ["crashed", "error"])
        worst = causes["crashed"]["worst"]
        self.assertEqual((worst["index"], worst["attempt"], worst["signal"], worst["exit_code"]), (5000, 3, signal.SIGSEGV, None))
        self.assertEqual((worst["worker"], worst["params"], worst["dead_lettered"]), ("w", [5000], True))
        self.assertIn("dying of 5000", worst["stderr"])
        text = self.run_fanmill("why").out()
        for words in ("2 of 10001 tasks did not succeed", "signal 11 (SIGSEGV)", "task 5000 (5000), attempt 3", "dying of 5000",
                      "exit code 3", "no seven", "fanmill retry"):
            self.assertIn(words, text)
        rows = [json.loads(line) for line in self.run_fanmill("results", "last", "--format", "jsonl", "--columns", "status,attempt").out().splitlines()]
        self.assertEqual({row["attempt"] for row in rows if row["status"] == "succeeded"}, {1})

        (self.dir / "mended").touch()
        self.assertIn("1 task runs again", self.run_fanmill("retry", "last", "--cause", "crashed").out())
        self.run_fanmill("wait", "last", "--quiet", code=1)
        self.assertIn("1 task runs again", self.run_fanmill("retry", "last").out())
        self.run_fanmill("wait", "last", "--quiet")
        self.assertEqual(self.run_fanmill("gather", "last").out(), "".join("%d\n" % i for i in range(10001)))
        self.assertEqual(self.job()["rounds"], 3)
        self.assertIn("no task has failed", self.run_fanmill("why").out())
        self.assertIn("nothing of it ended so", self.run_fanmill("retry", "last").out())


class Retry(Failures):
    def fail_once(self):
        self.run_fanmill("submit", "--wait", "--quiet", "exec", "sh", "-c", '[ "$1" != 2 ] || [ -e "$2/mended" ] || exit 1; echo "$1"', "sh",
                         "{}", str(self.dir), ":::", "1", "2", "3", code=1)
        (self.dir / "mended").touch()

    def test_is_seen_by_who_gathers_into_a_file_afterwards(self):
        self.fail_once()
        self.run_fanmill("gather", "last", "-o", "out", code=1)
        self.assertEqual((self.dir / "out").read_text(), "1\n3\n")
        self.run_fanmill("retry", "last")
        self.run_fanmill("gather", "last", "-o", "out")
        self.assertEqual((self.dir / "out").read_text(), "1\n2\n3\n")

    def test_makes_a_file_that_was_begun_before_it_be_written_anew(self):
        self.fail_once()
        job = self.job()["id"]
        (self.dir / "out").write_text("1\n")
        (self.dir / "out.cursor").write_text(json.dumps({"job": job, "form": "values", "cursor": 2, "bytes": 2, "rounds": 1}))
        self.run_fanmill("retry", "last")
        self.run_fanmill("gather", "last", "-o", "out")
        self.assertEqual((self.dir / "out").read_text(), "1\n2\n3\n")

    def test_appends_to_the_rows_as_they_complete(self):
        self.fail_once()
        self.run_fanmill("retry", "last")
        self.run_fanmill("wait", "last", "--quiet")
        rows = self.run_fanmill("gather", "last", "--unordered", "--format", "jsonl", "--columns", "index,status").out().splitlines()
        self.assertEqual(json.loads(rows[-1]), {"index": 1, "status": "succeeded"})
        self.assertEqual(len(rows), 4)

    def test_of_what_a_cancel_left_out_needs_to_be_asked_for(self):
        self.run_fanmill("submit", "--quiet", "sleep", ":::", "1000", "1000", "0", "0")
        self.run_fanmill("cancel", "--now", "last")
        wait_until(lambda: self.job()["ended_ms"] is not None, lambda: "the end of the cancelled job")
        self.assertIn("nothing of it ended so", self.run_fanmill("retry", "last").out())
        self.assertIn("4 tasks run again", self.run_fanmill("retry", "last", "--cause", "cancelled").out())
        self.run_fanmill("cancel", "--now", "last")

    def test_of_a_job_that_keeps_no_tuples_is_refused(self):
        run = self.fanmill("map", "sleep", ":::", "30")
        wait_until(lambda: json.loads(self.run_fanmill("jobs", "--json").out())["jobs"], lambda: "the job")
        refused = self.run_fanmill("retry", "last", code=2)
        self.assertIn("keeps no tuples", refused.err())
        self.assertIn("is of fanmill map or exec", self.run_fanmill("why", "last", code=2).err())
        self.run_fanmill("cancel", "--now", "last")
        run.wait()

    def test_of_words_that_are_no_cause_names_the_causes(self):
        self.assertIn("did you mean crashed?", self.run_fanmill("retry", "last", "--cause", "crash", code=2).err())


class Policies(Failures):
    def test_halt_a_run_with_status_four(self):
        run = self.run_fanmill("exec", "--max-failures", "1", "false", ":::", *map(str, range(100)), code=4)
        self.assertRegex(run.err(), r"halted: \d tasks failed, and the job was to halt beyond 1")

    def test_halt_a_submitted_job_and_a_retry_lifts_it(self):
        self.run_fanmill("submit", "--wait", "--quiet", "--halt", "soon,fail=1", "exec", "sh", "-c", '[ -e "$2/mended" ]', "sh", "{}", str(self.dir),
                         ":::", *map(str, range(50)), code=4)
        self.assertEqual(self.job()["state"], "halted")
        self.run_fanmill("gather", "last", "-o", "out", code=4)
        (self.dir / "mended").touch()
        self.run_fanmill("retry", "last", "--cause", "error,cancelled")
        self.run_fanmill("wait", "last", "--quiet")
        self.assertEqual(self.job()["state"], "done")

    def test_kill_what_runs_if_now(self):
        del self.env["FANMILL_BROKER"]
        run = self.run_fanmill("exec", "-j", "2", "--unordered", "--halt", "now,success=1", "sh", "-c", "sleep {}; echo {}", ":::", "0.1", "1000", "1000", code=4)
        self.assertEqual(run.out(), "0.1\n")

    def test_that_make_no_sense_are_refused(self):
        for words in (["--halt", "later,fail=1"], ["--halt", "soon"], ["--halt", "soon,fail=0"], ["--halt", "soon,fail=101%"],
                      ["--max-failures", "many"], ["--max-failures", "0%"]):
            self.assertIn("write", self.run_fanmill("exec", *words, "true", ":::", "1", code=2).err())
        self.assertIn("do not go together", self.run_fanmill("exec", "--at-most-once", "--retries", "1", "true", ":::", "1", code=2).err())


class AtMostOnce(Failures):
    def test_a_task_of_a_killed_worker_ends_as_failed_and_does_not_run_again(self):
        worker = self.start_worker("second")
        self.run_fanmill("submit", "--quiet", "--at-most-once", "exec", "sh", "-c", 'echo "$$ $1" >>"$2/begun"; sleep 0.5', "sh", "{}", str(self.dir),
                         ":::", "1", "2", "3", "4", "5", "6")
        begun = lambda: (self.dir / "begun").read_text().splitlines() if (self.dir / "begun").exists() else []
        wait_until(lambda: len(begun()) >= 4, lambda: "four tasks under way")
        worker.signal(signal.SIGKILL)
        self.run_fanmill("wait", "last", "--quiet", code=1)
        lines = [line.split()[1] for line in begun()]
        self.assertEqual(len(lines), len(set(lines)))
        lost = [cause for cause in self.why()["causes"] if cause["cause"] == "worker-lost"]
        self.assertEqual(len(lost), 1)
        self.assertIn("may have run", lost[0]["worst"]["message"])
