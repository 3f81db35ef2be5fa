"""Stores and journals that an earlier fanmill left, one of each schema (tests/data/make_store_fixtures.py): opened, verified, gone on with."""
import gzip
import json
import sqlite3
import contextlib
import unittest

from harness import BIN, DATA, FanmillTest

WHERE = "ipc://broker/socket"


class OldFiles(FanmillTest):
    def unpacked(self, kind):
        """Every file of that kind, by its schema."""
        packed = sorted(DATA.glob(kind + "-*.db.gz"))
        self.assertTrue(packed)
        for path in packed:
            file = self.dir / path.stem
            file.write_bytes(gzip.decompress(path.read_bytes()))
            with contextlib.closing(sqlite3.connect(file)) as database:
                self.assertEqual(path.stem, "%s-%d.db" % (kind, database.execute("PRAGMA user_version").fetchone()[0]))
            yield file

    def test_a_store_goes_on(self):
        self.env["FANMILL_BROKER"] = WHERE
        for store in self.unpacked("store"):
            with self.subTest(store.name):
                self.assertRegex(self.run_fanmill("store", "verify", store).out(), "6 jobs, .* all as they were written")
                broker = self.start(BIN / "fanmill-broker", "--listen", WHERE, "--store", store)
                broker.wait_for_stderr("results are kept")
                self.assertEqual(self.run_fanmill("gather", "numbers").out(), "".join("%d\n" % n for n in range(1, 301)))
                rows = self.rows(self.run_fanmill("gather", "commands", "--format", "jsonl", code=1))
                self.assertEqual([(rows[i]["value"], rows[i]["status"], rows[i]["attempt"]) for i in range(3)],
                                 [("value 1\n", "succeeded", 1), (None, "failed", 2), ("value 3\n", "succeeded", 1)])
                states = {job["key"]: job["state"] for job in json.loads(self.run_fanmill("jobs", "--all", "--json").out())["jobs"]}
                self.assertEqual(states["dropped"], "cancelled")
                self.assertNotIn("gone", states)
                # What was accepted under a key is known, and what is new goes on behind it.
                self.assertEqual(self.run_fanmill("submit", "--quiet", "--key", "waiting", "identity", ":::", "a", "b", "c").code, 0)
                self.run_fanmill("cancel", "sleeper")
                worker = self.start(BIN / "fanmill-worker", "--slots", "1", "--name", "w")
                self.run_fanmill("push", "--quiet", "--key", "p", "pushed", "-", stdin="1\n2\n")
                self.run_fanmill("push", "--quiet", "--key", "r", "pushed", "-", stdin="4\n")
                self.run_fanmill("close", "pushed")
                self.assertEqual(self.run_fanmill("gather", "pushed").out(), "1\n2\n3\n4\n")
                self.assertEqual(self.run_fanmill("gather", "--raw", "waiting").out(), "a\nb\nc\n")
                worker.signal(15)
                worker.wait()
                broker.signal(15)
                broker.wait()
                self.assertRegex(self.run_fanmill("store", "verify", store).out(), "6 jobs, .* all as they were written")

    def test_a_journal_goes_on(self):
        for journal in self.unpacked("journal"):
            with self.subTest(journal.name):
                self.write("in.txt", "3\n2\n1\n4\n")
                run = self.run_fanmill("exec", "--journal", journal, "--resume", "-o", "out", "--lines", "in.txt", "--",
                                       "sh", "-c", 'echo "value $1"; test "$1" != 2', "sh", "{}", code=1)
                self.assertIn("2 of 4 tasks done; to run: 2 (1 new, 1 failed before)", run.err())
                self.assertEqual((self.dir / "out").read_text(), "value 3\nvalue 1\nvalue 4\n")


if __name__ == "__main__":
    unittest.main()
