"""The units of deploy/systemd: sound, hardened, installed with the right paths, and their command lines work."""
import pathlib
import re
import shlex
import shutil
import signal
import unittest

from harness import BIN, FanmillTest, wait_until

UNITS = pathlib.Path(__file__).parents[2] / "deploy" / "systemd"
NAMES = ("fanmill-broker.service", "fanmill-worker.service")
EXPOSURE_MAX = 15  # of 100


def setting(unit, name):
    """The last value of a line `name=…`."""
    return re.findall("(?m)^%s=(.*)$" % name, unit)[-1]


class Systemd(FanmillTest):
    def unit(self, name):
        """The unit with the programs of this build."""
        return (UNITS / name).read_text().replace("/usr/local/bin/", str(BIN) + "/")

    def analyze(self, *arguments):
        run = self.start("systemd-analyze", *arguments).wait()
        self.assertEqual(run.code, 0, run)
        return run

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_units_have_nothing_to_complain_of(self):
        for name in NAMES:
            run = self.analyze("verify", "--man=no", self.write(name, self.unit(name)))
            self.assertEqual(run.out() + run.err(), "")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_units_are_hardened(self):
        for name in NAMES:
            self.analyze("security", "--offline=true", "--threshold=%d" % EXPOSURE_MAX, self.write(name, self.unit(name)))

    def test_a_stop_of_the_worker_reaches_the_agent_alone_and_leaves_it_time(self):
        unit = self.unit("fanmill-worker.service")
        self.assertEqual(setting(unit, "KillMode"), "mixed")  # else executors would be ended with what they run
        self.assertEqual(setting(unit, "TimeoutStopSec"), "30min")

    def command(self, name, **variables):
        """The words that systemd makes of ExecStart: `${NAME}` is part of a word, `$NAME` as many words as are in it."""
        words = []
        for word in shlex.split(setting(self.unit(name), "ExecStart")):
            if re.fullmatch(r"\$\w+", word):
                words += str(variables[word[1:]]).split()
            else:
                words.append(re.sub(r"\$\{(\w+)\}", lambda found: str(variables[found.group(1)]), word))
        return words

    def test_their_command_lines_make_a_mill_and_a_stop_drains(self):
        state = self.dir / "state"
        broker = self.start(*self.command(NAMES[0], STATE_DIRECTORY=state, FANMILL_LISTEN="tcp://127.0.0.1:0", FANMILL_OPTIONS=""))
        broker.wait_for_stderr("results are kept")
        shutil.copy(state / "worker.join", self.dir / "worker.join")
        worker_line = self.command(NAMES[1], RUNTIME_DIRECTORY=self.dir, FANMILL_OPTIONS="--label gpu=no --slots 1")
        worker = self.start(*worker_line)
        worker.wait_for_stderr("connected to")
        job = self.fanmill("map", "--broker", "state/producer.join", "--format", "jsonl", "sleep", ":::", "1", "0")

        def told():
            return self.run_fanmill("workers", "--broker", "state/producer.join", "--json").out()

        self.assertRegex(told(), '"gpu": ?"no"')
        wait_until(lambda: re.search('"busy": ?1', told()), "the first task to run")
        worker.signal(signal.SIGTERM)
        worker.wait()
        self.assertEqual(worker.code, 0, worker)
        self.start(*worker_line)
        rows = self.rows(job.wait())
        self.assertEqual(job.code, 0, job)
        self.assertEqual([row["attempt"] for row in rows.values()], [1, 1])
        self.assertNotEqual(rows[0]["worker"], rows[1]["worker"])

    def test_installed_units_name_the_installed_programs(self):
        prefix = self.dir / "prefix"
        run = self.start("cmake", "--install", BIN.parent, "--prefix", prefix).wait(100)
        self.assertEqual(run.code, 0, run)
        for name in NAMES:
            installed = (prefix / "lib/systemd/system" / name).read_text()
            program = pathlib.Path(shlex.split(setting(installed, "ExecStart"))[0])
            self.assertEqual(program, prefix / "bin" / name.removesuffix(".service"))
            self.assertTrue(program.exists())
        self.assertIn("u fanmill ", (prefix / "lib/sysusers.d/fanmill.conf").read_text())


if __name__ == "__main__":
    unittest.main()
