"""Runs with a journal: whatever ends them, the same line goes on, and runs only what is not done."""
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import unittest

from harness import AS_A_USER, FanmillTest, wait_until

# Adds a byte to the file `ran` for each command, so that a test can count how many ran.
COUNTED = ("sh", "-c", 'printf . >>ran; printf "%s" "$1"', "sh", "{}")


class Journal(FanmillTest):
    def ran(self):
        path = self.dir / "ran"
        return path.stat().st_size if path.exists() else 0

    def counted(self, *options, code=0, words=COUNTED):
        """Runs the counted command over in.txt; returns the run and how many commands ran in it."""
        before = self.ran()
        run = self.run_fanmill("exec", "-j", "2", "--journal", "run.db", *options, "--lines", "in.txt", "--", *words, code=code)
        return run, self.ran() - before

    def kill(self, run):
        """The whole thing at once: CLI, executors and commands."""
        for info in self.processes().values():
            try:
                os.kill(info.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        run.wait()


class Resume(Journal):
    def test_runs_nothing_again(self):
        self.write("in.txt", "a\nb\nc\n")
        self.assertEqual(self.counted("--resume")[1], 3)
        run, ran = self.counted("--resume")
        self.assertEqual((run.out(), ran), ("abc", 0))
        self.assertEqual(run.err(), "fanmill: run.db: 3 of 3 tasks done; nothing to run\n")

    def test_of_a_longer_input_runs_what_is_new(self):
        self.write("in.txt", "a\nb\n")
        self.counted()
        self.write("in.txt", "a\nb\nc\nd\n")
        run, ran = self.counted("--resume")
        self.assertEqual((run.out(), ran), ("abcd", 2))
        self.assertEqual(run.err(), "fanmill: run.db: 2 of 4 tasks done; to run: 2 (2 new)\n")

    def test_of_an_edited_input_knows_tuples_by_their_content(self):
        self.write("in.txt", "a\nb\nc\nb\nd\n")
        self.counted()
        self.write("in.txt", "b\nd\na\nx\nb\nb\n")  # in another order, one gone, one new, and a third b
        run, ran = self.counted("--resume")
        self.assertEqual((run.out(), ran), ("bdaxbb", 2))
        self.assertEqual(run.err(), "fanmill: run.db: 4 of 6 tasks done; to run: 2 (2 new)\n"
                                    "fanmill: run.db: 1 task of it is not in the input any more, and kept there\n")
        self.write("in.txt", "c\n")
        self.assertEqual(self.counted("--resume")[0].out(), "c")

    def test_runs_what_failed_again(self):
        words = ("sh", "-c", 'printf . >>ran; test "$1" != b -o -e mended && printf "%s" "$1"', "sh", "{}")
        self.write("in.txt", "a\nb\nc\n")
        run, ran = self.counted("-o", "out", code=1, words=words)
        self.assertEqual(ran, 3)
        self.write("mended", "")
        run, ran = self.counted("-o", "out", "--resume", words=words)
        self.assertEqual(((self.dir / "out").read_text(), ran), ("abc", 1))
        self.assertIn("2 of 3 tasks done; to run: 1 (1 failed before)", run.err())

    def test_of_stdin_takes_it_as_it_comes(self):
        first = self.run_fanmill("map", "--journal", "run.db", "identity", "-", stdin=b"1\n2\n")
        self.assertEqual(first.out(), "1\n2\n")
        again = self.run_fanmill("map", "--journal", "run.db", "--resume", "identity", "-", stdin=b"2\n3\n1\n")
        self.assertEqual(again.out(), "2\n3\n1\n")
        self.assertEqual(again.err(), "fanmill: run.db: 2 tasks there; what is done of the input is not run again\n")

    def test_in_another_form_gives_the_same_results(self):
        self.write("in.csv", "x\n1\n2\n")
        self.run_fanmill("map", "--journal", "run.db", "-o", "out", "identity", "in.csv")
        rows = self.run_fanmill("map", "--journal", "run.db", "--resume", "--format", "csv", "--columns", "index,x,value", "-o", "out",
                                "identity", "in.csv")
        self.assertIn("nothing to run", rows.err())
        self.assertEqual((self.dir / "out").read_text(), "index,x,value\n0,1,1\n1,2,2\n")

    def test_without_an_order_gives_every_row_once(self):
        self.write("in.jsonl", "".join("%d\n" % i for i in range(1000)))
        self.run_fanmill("map", "--journal", "run.db", "--limit", "700", "identity", "in.jsonl")
        run = self.run_fanmill("map", "--journal", "run.db", "--resume", "--unordered", "--format", "jsonl", "identity", "in.jsonl")
        rows = self.rows(run)
        self.assertEqual(len(run.out().splitlines()), 1000)
        self.assertEqual({i: row["value"] for i, row in rows.items()}, {i: i for i in range(1000)})

    def test_names_rows_and_failures_as_the_input_does(self):
        self.write("in.txt", "a\nb\nc\nd\n")
        words = ("sh", "-c", 'test "$1" != d', "sh", "{}")
        self.run_fanmill("exec", "--journal", "run.db", "--limit", "2", "--lines", "in.txt", "--", *words)
        run = self.run_fanmill("exec", "--journal", "run.db", "--resume", "--format", "jsonl", "--lines", "in.txt", "--", *words, code=1)
        rows = self.rows(run)
        self.assertEqual([(i, rows[i]["params"], rows[i]["status"]) for i in sorted(rows)],
                         [(0, ["a"], "succeeded"), (1, ["b"], "succeeded"), (2, ["c"], "succeeded"), (3, ["d"], "failed")])
        self.assertIn("task 3", run.err())


class Ended(Journal):
    def test_by_kills_at_any_moment_the_file_is_that_of_an_undisturbed_run(self):
        seed = int(os.environ.get("FANMILL_SEED", random.randrange(10**6)))
        print("FANMILL_SEED=%d" % seed)
        random.seed(seed)
        self.write("in.jsonl", "".join("[%g,\"line %d\"]\n" % (0.0002 * (i % 7), i) for i in range(6000)))
        for form in (("values", ()), ("csv", ("--columns", "index,params,value,status"))):
            line = ("map", "-j", "2", "--format", form[0], *form[1], "sleep_print", "in.jsonl")
            whole = self.run_fanmill(*line).out()
            kills = 0
            while True:
                run = self.fanmill(*line, "--journal", form[0] + ".db", "--resume", "-o", form[0])
                try:
                    run.wait(random.uniform(0.05, 0.6))
                except AssertionError:
                    self.kill(run)
                    kills += 1
                    continue
                break
            self.assertEqual(run.code, 0, run)
            self.assertEqual((self.dir / form[0]).read_text(), whole)
            self.assertGreater(kills, 2)
            self.assertLess(kills, 60)

    def test_by_a_kill_behind_a_task_that_hangs_all_that_was_done_is_kept(self):
        words = ("sh", "-c", 'printf . >>ran; test "$1" != 0 -o -e mended || sleep 100; printf "%s" "$1"', "sh", "{}")
        self.write("in.txt", "".join("%d\n" % i for i in range(200)))
        line = ("exec", "-j", "2", "--journal", "run.db", "--resume", "--lines", "in.txt", "--", *words)
        run = self.fanmill(*line)

        def recorded():
            try:
                database = sqlite3.connect("file:%s?mode=ro" % (self.dir / "run.db"), uri=True)
                return database.execute("SELECT sum(count) FROM row").fetchone()[0] or 0
            except sqlite3.OperationalError:  # not yet
                return 0

        wait_until(lambda: recorded() == 199, lambda: "199 results in the journal, not %d" % recorded())
        self.kill(run)
        self.write("mended", "")
        before = self.ran()
        run = self.run_fanmill(*line)
        self.assertEqual(run.out(), "".join("%d" % i for i in range(200)))
        self.assertEqual(self.ran() - before, 1)
        self.assertIn("199 of 200 tasks done; to run: 1 (1 not finished)", run.err())

    def full_disk(self, lines, *words):
        """Until the disk of the journal is full; then on, where there is room. Returns what the latter says."""
        line = ("map", "-j", "2", "--journal", "disk/run.db", "--resume", *words, "--raw", "-o", "out")
        run = self.run_fanmill(*line, code=3)
        self.assertIn("disk/run.db: the disk is full; make room, then start again", run.err())
        for path in self.disk.glob("run.db*"):
            shutil.move(path, self.dir / path.name)
        run = self.run_fanmill(*(w.replace("disk/", "") for w in line))
        self.assertEqual((self.dir / "out").read_text(), "".join(line + "\n" for line in lines))
        return run.err()

    def test_by_a_full_disk_it_goes_on_where_the_journal_ends(self):
        self.disk = self.small_disk(4)
        lines = ["line %d " % i + "x" * 2000 for i in range(3000)]
        self.write("in.jsonl", "".join("[0.001,%s]\n" % json.dumps(line) for line in lines))
        self.assertRegex(self.full_disk(lines, "sleep_print", "in.jsonl"), r"run.db: [1-9]\d* of 3000 tasks done; to run: [1-9]")

    def test_by_a_disk_that_is_full_at_once_it_begins_anew(self):
        self.disk = self.small_disk(2)
        lines = ["line %d" % i for i in range(200000)]
        self.write("in.txt", "".join(line + "\n" for line in lines))
        self.full_disk(lines, "identity", "--lines", "in.txt")

    def test_by_an_interrupt_says_the_line_that_goes_on(self):
        self.write("in put.jsonl", '[0,"a"]\n[0,"b"]\n[60,"c"]\n')
        run = self.fanmill("map", "-j", "1", "--journal", "run.db", "sleep_print", "in put.jsonl", "-o", "out")
        wait_until(lambda: (self.dir / "out").exists() and (self.dir / "out").read_text() == "a\nb\n", "two results")
        run.signal(signal.SIGINT)
        run.wait_for_stderr("once more kills it")
        run.signal(signal.SIGINT)
        run.wait()
        self.assertEqual(run.code, 130)
        self.assertTrue(run.err().endswith("\nfanmill: to go on: fanmill map --resume -j 1 --journal run.db sleep_print 'in put.jsonl' -o out\n")
                        or run.err().endswith("\nfanmill: to go on: fanmill map --resume -j 1 --journal run.db sleep_print in\\ put.jsonl -o out\n"), run.err())
        self.write("in put.jsonl", '[0,"a"]\n[0,"b"]\n')
        again = self.pipeline(run.err().splitlines()[-1].partition("to go on: ")[2])
        self.assertEqual((again.code, (self.dir / "out").read_text()), (0, "a\nb\n"))

    def test_by_an_interrupt_without_a_journal_says_what_would_have_kept_it(self):
        run = self.fanmill("map", "-j", "1", "sleep_print", ":::", "0", "60", ":::", "a")
        run.wait_for_lines(1)
        for _ in range(2):
            run.signal(signal.SIGINT)
            run.wait_for_stderr("interrupted")
        run.wait()
        self.assertIn("with --journal FILE", run.err())

    def test_at_level_sync_it_is_the_same(self):
        self.write("in.jsonl", "".join("%d\n" % i for i in range(100)))
        line = ("map", "--journal", "run.db", "--durability", "sync", "--resume", "-o", "out", "identity", "in.jsonl")
        self.run_fanmill(*line)
        self.assertIn("nothing to run", self.run_fanmill(*line).err())
        self.assertEqual((self.dir / "out").read_text(), (self.dir / "in.jsonl").read_text())


class Output(Journal):
    def test_that_was_changed_by_others_is_written_anew(self):
        self.write("in.txt", "a\nb\nc\n")
        self.counted("-o", "out")
        for text in ("", "a"):  # shorter than the journal says
            self.write("out", text)
            self.counted("--resume", "-o", "out")
            self.assertEqual((self.dir / "out").read_text(), "abc")
        self.write("out", "abc and what an interrupted write left")
        self.counted("--resume", "-o", "out")
        self.assertEqual((self.dir / "out").read_text(), "abc")
        (self.dir / "out").unlink()
        self.counted("--resume", "-o", "out")
        self.assertEqual((self.dir / "out").read_text(), "abc")

    def test_goes_on_where_it_is_safe(self):
        self.write("in.jsonl", "".join("%d\n" % i for i in range(1000)))
        self.run_fanmill("map", "--journal", "run.db", "-o", "out", "--format", "csv", "--columns", "index,value", "identity", "in.jsonl")
        inode = (self.dir / "out").stat().st_ino
        with open(self.dir / "in.jsonl", "a") as more:
            more.write("1000\n")
        self.run_fanmill("map", "--journal", "run.db", "--resume", "-o", "out", "--format", "csv", "--columns", "index,value", "identity", "in.jsonl")
        self.assertEqual((self.dir / "out").read_text(), "index,value\n" + "".join("%d,%d\n" % (i, i) for i in range(1001)))
        self.assertEqual((self.dir / "out").stat().st_ino, inode)


class Refused(Journal):
    def setUp(self):
        super().setUp()
        self.write("in.txt", "a\nb\n")
        self.counted()
        self.journal = self.dir / "run.db"
        self.before = self.journal.read_bytes()

    def refused(self, *words, says, code=2, journal="run.db", prefix=()):
        run = self.run_fanmill(words[0], "--journal", journal, *words[1:], code=code, prefix=prefix)
        self.assertIn(says, run.err())
        self.assertLessEqual(len(run.err().splitlines()), 3)
        self.assertEqual(run.out(), "")

    def untouched(self):
        self.assertEqual(self.journal.read_bytes(), self.before)

    def test_another_function_or_command(self):
        self.refused("map", "--resume", "identity", ":::", "1", says="run.db is of sh -c")
        self.refused("exec", "--resume", "--lines", "in.txt", "--", "echo", "{}", says="and this is echo")
        self.refused("exec", "--resume", "--env", "A=1", "--lines", "in.txt", "--", *COUNTED, says="with other parameters, directory or environment")
        self.untouched()

    def test_a_journal_that_holds_something_unless_told(self):
        self.refused("exec", "--lines", "in.txt", "--", *COUNTED, says="has 2 tasks of sh -c")
        self.untouched()

    def test_what_is_no_journal(self):
        self.refused("map", "identity", ":::", "1", journal="in.txt", says="in.txt is no journal of fanmill")
        self.assertEqual((self.dir / "in.txt").read_text(), "a\nb\n")
        self.refused("map", "identity", ":::", "1", journal=".", says=". is a directory")
        other = sqlite3.connect(self.dir / "other.db")
        other.execute("CREATE TABLE t (a)")
        other.commit()
        other.close()
        self.refused("map", "identity", ":::", "1", journal="other.db", says="is a SQLite file, but no journal of fanmill")
        self.refused("map", "identity", ":::", "1", journal="no/where.db", code=3, says="no/where.db: cannot be written")

    def test_one_that_is_cut_short_or_of_a_later_fanmill(self):
        self.journal.write_bytes(self.before[: len(self.before) // 2])
        self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, says="the file is cut short")
        self.journal.write_bytes(self.before[:60] + b"\0\0\0\x63" + self.before[64:])
        self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, says="was written by a later fanmill (schema 99, this one knows 1)")

    def test_one_with_a_bit_that_flipped(self):
        at = self.before.index(b"\xa1a\xa1b") if b"\xa1a\xa1b" in self.before else self.before.rindex(b"\xa1b")
        damaged = bytearray(self.before)
        damaged[at + 1] ^= 1
        self.journal.write_bytes(damaged)
        self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, says="the checksum of the results from")
        self.assertEqual(self.journal.read_bytes(), bytes(damaged))

    def test_one_that_another_run_uses(self):
        holder = self.fanmill("map", "--journal", "held.db", "sleep", ":::", "60")
        wait_until(lambda: (self.dir / "held.db-wal").exists(), "the journal in use")
        self.refused("map", "--resume", "sleep", ":::", "60", journal="held.db", says="held.db is in use by another run")
        holder.signal(signal.SIGKILL)

    def test_one_that_may_not_be_written(self):
        self.journal.chmod(0o400)
        self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, code=3, says="run.db: cannot be written (Permission denied)", prefix=AS_A_USER)
        place = self.dir / "place"
        place.mkdir()
        shutil.copyfile(self.journal, place / "run.db")
        place.chmod(0o555)
        for name in ("run.db", "none.db"):
            self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, code=3, journal="place/" + name, says="place/%s: cannot be written" % name,
                         prefix=AS_A_USER)
        self.assertEqual((place / "run.db").read_bytes(), self.before)
        self.assertEqual([p.name for p in place.iterdir()], ["run.db"])

    def test_one_on_a_disk_that_cannot_be_written(self):
        disk = self.small_disk(8)
        shutil.copyfile(self.journal, disk / "run.db")
        self.read_only(disk)
        for name in ("run.db", "none.db"):
            self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, code=3, journal="disk/" + name,
                         says="disk/%s: cannot be written (Read-only file system). Name another file" % name)

    def test_one_on_a_disk_that_is_full(self):
        disk = self.small_disk(1)
        shutil.copyfile(self.journal, disk / "run.db")
        self.fill(disk)
        for name in ("run.db", "none.db"):
            self.refused("exec", "--resume", "--lines", "in.txt", "--", *COUNTED, code=3, journal="disk/" + name,
                         says="disk/%s: the disk is full; make room, then start again" % name)
        self.assertEqual((disk / "run.db").read_bytes(), self.before)
        (disk / "filler").unlink()
        self.assertEqual(self.run_fanmill("exec", "--journal", "disk/run.db", "--resume", "--lines", "in.txt", "--", *COUNTED).out(), "ab")

    def test_options_that_make_no_sense(self):
        def usage(*words, says):
            self.assertIn(says, self.run_fanmill(*words, code=2).err())

        usage("map", "--resume", "identity", ":::", "1", says="give --journal FILE")
        usage("map", "--durability", "sync", "identity", ":::", "1", says="give --journal FILE")
        usage("map", "--journal", "j.db", "--broker", "ipc:///x", "identity", ":::", "1", says="--journal is of a private run")
        usage("map", "--journal", "j.db", "-o", "j.db", "identity", ":::", "1", says="-o j.db and --journal name the same file")
        usage("map", "--journal", "", "identity", ":::", "1", says="names no file")
        self.assertFalse((self.dir / "j.db").exists())
