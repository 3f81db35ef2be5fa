"""Jobs that outlive the command that submitted them: submit, push, gather, results, wait, against a real broker."""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

from harness import BIN, FanmillTest, measured, serial, wait_until

WHERE = "ipc://broker/socket"


class Jobs(FanmillTest):
    def setUp(self):
        super().setUp()
        self.env["FANMILL_BROKER"] = WHERE
        self.start_broker()
        self.worker = self.start(BIN / "fanmill-worker", "--slots", "2", "--allow-exec", "--name", "w")
        self.worker.wait_for_stderr("slots")

    def start_broker(self, *options):
        self.broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, *options)
        self.broker.wait_for_stderr("results are kept")

    def submit(self, *words, **options):
        run = self.run_fanmill("submit", *words, **options)
        id = run.out().strip()
        self.assertRegex(id, r"^[0-9a-f]+-\d+$")
        return id

    def shown(self, selector):
        return json.loads(self.run_fanmill("show", selector, "--json").out())["jobs"][0]

    def job(self, selector="last"):
        return json.loads(self.run_fanmill("jobs", selector, "--json").out())["jobs"][-1]


class Submit(Jobs):
    def test_prints_the_id_and_leaves_the_job_to_the_broker(self):
        run = self.run_fanmill("submit", "identity", "-", stdin="1\n2\n\"three\"\n")
        self.assertRegex(run.err(), r"3 tuples accepted, kept on its disk \(sync\)")
        gathered = self.run_fanmill("gather", run.out().strip())
        self.assertEqual(gathered.out(), '1\n2\n"three"\n')

    def test_the_words_of_exec_submit_commands(self):
        id = self.submit("exec", ":::", "a", "b c", "--", "echo", "got", "{}")
        self.assertEqual(self.run_fanmill("gather", id).out(), "got a\ngot b c\n")
        self.assertEqual(self.job(id)["command"], ["echo", "got", "{}"])

    def test_a_name_that_is_a_long_word_is_cut_between_two_characters(self):
        id = self.submit("exec", "x" + "\u00e4" * 200, ":::", "1")
        self.assertEqual(self.job(id)["name"], "x" + "\u00e4" * 127)

    def test_wait_tells_by_its_status_how_the_tasks_ended(self):
        self.run_fanmill("submit", "--wait", "sleep", ":::", "0", "0.1")
        run = self.run_fanmill("submit", "--wait", "exec", "sh", "-c", "exit {}", ":::", "0", "3", code=1)
        self.assertIn("1 of 2 succeeded", run.err())

    def test_text_becomes_what_the_function_takes(self):
        self.write("in.csv", "seconds,message\n0,7\n")
        id = self.submit("sleep_print", "in.csv")
        rows = self.rows(self.run_fanmill("gather", "--format", "jsonl", id))
        self.assertEqual(rows[0]["params"], {"seconds": 0.0, "message": "7"})

    def test_the_same_key_is_the_same_job(self):
        first = self.submit("--key", "nightly", "identity", "-", stdin="1\n2\n3\n")
        self.assertEqual(self.submit("--key", "nightly", "identity", "-", stdin="1\n2\n3\n"), first)
        self.assertEqual(self.run_fanmill("gather", "nightly").out(), "1\n2\n3\n")

    def test_the_same_key_with_other_tuples_is_refused(self):
        self.submit("--key", "nightly", "identity", "-", stdin="1\n2\n3\n")
        for tuples in ("1\n5\n3\n", "1\n2\n", "1\n2\n3\n4\n"):
            run = self.run_fanmill("submit", "--key", "nightly", "identity", "-", stdin=tuples, code=2)
            self.assertRegex(run.err(), "choose another --key|closed")
            self.assertEqual(run.out(), "")
        run = self.run_fanmill("submit", "--key", "nightly", "echo", "-", stdin="1\n", code=2)
        self.assertIn("another function or other options", run.err())

    def test_killed_while_it_feeds_it_goes_on_under_its_key(self):
        lines = "".join("%d\n" % i for i in range(200000))
        for _ in range(6):
            feeder = self.fanmill("submit", "--key", "big", "identity", "-", stdin=lines)
            try:
                wait_until(lambda: self.job("big")["counts"]["accepted"] > 0 if self.known("big") else False, "something accepted", 20)
            finally:
                feeder.process.kill()
                feeder.wait()
        self.submit("--key", "big", "identity", "-", stdin=lines)
        self.assertEqual(self.run_fanmill("gather", "big", deadline=60).out(), lines)

    def known(self, selector):
        return self.fanmill("jobs", selector).wait().code == 0

    def test_interrupted_without_a_key_it_leaves_no_half_job(self):
        feeder = self.fanmill("submit", "identity", "-", stdin=subprocess.PIPE)
        feeder.process.stdin.write(b"1\n" * 100)
        wait_until(lambda: json.loads(self.run_fanmill("jobs", "--json").out())["jobs"], "the job")
        wait_until(lambda: self.job()["counts"]["accepted"] == 100, "100 tuples")
        feeder.signal(signal.SIGINT)
        feeder.wait()
        self.assertEqual(feeder.code, 130)
        self.assertIn("is cancelled", feeder.err())
        self.assertEqual(self.job()["state"], "cancelled")


class Gather(Jobs):
    def test_a_job_is_completed_from_another_shell_when_its_producer_was_killed(self):
        feeder = self.fanmill("submit", "sleep", "-", "--wait", stdin="0.02\n" * 100)
        wait_until(lambda: self.known(), "the job")
        wait_until(lambda: self.job()["closed"], "all tuples")
        feeder.process.kill()
        feeder.wait()
        self.run_fanmill("gather", "last", "-o", "out.jsonl", "--format", "jsonl")
        rows = self.rows(self.dir / "out.jsonl")
        self.assertEqual(list(rows), list(range(100)))
        self.assertFalse((self.dir / "out.jsonl.cursor").exists())

    def known(self):
        return json.loads(self.run_fanmill("jobs", "--json").out())["jobs"]

    def test_however_often_it_is_killed_the_file_has_every_row_once(self):
        count = 100000
        id = self.submit("identity", "--range", "n=1..%d" % count)
        for form in (("--format", "jsonl", "--columns", "index,value,params"), ("--format", "csv", "--columns", "index,n,value"), ()):
            self.run_fanmill("gather", id, *form, "-o", "whole", deadline=60)
            kills = 0
            rng = random.Random(7)
            while kills < 10:
                gatherer = self.fanmill("gather", id, *form, "-o", "out")
                limit = rng.randrange(1, (self.dir / "whole").stat().st_size)
                out = self.dir / "out"
                wait_until(lambda: not gatherer.running() or (out.exists() and out.stat().st_size >= limit), "%d bytes" % limit)
                if gatherer.running():
                    gatherer.process.kill()
                gatherer.wait()
                kills += 1
            self.run_fanmill("gather", id, *form, "-o", "out", deadline=60)
            self.assertTrue((self.dir / "out").read_bytes() == (self.dir / "whole").read_bytes(), form)
            self.assertFalse((self.dir / "out.cursor").exists())
            for name in ("out", "whole"):
                (self.dir / name).unlink()

    def test_interrupted_it_says_where_it_goes_on(self):
        id = self.submit("--open", "identity", ":::", "1", "2")
        gatherer = self.fanmill("gather", id, "-o", "out")
        wait_until(lambda: (self.dir / "out").exists() and (self.dir / "out").read_text() == "1\n2\n", "two rows")
        gatherer.signal(signal.SIGINT)
        self.assertEqual(gatherer.wait().code, 130)
        self.assertIn("the same line goes on", gatherer.err())
        self.run_fanmill("push", id, ":::", "3")
        self.run_fanmill("close", id)
        self.run_fanmill("gather", id, "-o", "out")
        self.assertEqual((self.dir / "out").read_text(), "1\n2\n3\n")

    def test_a_cursor_of_another_job_or_form_is_refused(self):
        one = self.submit("--open", "identity", ":::", "1")
        other = self.submit("identity", ":::", "2")
        gatherer = self.fanmill("gather", one, "-o", "out")
        wait_until(lambda: (self.dir / "out.cursor").exists(), "the cursor")
        gatherer.signal(signal.SIGINT)
        gatherer.wait()
        for words in ((other,), (one, "--format", "csv"), (one, "--unordered")):
            run = self.run_fanmill("gather", *words, "-o", "out", code=2)
            self.assertIn("out.cursor", run.err())
        self.write("out.cursor", "no json")
        self.assertIn("remove it", self.run_fanmill("gather", one, "-o", "out", code=2).err())

    def test_several_gather_one_job_each_in_its_order(self):
        id = self.submit("--open", "identity", "--range", "n=1..50000")
        gatherers = [self.fanmill("gather", id, *order) for order in ((), ("--unordered",), ("--from", "49990"))]
        for gatherer, lines in zip(gatherers, (50000, 50000, 10)):
            gatherer.wait_for_lines(lines)
        self.assertEqual(len(json.loads(self.run_fanmill("show", id, "--json").out())["jobs"][0]["readers"]), 3)
        self.run_fanmill("close", id)
        for gatherer in gatherers:
            self.assertEqual(gatherer.wait().code, 0)
        numbers = [str(n) for n in range(1, 50001)]
        self.assertEqual(gatherers[0].out().split(), numbers)
        self.assertEqual(sorted(gatherers[1].out().split(), key=int), numbers)
        self.assertEqual(gatherers[2].out().split(), numbers[-10:])

    def test_failed_tasks_make_status_1(self):
        id = self.submit("exec", "sh", "-c", "exit {}", ":::", "0", "3")
        self.run_fanmill("gather", id, code=1)

    def test_a_broker_that_was_restarted_without_its_jobs_is_told(self):
        id = self.submit("--open", "identity", ":::", "1")
        gatherer = self.fanmill("gather", id)
        gatherer.wait_for_lines(1)
        self.broker.process.kill()
        self.broker.wait()
        os.unlink(self.dir / "broker/socket")
        self.start_broker("--durability", "memory")
        self.assertEqual(gatherer.wait().code, 3)
        self.assertIn("restarted without a durable store", gatherer.err())


class Results(Jobs):
    def test_of_a_job_half_done_are_what_is_recorded_now(self):
        id = self.submit("exec", "--retries", "0", "sh", "-c", "test {} != 1 || exit 3; test {} != 2 || sleep 60; echo {}", ":::", "0", "1", "2", "3")
        wait_until(lambda: self.job(id)["counts"]["succeeded"] == 2 and self.job(id)["counts"]["failed"] == 1, "three of four")
        rows = self.rows(self.run_fanmill("results", "--format", "jsonl", id))
        self.assertEqual({i: row["status"] for i, row in rows.items()}, {0: "succeeded", 1: "failed", 3: "succeeded"})
        self.assertEqual(rows[1]["exit_code"], 3)
        self.assertEqual(self.run_fanmill("results", id).out(), "0\n3\n")
        failed = self.rows(self.run_fanmill("results", "--format", "jsonl", "--status", "failed,cancelled", id))
        self.assertEqual(list(failed), [1])
        self.run_fanmill("cancel", "--now", id)
        wait_until(lambda: self.job(id)["ended_ms"] is not None, "the end")
        rows = self.rows(self.run_fanmill("results", "--format", "jsonl", "--status", "cancelled", id))
        self.assertEqual(list(rows), [2])

    def test_of_a_job_without_any_are_nothing(self):
        id = self.submit("--open", "identity")
        self.assertEqual(self.run_fanmill("results", id).out(), "")
        self.assertRegex(self.run_fanmill("results", "--format", "csv", id).out(), "^index,")

    def test_an_unknown_status_is_refused(self):
        self.assertIn("dead-lettered", self.run_fanmill("results", "--status", "dead", "last", code=2).err())


class Push(Jobs):
    def test_several_push_into_one_open_job(self):
        id = self.submit("--open", "--name", "stream", "identity")
        pushers = [self.fanmill("push", "stream", "--range", "n=%d..%d" % (1000000 * k + 1, 1000000 * k + 50000)) for k in range(3)]
        for pusher in pushers:
            self.assertEqual(pusher.wait().code, 0, pusher)
            self.assertIn("50000 tuples added to job " + id, pusher.err())
        self.run_fanmill("close", "stream")
        numbers = [int(n) for n in self.run_fanmill("gather", id, deadline=60).out().split()]
        for k in range(3):  # those of one pusher in their order
            mine = [n for n in numbers if n // 1000000 == k]
            self.assertEqual(mine, list(range(1000000 * k + 1, 1000000 * k + 50001)))

    def test_with_a_key_nothing_is_added_twice(self):
        id = self.submit("--open", "identity")
        for _ in range(3):
            self.run_fanmill("push", "--key", "day-1", id, "--range", "n=1..40000")
        for _ in range(4):
            pusher = self.fanmill("push", "--key", "day-2", id, "--range", "n=50001..90000")
            wait_until(lambda: self.job(id)["counts"]["accepted"] > 40000, "something of the second day")
            pusher.process.kill()
            pusher.wait()
        self.run_fanmill("push", "--key", "day-2", id, "--range", "n=50001..90000")
        self.run_fanmill("close", id)
        numbers = [int(n) for n in self.run_fanmill("gather", id, deadline=60).out().split()]
        self.assertEqual(numbers, list(range(1, 40001)) + list(range(50001, 90001)))

    def test_with_a_key_whose_input_has_grown_is_a_conflict(self):
        id = self.submit("--open", "identity")
        self.run_fanmill("push", "--key", "day-1", id, "--range", "n=1..3")
        run = self.run_fanmill("push", "--key", "day-1", id, "--range", "n=1..5", code=2)
        self.assertIn('under the key "day-1" 3 tuples were pushed', run.err())
        self.assertEqual(self.job(id)["counts"]["accepted"], 3)

    def test_into_a_job_that_is_closed_or_of_other_parameters_is_refused(self):
        closed = self.submit("identity", ":::", "1")
        self.assertIn("closed", self.run_fanmill("push", closed, ":::", "1", code=2).err())
        named = self.submit("--open", "echo", "--range", "n=1..2")
        self.assertIn("have n, and these have no names", self.run_fanmill("push", named, ":::", "1", code=2).err())

    def test_what_does_not_fit_the_function_is_refused_with_its_place(self):
        id = self.submit("--open", "sleep")
        run = self.run_fanmill("push", id, "-", stdin='0\n"soon"\n0\n', code=2)
        self.assertIn("line 2", run.err())
        self.run_fanmill("close", id)
        self.run_fanmill("wait", id)
        self.assertEqual(self.job(id)["counts"]["accepted"], 1)


class Shares(Jobs):
    @serial
    def test_two_jobs_that_come_at_once_share_the_slots(self):
        path = self.write("in.jsonl", "0.0002\n" * 100000)
        submitters = [self.fanmill("submit", "--name", name, "sleep", path) for name in ("A", "B")]
        for submitter in submitters:
            self.assertEqual(submitter.wait().code, 0)

        def succeeded():
            jobs = json.loads(self.run_fanmill("jobs", "--json").out())["jobs"]
            return {job["name"]: job["counts"]["succeeded"] for job in jobs}

        # The one may have come long before the other, or its first leases wait for a busy disk.
        begin = wait_until(lambda: min((counts := succeeded()).values()) > 2000 and counts, "tasks of both")
        done = {}

        def many():
            done.update({name: count - begin[name] for name, count in succeeded().items()})
            return sum(done.values()) > 20000

        wait_until(many, lambda: "20000 tasks, but %s" % done)
        self.assertLess(abs(done["A"] - done["B"]), 0.15 * sum(done.values()), done)
        self.run_fanmill("cancel", "--now", "all")
        self.run_fanmill("wait", "all", code=1)


class AbsentReaders(Jobs):
    ROW = b'"%s"\n' % (b"forty characters to and fro, over again! " * 25)  # 1 KiB
    TASKS, SECONDS = 1000, 0.002

    def seconds_of_a_job(self):
        """How long the others' job takes: on two slots 1 s of sleep, and what fanmill adds."""
        begin = time.monotonic()
        self.run_fanmill("submit", "--wait", "sleep", "-", stdin=b"%g\n" % self.SECONDS * self.TASKS)
        return time.monotonic() - begin

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path("/proc/%d/status" % self.broker.pid).read_text()).group(1))

    @serial
    @measured
    def test_affect_nobody_else_in_rate_or_memory(self):
        alone = min(self.seconds_of_a_job() for _ in range(3))
        kept = self.submit("echo", "-", stdin=self.ROW * 60_000)
        self.run_fanmill("wait", kept)
        before = self.resident_kib()

        # One stands still while it writes, one was stopped; the third is a map without an end.
        read_end, write_end = os.pipe()
        gathers = [self.fanmill("gather", kept, stdout=write_end) for _ in range(2)]
        wait_until(lambda: len(self.shown(kept)["readers"]) == 2, "two readers")
        gathers[1].signal(signal.SIGSTOP)
        feed = subprocess.Popen(["yes", self.ROW.decode().strip()], stdout=subprocess.PIPE, env=self.env)
        mapping = self.fanmill("map", "--name", "unread", "echo", "-", stdin=feed.stdout, stdout=write_end)
        feed.stdout.close()
        os.close(write_end)
        seen = []

        def stands_still():
            jobs = json.loads(self.run_fanmill("jobs", "--json").out())["jobs"]
            seen.append(sum(job["counts"]["succeeded"] for job in jobs if job["name"] == "unread"))
            return len(seen) > 20 and seen[-1] == seen[-20] > 0

        wait_until(stands_still, lambda: "the map to stand still, but %s" % seen[-3:], 60)
        beside = min(self.seconds_of_a_job() for _ in range(3))
        grown = self.resident_kib() - before
        print("alone %.3f s, beside absent readers %.3f s (%+.1f %%); broker %+d KiB" % (alone, beside, 100 * (beside / alone - 1), grown))
        self.assertLess(beside, 1.05 * alone)
        self.assertLess(grown, 160 * 1024)  # the map's windows of tuples and of results, at most
        self.assertTrue(all(run.running() for run in (*gathers, mapping)))
        gathers[1].signal(signal.SIGCONT)
        os.close(read_end)
        for run in (*gathers, mapping):
            self.assertEqual(run.wait().code, 0, run.err())
        feed.wait(10)


class AsDocumented(Jobs):
    def setUp(self):
        super().setUp()
        self.write("in.jsonl", "1\n2\n")
        self.write("more.jsonl", "3\n")
        self.write("day-17.jsonl", "4\n")
        self.write("runs.csv", "seed\n5\n")
        self.write("simulate", "#!/bin/sh\necho $2\n").chmod(0o755)

    def run_lines(self, lines):
        for line in lines:
            with self.subTest(line):
                run = self.pipeline(line)
                self.assertEqual(run.code, 0, run)

    def test_the_lines_of_the_readme(self):
        readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
        block = re.search(r"by tests/integration/test_jobs.py -->\n```\n(.*?)```", readme, re.S).group(1)
        lines = [line for line in block.splitlines() if line]
        self.assertEqual(len(lines), 9)
        self.run_lines(lines)
        self.assertEqual((self.dir / "sweep.csv").read_text().splitlines()[0].split(",")[0], "index")

    def test_the_examples_of_their_help(self):
        for command in ("submit", "push", "results", "gather", "wait"):
            examples = re.findall(r"^  ((?:\S.*\| )?fanmill .*)$", self.run_fanmill(command, "--help").out(), re.M)
            self.assertGreaterEqual(len(examples), 3)
            if command == "gather":
                self.run_fanmill("close", "stream")
            self.run_lines(example for example in examples if "tail -f" not in example)


class Wait(Jobs):
    def test_until_all_have_ended(self):
        ids = [self.submit("sleep", ":::", "0.2"), self.submit("sleep", ":::", "0.3")]
        run = self.run_fanmill("wait", *ids)
        self.assertEqual(len(re.findall("done, 1 of 1 succeeded", run.err())), 2)
        jobs = json.loads(self.run_fanmill("wait", "--json", "all").out())["jobs"]
        self.assertEqual([job["state"] for job in jobs], ["done", "done"])

    def test_no_longer_than_it_may(self):
        id = self.submit("sleep", ":::", "60")
        run = self.run_fanmill("wait", "--timeout", "200ms", id, code=1)
        self.assertIn("the time is over", run.err())
        self.run_fanmill("cancel", "--now", id)
        self.run_fanmill("wait", id, code=1)
