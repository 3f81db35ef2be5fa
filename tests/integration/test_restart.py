"""A broker that is killed at random moments and started again, and stores that cannot be used."""
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import time
import unittest

from harness import AS_A_USER, BIN, FanmillTest, serial, wait_until

WHERE = "ipc://broker/socket"


class Restarts(FanmillTest):
    def setUp(self):
        super().setUp()
        self.env["FANMILL_BROKER"] = WHERE
        self.store = self.dir / ".local/state/fanmill/broker.store"
        self.start_broker()
        self.worker = self.start(BIN / "fanmill-worker", "--slots", "2", "--name", "w")
        self.worker.wait_for_stderr("with . slot")

    def start_broker(self, *options):
        self.broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, *options)
        self.broker.wait_for_stderr("results are kept")

    def kill_broker(self):
        self.broker.process.kill()
        self.broker.wait()

    def restart_broker(self):
        self.kill_broker()
        self.start_broker()


class Killed(Restarts):
    @serial
    def test_fifty_times_the_output_is_that_of_an_undisturbed_run(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        chance = random.Random(seed)
        tasks = 20000
        lines = self.write("in.jsonl", "".join('[0.0003,"line %d"]\n' % i for i in range(tasks)))
        run = self.fanmill("map", "sleep_print", lines, "-o", "out.txt", "--quiet")
        for _ in range(50):
            time.sleep(chance.uniform(0.01, 0.4))  # the moment is what is drawn
            self.restart_broker()
        run.wait(180)
        self.assertEqual(run.code, 0, run)
        self.assertEqual((self.dir / "out.txt").read_text(), "".join("line %d\n" % i for i in range(tasks)))

    def test_readers_and_waiters_come_back(self):
        id = self.run_fanmill("submit", "sleep_print", self.write("in.jsonl", "".join('[0.01,"%d"]\n' % i for i in range(300)))).out().strip()
        gatherer = self.fanmill("gather", id, "-o", "rows.txt")
        waiter = self.fanmill("wait", id)
        wait_until(lambda: json.loads(self.run_fanmill("jobs", "--json").out())["jobs"][0]["counts"]["succeeded"] > 20, "some rows")
        self.restart_broker()
        self.restart_broker()
        for program in (gatherer, waiter):
            self.assertEqual(program.wait(60).code, 0, program)
            self.assertIn("the connection to the broker is lost; trying again", program.err())
        self.assertEqual((self.dir / "rows.txt").read_text(), "".join("%d\n" % i for i in range(300)))

    def test_what_runs_meanwhile_runs_once(self):
        counter = self.dir / "runs"
        self.worker.signal(15)
        self.worker.wait()
        self.worker = self.start(BIN / "fanmill-worker", "--slots", "1", "--allow-exec", "--name", "w")
        self.worker.wait_for_stderr("with . slot")
        run = self.fanmill("exec", "sh", "-c", "echo x >> %s; sleep 2; echo done" % counter, ":::", "1")
        wait_until(counter.exists, "the task's beginning")
        self.restart_broker()
        self.assertEqual(run.wait().out(), "done\n")
        self.assertEqual(counter.read_text(), "x\n")

    def test_on_a_backup_copy_of_the_store_what_came_after_it_is_unknown(self):
        kept = self.run_fanmill("submit", "--quiet", "--wait", "--key", "kept", "identity", ":::", "1", "2").out().strip()
        self.broker.signal(signal.SIGTERM)
        self.broker.wait()
        backup = self.dir / "backup.store"
        shutil.copyfile(self.store, backup)
        self.start_broker()
        self.assertEqual(self.run_fanmill("gather", "kept").out(), "1\n2\n")
        lost = self.run_fanmill("submit", "--quiet", "--key", "lost", "sleep_print", ":::", "3", ":::", "a").out().strip()
        wait_until(lambda: json.loads(self.run_fanmill("status", "--json").out())["status"]["busy"] == 1, "the task's beginning")
        self.kill_broker()
        for path in self.store.parent.glob("broker.store*"):
            path.unlink()
        shutil.move(backup, self.store)
        self.start_broker()
        self.broker.wait_for_stderr("has tasks of a life of the broker that this store does not know: they are dropped")
        self.assertEqual(self.run_fanmill("gather", "kept").out(), "1\n2\n")
        self.assertIn("no job", self.run_fanmill("gather", lost, code=2).err())
        # The same line under the same key is another job now, with an id of its own.
        again = self.run_fanmill("submit", "--quiet", "--wait", "--key", "lost", "sleep_print", ":::", "0", ":::", "b").out().strip()
        self.assertEqual(len({kept, lost, again}), 3)
        self.assertEqual(self.run_fanmill("gather", again).out(), "b\n")
        self.worker.signal(signal.SIGTERM)  # the task that was dropped reports to nobody
        self.worker.wait()
        self.assertEqual(self.run_fanmill("gather", again).out(), "b\n")
        status = json.loads(self.run_fanmill("status", "--json").out())["status"]
        self.assertEqual(status["sink"]["recorded"], 1)

    def test_submitting_again_under_the_key_adds_nothing(self):
        first = self.run_fanmill("submit", "--key", "k", "identity", ":::", "1", "2", "3").out()
        self.restart_broker()
        self.assertEqual(self.run_fanmill("submit", "--key", "k", "identity", ":::", "1", "2", "3").out(), first)
        self.assertEqual(self.run_fanmill("gather", first.strip()).out(), "1\n2\n3\n")

    def test_a_job_that_was_read_half_is_read_on(self):
        id = self.run_fanmill("submit", "--open", "identity", ":::", "1", "2").out().strip()
        gatherer = self.fanmill("gather", id)
        gatherer.wait_for_lines(2)
        self.restart_broker()
        self.run_fanmill("push", id, "-", stdin="3\n")
        self.run_fanmill("close", id)
        self.assertEqual(gatherer.wait().out(), "1\n2\n3\n")


class Rounds(Restarts):
    def setUp(self):
        super().setUp()
        self.worker.signal(15)
        self.worker.wait()
        self.start_worker()

    def start_worker(self):
        self.worker = self.start(BIN / "fanmill-worker", "--slots", "2", "--allow-exec", "--name", "w")
        self.worker.wait_for_stderr("with . slot")

    def counts(self, job):
        return json.loads(self.run_fanmill("show", job, "--json").out())["jobs"][0]["counts"]

    def test_a_retry_goes_on_after_kills_and_its_rows_are_the_newest(self):
        mend = self.dir / "mended"
        submit = ("submit", "exec", "--name", "sweep", "--wait", "--range", "n=1..300", "--")
        self.run_fanmill(*submit, "sh", "-c", "test $(({n} %% 3)) != 0 -o -e %s && echo {n}" % mend, code=1)
        self.assertEqual(self.counts("sweep")["failed"], 100)
        self.restart_broker()
        self.assertIn("100 of 300 tasks did not succeed", self.run_fanmill("why", "sweep").out())
        mend.touch()
        self.assertIn("100 tasks run again, as round 2", self.run_fanmill("retry", "sweep").out())
        wait_until(lambda: self.counts("sweep")["succeeded"] > 210, "some of the round")
        self.restart_broker()
        self.restart_broker()
        self.run_fanmill("wait", "sweep")
        self.assertEqual(self.run_fanmill("gather", "sweep").out(), "".join("%d\n" % i for i in range(1, 301)))
        self.assertEqual(self.counts("sweep")["succeeded"], 300)

    def test_what_runs_at_most_once_and_lost_broker_and_worker_does_not_run_again(self):
        runs = self.dir / "runs"
        job = self.run_fanmill("submit", "exec", "--at-most-once", "sh", "-c", "echo {} >> %s; sleep 1000" % runs, ":::", "1", "2").out().strip()
        wait_until(lambda: runs.exists() and len(runs.read_text().split()) == 2, "both tasks' beginnings")
        self.broker.process.kill()
        self.worker.process.kill()
        self.broker.wait()
        self.worker.wait()
        self.start_broker()
        self.start_worker()
        waited = self.fanmill("wait", job).wait(60)
        self.assertEqual(waited.code, 1, waited)
        self.assertIn("may have run", self.run_fanmill("why", job).out())
        self.assertEqual(sorted(runs.read_text().split()), ["1", "2"])


class BadStores(FanmillTest):
    def setUp(self):
        super().setUp()
        broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, "--store", "good.store")
        broker.wait_for_stderr("results are kept")
        worker = self.start(BIN / "fanmill-worker", "--broker", WHERE, "--slots", "1")
        worker.wait_for_stderr("with . slot")
        self.run_fanmill("submit", "--broker", WHERE, "--wait", "identity", "--range", "n=1..5000")
        worker.signal(15)
        worker.wait()
        broker.signal(15)
        broker.wait()

    def refused(self, path, words, code=2, prefix=()):
        before = path.read_bytes() if path.is_file() else None
        run = self.start(*prefix, BIN / "fanmill-broker", "--listen", WHERE, "--store", path).wait()
        self.assertEqual(run.code, code, run)
        self.assertRegex(run.err(), words)
        self.assertIn(str(path), run.err())
        self.assertLessEqual(len(run.err().splitlines()), 3, run)
        if before is not None:
            self.assertEqual(path.read_bytes(), before)
        return run

    def copy(self, name):
        return shutil.copyfile(self.dir / "good.store", self.dir / name)

    def test_are_refused_and_left_as_they_were(self):
        cut = self.copy("cut.store")
        os.truncate(cut, cut.stat().st_size // 2)
        self.refused(cut, "is cut short; it was left as it is. Look into it with: fanmill store verify")
        foreign = self.write("foreign.store", "something else\n" * 100)
        self.refused(foreign, "is no store of a broker; it was left as it is. Name another file")
        other = self.dir / "other.store"
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE t (a)")
        self.refused(other, "is a SQLite file, but no store of a broker")
        later = self.copy("later.store")
        with open(later, "r+b") as file:
            file.seek(60)
            file.write((99).to_bytes(4, "big"))
        self.refused(later, "was written by a later fanmill .schema 99, this one knows [0-9]+.")
        self.refused(self.dir, "is a directory. Name another file")
        self.refused(self.dir / "nowhere/x.store", "see the permissions of the directory", code=3)

    def test_on_disks_that_cannot_be_written_too(self):
        disk = self.small_disk(8)
        good = pathlib.Path(shutil.copyfile(self.dir / "good.store", disk / "good.store"))
        self.read_only(disk)
        self.refused(good, "cannot be made .Read-only file system.; .*name another file", code=3)
        self.refused(disk / "none.store", "cannot be made .Read-only file system.; .*name another file", code=3)
        self.assertEqual([p.name for p in disk.iterdir()], ["good.store"])

    def test_on_disks_that_are_full_too(self):
        disk = self.small_disk(1)
        good = pathlib.Path(shutil.copyfile(self.dir / "good.store", disk / "good.store"))
        self.fill(disk)
        self.refused(good, "the disk is full; make room, then start again", code=3)
        self.refused(disk / "none.store", "the disk is full; make room, then start again", code=3)
        (disk / "filler").unlink()
        self.assertIn("1 job, 5000 tasks", self.run_fanmill("store", "verify", good).out())

    def test_on_a_full_disk_the_reserve_of_an_earlier_life_makes_room(self):
        disk = self.small_disk(2)
        good = pathlib.Path(shutil.copyfile(self.dir / "good.store", disk / "good.store"))
        reserve = disk / "good.store.reserve"
        reserve.write_bytes(bytes(1 << 20))
        self.fill(disk)
        broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, "--store", good)
        broker.wait_for_stderr("5000 of 5000 tasks have ended")
        self.assertFalse(reserve.exists())
        self.assertEqual(len(self.run_fanmill("gather", "--broker", WHERE, "last").out().splitlines()), 5000)

    def test_in_places_where_they_may_not_be_written_too(self):
        place = self.dir / "place"
        place.mkdir()
        good = pathlib.Path(shutil.copyfile(self.dir / "good.store", place / "good.store"))
        place.chmod(0o555)
        self.refused(good, "cannot be made .Permission denied.; see the permissions of the directory", code=3, prefix=AS_A_USER)
        self.refused(place / "none.store", "cannot be made .Permission denied.; see the permissions of the directory", code=3, prefix=AS_A_USER)
        self.assertEqual([p.name for p in place.iterdir()], ["good.store"])
        place.chmod(0o755)
        good.chmod(0o400)
        self.refused(good, "cannot be written .*; see the permissions of the file", code=3, prefix=AS_A_USER)

    def test_with_flipped_bits_end_no_other_way(self):
        """Whatever bit it is: refused, or served; and what is served is what was written."""
        seed = random.randrange(1 << 32)
        print("seed", seed)
        chance = random.Random(seed)
        data = (self.dir / "good.store").read_bytes()
        right = "".join("%d\n" % i for i in range(1, 5001))
        refused = 0
        for number in range(30):
            path = self.dir / ("flipped-%d.store" % number)
            flipped = bytearray(data)
            for _ in range(chance.choice((1, 1, 50))):
                flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, "--store", path)
            wait_until(lambda: not broker.running() or "results are kept" in broker.err(), "its end, or that it serves")
            if broker.running():
                rows = path.with_suffix(".rows")
                gatherer = self.fanmill("gather", "--broker", WHERE, "last", "-o", rows)
                wait_until(lambda: not gatherer.running() or not broker.running(), "the rows, or that the broker ends")
                gatherer.signal(signal.SIGKILL)
                broker.signal(signal.SIGTERM)
                self.assertTrue(not rows.exists() or right.startswith(rows.read_text()), path)
            broker.wait()
            if broker.code != 0:
                refused += 1
                self.assertIn(broker.code, (2, 3), broker)
                self.assertIn(str(path), broker.err().splitlines()[-1])
        print("refused", refused)

    def test_flipped_bits_are_found(self):
        path = self.copy("flipped.store")
        data = bytearray(path.read_bytes())
        place = data.rindex(b"\xcd\x13\x88")  # 5000, in a tuple or a value
        data[place + 2] ^= 1
        path.write_bytes(data)
        run = self.run_fanmill("store", "verify", path, code=1)
        self.assertRegex(run.out(), "checksum")

    def test_verify_counts_what_there_is(self):
        run = self.run_fanmill("store", "verify", "good.store")
        self.assertRegex(run.out(), r"good.store: 1 job, 5000 tasks, 5000 of them recorded in \d+ records; \d+ blobs of \d+ bytes read: all as they were written")
        self.assertIn("there is no such file", self.run_fanmill("store", "verify", "none", code=3).err())
        self.run_fanmill("store", code=2)

    def test_a_file_for_what_is_kept_in_memory_is_wrong_use(self):
        run = self.start(BIN / "fanmill-broker", "--store", "x", "--durability", "memory").wait()
        self.assertEqual(run.code, 2, run)
        self.assertIn("leave one of them out", run.err())


if __name__ == "__main__":
    unittest.main()
