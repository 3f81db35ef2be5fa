"""What a broker is asked and told: jobs, show, workers, status, functions; cancel, pause, resume, close, forget."""
import fcntl
import json
import re
import signal
import struct
import termios

from harness import BIN, FanmillTest, wait_until
from test_terminal import Terminal

ANSWERED_WITHIN = 5.0  # else the broker is said not to answer


class Asking(FanmillTest):
    def setUp(self):
        super().setUp()
        self.endpoint = "ipc://%s/broker" % self.dir
        self.broker = self.fanmill("broker", "--listen", self.endpoint)
        self.broker.wait_for_stderr("results are kept")
        self.env["FANMILL_BROKER"] = self.endpoint

    def worker(self, name, slots=1, *options):
        known = len(self.told("workers"))
        worker = self.fanmill("worker", "--broker", self.endpoint, "--slots", str(slots), "--name", name, *options)
        wait_until(lambda: len(self.told("workers")) > known, "a worker at the broker")
        return worker

    def told(self, command, *words):
        """The documents of COMMAND --json."""
        told = json.loads(self.run_fanmill(command, *words, "--json").out())
        self.assertEqual(told["schema"], 1)
        return told[command if command in ("workers", "status", "functions") else "jobs"]

    def mapping(self, *words):
        """A `fanmill map` whose job runs."""
        known = len(self.told("jobs"))
        program = self.fanmill("map", "--quiet", *words)
        wait_until(lambda: len(self.told("jobs")) > known and self.told("jobs")[-1]["counts"]["running"], "a running job")
        return program

    def kept(self, name, key, count, *words):
        """A job that the broker keeps; its id."""
        program = self.start(BIN / "fanmill-kept-job", self.endpoint, name, key, str(count), *words).wait()
        self.assertEqual(program.code, 0, program)
        return program.out().strip()

    def ended(self, job):
        return wait_until(lambda: [j for j in self.told("jobs", job) if j["ended_ms"] is not None], "%s ended" % job)[0]


class Reports(Asking):
    def test_of_nothing(self):
        for command, says in (("jobs", "no job here yet"), ("workers", "no worker is connected; start one"),
                              ("functions", "no worker is connected")):
            run = self.run_fanmill(command)
            self.assertEqual(run.out(), "")
            self.assertRegex(run.err(), says)
        self.assertEqual((self.told("jobs"), self.told("workers"), self.told("functions")), ([], [], []))
        self.assertRegex(self.run_fanmill("show", code=2).err(), "no job here yet")
        self.assertEqual(self.told("status")["workers"], 0)

    def test_of_a_running_job(self):
        self.worker("one", slots=2)
        mapping = self.mapping("sleep", "--range", "seconds=1..500")
        job = self.told("jobs")[0]
        self.assertRegex(job["id"], r"^[0-9a-f]+-1$")
        self.assertEqual((job["name"], job["function"], job["state"], job["reason"]), ("sleep", "sleep", "running", ""))
        self.assertEqual((job["closed"], job["kept"], job["ended_ms"]), (True, False, None))
        self.assertEqual(job["counts"]["accepted"], 500)
        self.assertIn("pid %d" % mapping.pid, job["producer"])
        detail = self.told("show")[0]
        self.assertEqual(detail["signature"], "(seconds: float) -> null")
        self.assertEqual([(w["name"], w["slots"]) for w in detail["workers"]], [("one", 2)])
        self.assertEqual([(r["order"], r["behind"]) for r in detail["readers"]], [("input", 0)])
        table = self.run_fanmill("jobs").out().splitlines()
        self.assertRegex(table[0], r"^ID +NAME +STATE +DONE +% +FAILED +RATE +ETA +AGE +WHO$")
        self.assertRegex(table[1], r"^%s +sleep +running +\d+/500 " % job["id"])
        text = self.run_fanmill("show").out()
        self.assertRegex(text, r"^%s sleep\n  function +sleep \(seconds: float\) -> null\n  state +running\n" % job["id"])
        self.assertRegex(text, r"\n  worker +one@\S+: 2 slots, \d+ tasks in hand\n  reader +.* in input order, at \d+")
        mapping.signal(signal.SIGTERM)
        mapping.wait()

    def test_of_workers_and_the_broker(self):
        worker = self.worker("one", slots=2)
        self.worker("two", 1, "--allow-exec")
        self.mapping("sleep", ":::", *["100"] * 40)
        wait_until(lambda: [w["busy"] for w in self.told("workers")] == [2, 1], "every slot busy")
        one, two = self.told("workers")
        self.assertEqual((one["name"], one["slots"], one["pid"], one["state"], one["labels"]), ("one", 2, worker.pid, "active", {}))
        self.assertIn({"name": "sleep", "signature": "(seconds: float) -> null"}, one["functions"])
        table = self.run_fanmill("workers").out().splitlines()
        self.assertEqual([line.split()[0] for line in table], ["NAME", "one", "two"])
        status = self.told("status")
        self.assertEqual((status["schema"], status["protocol"], status["durability"]), (1, 1, "sync"))
        self.assertEqual(status["addresses"], [self.endpoint])
        self.assertEqual((status["workers"], status["slots"], status["busy"]), (2, 3, 3))
        self.assertEqual((status["ventilator"]["jobs"], status["sink"]["recorded"], status["sink"]["readers"]), (1, 0, 1))
        text = self.run_fanmill("status").out()
        self.assertRegex(text, r"\n  workers +2 workers, 3 of 3 slots busy\n")
        self.assertRegex(text, r"\n  ventilator +1 job; \d+ tasks waiting, \d+ dealt to workers, .*\n  sink +0 recorded, ")
        self.run_fanmill("cancel", "--now", "all")

    def test_of_functions_at_a_broker(self):
        self.worker("one", slots=2)
        self.worker("two", slots=3)
        functions = {f["name"]: f for f in self.told("functions")}
        self.assertEqual(functions["sleep"],
                         {"name": "sleep", "signature": "(seconds: float) -> null", "workers": 2, "slots": 5})
        self.assertRegex(self.run_fanmill("functions").out(), r"(?m)^sleep +2 +5  \(seconds: float\) -> null$")

    def test_states_and_selectors_narrow_a_list(self):
        self.worker("one")
        first, second = self.kept("a", "key-a", 3), self.kept("b", "key-b", 3)
        open_one = self.kept("c", "key-c", 0, "open")
        for job in (first, second):
            self.ended(job)

        def listed(*words):
            return [job["id"] for job in self.told("jobs", *words)]
        self.assertEqual(listed(), [first, second, open_one])
        self.assertEqual(listed("--state", "open"), [open_one])
        self.assertEqual(listed("--state", "open,done", "a", "c"), [first, open_one])
        self.assertEqual(listed("last"), [open_one])
        self.assertEqual(listed("key-b"), [second])
        self.assertEqual(listed("2"), [second])
        self.assertEqual(listed("--state", "failed"), [])
        self.assertRegex(self.run_fanmill("jobs", "--state", "failed").err(), "no job is in such a state")
        self.assertRegex(self.run_fanmill("show", "c").out(), r"\n  state +open.*\n  tasks +0 of 0 so far done\n")
        self.assertRegex(self.run_fanmill("show", "a").out(), r"\n  state +done, \S+ ago\n  tasks +3 of 3 done \(100%\): 3 succeeded\n")

    def test_a_long_list_of_ended_jobs_is_cut_unless_all_are_asked_for(self):
        self.worker("one")
        for i in range(23):
            self.kept("empty", "key-%d" % i, 0)
        short = self.run_fanmill("jobs")
        self.assertEqual(len(short.out().splitlines()), 1 + 20)
        self.assertRegex(short.out().splitlines()[-1], r"^\S+-23 ")
        self.assertRegex(short.err(), r"3 that ended earlier are not shown \(--all\)")
        everything = self.run_fanmill("jobs", "--all")
        self.assertEqual((len(everything.out().splitlines()), everything.err()), (1 + 23, ""))
        self.assertEqual(len(self.told("jobs")), 23)


class Steering(Asking):
    def test_a_paused_job_runs_nothing_until_it_is_resumed(self):
        self.worker("one")
        mapping = self.mapping("sleep", ":::", *["0.05"] * 60)
        self.assertRegex(self.run_fanmill("pause", "last").out(), r"^paused \S+-1 sleep: \d+ of 60 done")
        wait_until(lambda: self.told("jobs")[0]["counts"]["running"] == 0, "nothing of it running")
        before = self.told("jobs")[0]["counts"]
        self.assertGreater(before["waiting"], 0)
        self.assertEqual(self.told("jobs")[0]["state"], "paused")
        self.assertRegex(self.run_fanmill("show").out(), r"\n  state +paused: .*paused")
        self.assertRegex(self.run_fanmill("pause", "sleep").out(), r"^\S+-1 sleep was paused already\n$")
        # Another job gets the slot meanwhile, and the paused one has not moved.
        self.run_fanmill("map", "identity", ":::", *"abc")
        self.assertEqual(self.told("jobs", "1")[0]["counts"], before)
        self.assertRegex(self.run_fanmill("resume", "1").out(), r"^resumed \S+-1 sleep: \d+ of 60 done\n$")
        self.assertRegex(self.run_fanmill("resume", "1").out(), r"^\S+-1 sleep was not paused\n$")
        self.assertEqual(mapping.wait().code, 0)

    def test_a_cancelled_job_ends_and_says_with_what(self):
        self.worker("one", slots=2)
        first = self.mapping("sleep", ":::", *["100"] * 10)
        job = self.kept("resize", "key", 5)
        self.assertEqual(self.run_fanmill("cancel", "--now", "resize").out(), "cancelled %s resize: 0 done, 5 cancelled\n" % job)
        self.assertEqual(self.ended("resize")["state"], "cancelled")
        again = self.run_fanmill("cancel", "resize")
        self.assertEqual(again.out(), "%s resize had ended already: cancelled, 5 cancelled\n" % job)
        everything = self.run_fanmill("cancel", "--grace", "100ms", "all")
        self.assertRegex(everything.out(), r"^cancelled \S+-1 sleep: ")
        self.assertRegex(everything.err(), "fanmill cancel: cancelled 1 job\n")
        self.assertEqual(first.wait().code, 1)
        self.assertRegex(self.run_fanmill("cancel", "all").err(), "cancelled 0 jobs")

    def test_what_runs_is_killed_after_the_grace_and_not_before(self):
        self.worker("one", 1, "--allow-exec")
        job = self.fanmill("exec", "--quiet", ":::", "100", "--", "sh", "-c", 'trap "" TERM; : > started; exec sleep "$1"', "sh", "{}")
        wait_until((self.dir / "started").exists, "a running command, which is told and takes no notice")
        run = self.run_fanmill("cancel", "--grace", "1h", "last")
        self.assertRegex(run.out(), r"^cancelled \S+ .*: 0 done, 0 cancelled, 1 at workers, killed after 1h\n$")
        self.assertTrue(job.running())
        self.run_fanmill("cancel", "--now", "last")
        self.assertEqual(job.wait().code, 1)

    def test_an_open_job_ends_once_it_is_closed(self):
        self.worker("one")
        job = self.kept("resize", "key", 5, "open")
        wait_until(lambda: self.told("jobs")[0]["counts"]["succeeded"] == 5, "five done")
        self.assertEqual(self.told("jobs")[0]["state"], "open")
        self.assertEqual(self.run_fanmill("close", job).out(), "closed %s resize: 5 of 5 done\n" % job)
        self.assertEqual(self.run_fanmill("close", "last").out(), "%s resize was closed already\n" % job)
        self.assertEqual(self.ended(job)["state"], "done")

    def test_forgetting_removes_what_has_ended_and_nothing_else(self):
        self.worker("one")
        first, second = self.kept("a", "key-a", 3), self.kept("b", "key-b", 2)
        open_one = self.kept("c", "key-c", 0, "open")
        self.ended(first), self.ended(second)
        refused = self.run_fanmill("forget", "a", "c", code=2)
        self.assertRegex(refused.err(), r"%s c has not ended; end it first \(fanmill cancel %s\)" % (open_one, open_one))
        self.assertEqual(len(self.told("jobs")), 3)
        self.assertEqual(self.run_fanmill("forget", "a").out(), "forgot %s a: 3 succeeded\n" % first)
        run = self.run_fanmill("forget", "all")
        self.assertEqual(run.out(), "forgot %s b: 2 succeeded\n" % second)
        self.assertRegex(run.err(), "forgot 1 job; 1 job that has not ended stays")
        self.assertEqual([job["id"] for job in self.told("jobs")], [open_one])
        self.assertRegex(self.run_fanmill("forget", "a", code=2).err(), 'no job "a"')

    def test_json_has_the_jobs_as_they_are_then(self):
        self.worker("one")
        job = self.kept("a", "key-a", 3)
        self.ended(job)
        open_one = self.kept("c", "key-c", 0, "open")
        self.assertEqual([(j["id"], j["closed"]) for j in self.told("close", job, "c")], [(job, True), (open_one, True)])
        self.assertEqual([j["counts"]["succeeded"] for j in self.told("forget", job)], [3])
        self.assertEqual(self.told("cancel", "all"), [])

    def test_a_selector_that_matches_nothing_does_nothing_and_names_the_nearest(self):
        self.worker("one")
        job = self.kept("resize", "key", 0, "open")
        for command in ("jobs", "show", "cancel", "pause", "resume", "close", "forget"):
            run = self.run_fanmill(command, "last", "resise", code=2)
            self.assertEqual(run.out(), "")
            self.assertRegex(run.err(), r'^fanmill %s: no job "resise"; did you mean resize\? \(fanmill jobs lists them\)\n$' % command)
        self.assertEqual(self.told("jobs")[0]["id"], job)
        self.assertEqual(self.told("jobs")[0]["state"], "open")
        self.assertRegex(self.run_fanmill("pause", "", code=2).err(), "an empty word names no job")


class OnATerminal(Asking):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)
        self.env["TERM"] = "xterm"

    def shown(self, *words, columns):
        fcntl.ioctl(self.terminal.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        before = len(self.terminal.text())
        run = self.fanmill(*words, stdout=self.terminal.end).wait()
        self.assertEqual(run.code, 0, run)
        return wait_until(lambda: self.terminal.text()[before:], "something on the terminal")

    def test_a_table_has_the_width_of_the_terminal_and_colours(self):
        self.worker("one")
        self.kept("a name that is much longer than a narrow terminal has room for " * 3, "key", 0, "open")
        wide, narrow = self.shown("jobs", columns=250), self.shown("jobs", columns=60)
        self.assertIn("room for", wide)
        self.assertIn("\x1b[1m", wide)
        self.assertIn("…", narrow)
        for line in re.sub(r"\x1b\[\d*m", "", narrow).splitlines():
            self.assertLessEqual(len(line), 60, line)
        self.env["NO_COLOR"] = "1"
        self.assertNotIn("\x1b", self.shown("jobs", columns=60))
        self.assertNotIn("\x1b", self.run_fanmill("jobs").out())

    def test_names_of_others_do_not_steer_it(self):
        self.worker("one")
        self.env["NO_COLOR"] = "1"
        self.kept("a\x1b]0;stolen\x07\nb\x7f", "key", 0, "open")
        for words in (("jobs",), ("show",), ("jobs", "--json"), ("show", "--json"), ("pause", "last"), ("cancel", "last")):
            text = self.shown(*words, columns=200).replace("\r\n", "\n")
            self.assertRegex(text, "stolen")
            self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]", words)


class NobodyAnswers(Asking):
    def test_a_broker_that_stands_still_is_named_after_a_while(self):
        self.broker.signal(signal.SIGSTOP)
        run = self.run_fanmill("status", code=3)
        self.broker.signal(signal.SIGCONT)
        self.assertRegex(run.err(), r"^fanmill status: no broker answers at %s; start one: fanmill broker --listen" % self.endpoint)
        self.assertGreaterEqual(run.seconds, ANSWERED_WITHIN)

    def test_a_reader_that_has_gone_is_no_error(self):
        self.worker("one")
        self.kept("a", "key", 0, "open")
        run = self.pipeline("fanmill jobs | true; echo ${PIPESTATUS[0]}")
        self.assertEqual((run.out(), run.err()), ("0\n", ""))

    def test_a_full_disk_is_told(self):
        self.worker("one")
        self.kept("a", "key", 0, "open")
        with open("/dev/full", "w") as full:
            run = self.fanmill("jobs", stdout=full).wait()
        self.assertEqual(run.code, 3)
        self.assertRegex(run.err(), "cannot write to stdout: No space left on device")
