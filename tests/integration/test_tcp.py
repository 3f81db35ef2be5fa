"""Several hosts: keys, join files, and what everybody is told. On loopback, and between network namespaces."""
import os
import random
import re
import signal
import socket
import unittest

from harness import BIN, FanmillTest, wait_until
from hosts import Hosts

FAR = "keys/worker.join"


class Broker(FanmillTest):
    """A broker on a free port of `listen`, its keys in the test's directory."""

    def start_broker(self, listen="tcp://127.0.0.1:0", keys="keys", prefix=(), extra=()):
        broker = self.start(*prefix, BIN / "fanmill-broker", "--listen", listen, "--keys", keys, "--store", keys + ".store", *extra)
        broker.wait_for_stderr("results are kept")
        return broker

    def worker(self, name, *options, broker=FAR, prefix=(), slots=2):
        return self.start(*prefix, BIN / "fanmill-worker", "--broker", broker, "--slots", str(slots), "--name", name, *options)

    def address(self, keys="keys"):
        return re.search(r"^broker (.*)$", (self.dir / keys / "worker.join").read_text(), re.M).group(1)


def unused_address():
    """Of a port that nothing gets by asking for any port, so that it is free again after a restart."""
    for _ in range(1000):
        port = random.randint(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return "tcp://127.0.0.1:%d" % port
    raise AssertionError("no free port")


class OverTcp(Broker):
    def test_two_workers_take_part_and_nothing_secret_is_told(self):
        broker = self.start_broker()
        left, right = self.worker("left"), self.worker("right")
        wait_until(lambda: len(self.processes_named("fanmill-executor")) == 4, "four executors")
        run = self.run_fanmill("map", "--broker", "keys/producer.join", "--format", "jsonl", "sleep", "-", stdin="0.02\n" * 100)
        rows = self.rows(run)
        self.assertEqual(list(rows), list(range(100)))
        self.assertEqual({row["worker"].split("@")[0] for row in rows.values()}, {"left", "right"})
        secrets = {(self.dir / "keys/broker.key").read_text().strip()}
        for role in ("worker", "producer"):
            secrets.add(re.search("^secret-key (.*)$", (self.dir / "keys" / (role + ".join")).read_text(), re.M).group(1))
        self.assertEqual(len(secrets), 3)
        for program in (broker, left, right, run):
            self.assertFalse([s for s in secrets if s in program.err()], program)

    def test_every_file_with_a_secret_is_for_its_owner_alone(self):
        self.start_broker()
        self.assertEqual(os.stat(self.dir / "keys").st_mode & 0o777, 0o700)
        for name in ("broker.key", "worker.join", "producer.join"):
            self.assertEqual(os.stat(self.dir / "keys" / name).st_mode & 0o777, 0o600, name)

    def test_the_keys_of_the_first_start_stay(self):
        broker = self.start_broker(unused_address())
        before = {p.name: p.read_text() for p in (self.dir / "keys").iterdir()}
        broker.signal(signal.SIGTERM)
        broker.wait()
        self.start_broker(self.address())
        self.assertEqual({p.name: p.read_text() for p in (self.dir / "keys").iterdir()}, before)

    def test_a_worker_waits_for_a_join_file_that_is_still_to_come(self):
        worker = self.worker("early")
        worker.wait_for_stderr("does not exist; trying again until it works")
        self.start_broker()
        run = self.run_fanmill("map", "--broker", "keys/producer.join", "identity", ":::", "1", "2")
        self.assertEqual(run.out(), "1\n2\n")

    def test_a_worker_comes_back_to_a_broker_that_was_away(self):
        broker = self.start_broker(unused_address())
        worker = self.worker("faithful")
        self.run_fanmill("map", "--broker", "keys/producer.join", "identity", ":::", "1")
        broker.signal(signal.SIGKILL)
        broker.wait()
        worker.wait_for_stderr("trying again")
        self.start_broker(self.address())
        run = self.run_fanmill("map", "--broker", "keys/producer.join", "identity", ":::", "2")
        self.assertEqual(run.out(), "2\n")
        worker.wait_for_stderr("answers again")

    def test_the_broker_may_be_named_by_the_environment(self):
        self.start_broker()
        self.start(BIN / "fanmill-worker", env=dict(self.env, FANMILL_BROKER=FAR))
        run = self.run_fanmill("map", "identity", ":::", "7", env=dict(self.env, FANMILL_BROKER="keys/producer.join"))
        self.assertEqual(run.out(), "7\n")

    def test_join_files_say_where_the_broker_is_reached(self):
        self.start_broker("tcp://0.0.0.0:0")
        self.assertRegex(self.address(), r"^tcp://%s:[1-9][0-9]*$" % re.escape(os.uname().nodename))
        self.start_broker(keys="other", extra=("--advertise", "tcp://mill.example:7070"))
        self.assertEqual(self.address("other"), "tcp://mill.example:7070")


class Refusals(Broker):
    def refused(self, code, *arguments):
        run = self.run_fanmill("map", *arguments, "sleep", ":::", "0", code=code)
        self.assertEqual(run.out(), "")
        self.assertEqual(len(run.err().splitlines()), 1, run)
        return run.err()

    def join_file(self, name, source, **fields):
        text = (self.dir / source).read_text()
        for field, value in fields.items():
            text = re.sub("(?m)^%s .*$" % field.replace("_", "-"), lambda _: "%s %s" % (field.replace("_", "-"), value), text)
        path = self.write(name, text)
        path.chmod(0o600)
        return name

    def field(self, path, name):
        return re.search("(?m)^%s (.*)$" % name, (self.dir / path).read_text()).group(1)

    def test_of_join_files(self):
        self.start_broker()
        self.assertRegex(self.refused(2, "--broker", "nowhere.join"), "nowhere.join does not exist")
        self.assertRegex(self.refused(2, "--broker", FAR), "is for a worker, not for a producer")
        self.assertRegex(self.refused(2, "--broker", self.join_file("x.join", FAR, role="producer", public_key="no")), "x.join is no join file")
        readable = self.join_file("readable.join", "keys/producer.join")
        (self.dir / readable).chmod(0o640)
        self.assertRegex(self.refused(2, "--broker", readable), "chmod 600 readable.join")
        self.assertRegex(self.refused(2, "--broker", "tcp://127.0.0.1:7070"), "copy producer.join")

    def test_of_keys(self):
        self.start_broker()
        self.start_broker(keys="other")
        stranger = self.join_file("stranger.join", "other/producer.join", broker=self.address(),
                                  broker_key=self.field("keys/producer.join", "broker-key"))
        self.assertRegex(self.refused(2, "--broker", stranger), "does not admit the key")
        impostor = self.join_file("impostor.join", "keys/producer.join", broker=self.address("other"))
        self.assertRegex(self.refused(2, "--broker", impostor), "not the broker of this join file")

    def test_of_a_broker_that_is_not_there(self):
        broker = self.start_broker()
        broker.signal(signal.SIGTERM)
        broker.wait()
        self.assertRegex(self.refused(3, "--broker", "keys/producer.join"), "nobody answers at tcp://127.0.0.1:")

    def test_a_worker_is_told_too(self):
        self.start_broker()
        self.start_broker(keys="other")
        for arguments, code, words in ((["--broker", "keys/producer.join"], 2, "is for a producer, not for a worker"),
                                       (["--broker", "tcp://127.0.0.1:1"], 2, "copy worker.join")):
            run = self.start(BIN / "fanmill-worker", *arguments).wait()
            self.assertEqual(run.code, code, run)
            self.assertRegex(run.err(), words)
        stranger = self.join_file("stranger.join", "other/worker.join", broker=self.address(),
                                  broker_key=self.field(FAR, "broker-key"))
        self.worker("stranger", broker=stranger).wait_for_stderr("does not admit the key.*trying again")

    def test_of_a_port_in_use_and_of_keys_that_cannot_be_used(self):
        self.start_broker()
        for arguments, code, words in (
                (["--listen", self.address(), "--keys", "more"], 3, "Address already in use"),
                (["--listen", "tcp://127.0.0.1", "--keys", "more"], 2, "needs an address and a port"),
                (["--listen", "tcp://127.0.0.1:0", "--keys", "/dev/null/keys"], 3, "--keys"),
                (["--listen", "tcp://127.0.0.1:0", "--keys", "keys", "--advertise", "here"], 2, "--advertise here")):
            run = self.start(BIN / "fanmill-broker", "--durability", "memory", *arguments).wait()
            self.assertEqual(run.code, code, run)
            self.assertRegex(run.err(), words)
        (self.dir / "keys/broker.key").chmod(0o644)
        run = self.start(BIN / "fanmill-broker", "--listen", "tcp://127.0.0.1:0", "--keys", "keys", "--durability", "memory").wait()
        self.assertEqual(run.code, 3, run)
        self.assertRegex(run.err(), "chmod 600 keys/broker.key")


class ThreeHosts(Hosts, Broker):
    def test_workers_come_go_and_are_cut_off_while_a_job_runs(self):
        first, second, third, fourth = (self.host(name) for name in ("broker", "second", "third", "fourth"))
        self.start_broker("tcp://10.77.0.1:7070", prefix=first)
        drained = self.worker("drained", prefix=second)
        self.worker("cut", prefix=third)
        count = 1500
        run = self.fanmill("map", "--broker", "keys/producer.join", "--format", "jsonl", "sleep", "-", prefix=first,
                           stdin="0.02\n" * count)
        run.wait_for_lines(100)
        self.worker("late", prefix=fourth)  # joins in the middle
        run.wait_for_lines(300)
        drained.signal(signal.SIGTERM)
        drained.wait()
        self.assertEqual(drained.code, 0, drained)
        self.plug(3, "down")
        run.wait_for_lines(500)
        self.plug(3, "up")
        run.wait(60)
        self.assertEqual(run.code, 0, run)
        rows = self.rows(run)
        self.assertEqual(list(rows), list(range(count)))
        self.assertEqual({row["status"] for row in rows.values()}, {"succeeded"})
        workers = [row["worker"].split("@")[0] for row in rows.values()]
        self.assertEqual(set(workers), {"drained", "cut", "late"})
        self.assertGreater(workers.count("late"), 100)
        self.assertEqual({row["attempt"] for row in rows.values() if row["worker"].startswith("drained")}, {1})


if __name__ == "__main__":
    unittest.main()
