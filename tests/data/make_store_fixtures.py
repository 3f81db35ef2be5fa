#!/usr/bin/env python3
"""Makes the files of the schema that is current: a broker's store and a private run's journal, packed (gzip).

    tests/data/make_store_fixtures.py [--bin build/bin]

Writes store-SCHEMA.db.gz and journal-SCHEMA.db.gz beside itself, by the real programs. Files of a released schema are never
made again: tests/integration/test_old_files.py reads them for ever.
"""
import argparse
import contextlib
import gzip
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent
FAILING = ("sh", "-c", 'echo "value $1"; test "$1" != 2', "sh", "{}")


def pack(path, name):
    with contextlib.closing(sqlite3.connect(path)) as database:
        schema = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    packed = HERE / ("%s-%d.db.gz" % (name, schema))
    if packed.exists():
        print("%s is there" % packed.name)
        return
    packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    print("%s: %d bytes, packed %d" % (packed.name, path.stat().st_size, packed.stat().st_size))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin", type=pathlib.Path)
    binaries = parser.parse_args().bin.resolve()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as started:
        place = pathlib.Path(name)
        env = {"PATH": os.environ["PATH"], "HOME": name, "LANG": "C.UTF-8", "FANMILL_BROKER": "ipc://%s/b/socket" % name}

        def start(program, *options):
            process = subprocess.Popen([binaries / program, *options], env=env, cwd=place, stderr=subprocess.DEVNULL)
            started.callback(process.kill)
            return process

        def fanmill(*words, code=0, stdin=None):
            done = subprocess.run([binaries / "fanmill", *words], env=env, cwd=place, capture_output=True, text=True, input=stdin)
            assert done.returncode == code, done
            return done.stdout.strip()

        broker = start("fanmill-broker", "--listen", env["FANMILL_BROKER"], "--store", "broker.store")
        worker = start("fanmill-worker", "--slots", "1", "--allow-exec", "--name", "w")
        while not (place / "b/socket").exists():
            time.sleep(0.01)
        # Recorded: successes, failures after a further attempt and in two rounds, a cancelled job; one job is gone again.
        fanmill("submit", "--quiet", "--wait", "--key", "numbers", "identity", "--range", "n=1..300")
        fanmill("submit", "--quiet", "--wait", "--key", "commands", "--retries", "1", "exec", *FAILING, ":::", "1", "2", "3", code=1)
        fanmill("retry", "commands")
        fanmill("wait", "commands", code=1)
        fanmill("submit", "--quiet", "--wait", "--key", "gone", "identity", ":::", "1")
        fanmill("forget", "gone")
        # Waiting behind a task that sleeps: one open job with tuples that were pushed, one cancelled.
        fanmill("submit", "--quiet", "--key", "pushed", "--open", "identity")
        fanmill("push", "--quiet", "--key", "p", "pushed", "-", stdin="1\n2\n")
        fanmill("submit", "--quiet", "--key", "sleeper", "--priority", "9", "sleep", ":::", "1000")
        fanmill("submit", "--quiet", "--key", "waiting", "identity", ":::", "a", "b", "c")
        fanmill("push", "--quiet", "--key", "q", "pushed", "-", stdin="3\n")
        fanmill("submit", "--quiet", "--key", "dropped", "identity", ":::", "1")
        fanmill("cancel", "dropped")
        for process in (worker, broker):
            process.kill()
            process.wait()
        pack(place / "broker.store", "store")
        env["FANMILL_BROKER"] = ""
        (place / "in.txt").write_text("1\n2\n3\n")
        fanmill("exec", "--quiet", "--journal", "run.db", "-o", "out", "--lines", "in.txt", "--", *FAILING, code=1)
        pack(place / "run.db", "journal")


if __name__ == "__main__":
    main()
