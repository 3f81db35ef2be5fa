"""Bad use, a table: exit status, one to three lines that say what, where and what to do, within a second."""
import collections
import os
import re
import signal

from harness import BIN, MEASURABLE, FanmillTest, serial

LINES_MAX = 3
SECONDS_MAX = 1.0
PLUGINS = BIN.parent / "tests" / "plugins"

Case = collections.namedtuple("Case", "code words says", defaults=())
LONG = "ipc:///tmp/" + "0" * 200

FILES = {
    "typed.csv": b"seconds,message\nx,b\n",
    "typed.jsonl": b'{"seconds": 0, "mesage": "x"}\n',
    "ok.jsonl": b"1\n2\n",
    "open.jsonl": b"[2,\n",
    "word.jsonl": b"[3, oops]\n",
    "utf8.jsonl": b'["\xff\xfe"]\n',
    "big.jsonl": b"1e400\n",
    "deep.jsonl": b"[" * 600 + b"]" * 600 + b"\n",
    "ragged.csv": b"a,b\n3\n",
    "empty.csv": b"",
    "twice.csv": b"a,a\n1,2\n",
    "plain": b"",
}


def of_map(code, options, *says, rest="identity ::: 1"):
    return Case(code, "map %s %s" % (options, rest), says)


def of_range(text, *says):
    return Case(2, "map --range %s identity" % text, (r"--range " + re.escape(text),) + says)


COMMANDS = [
    Case(2, "mapp", (r'no command "mapp"', "did you mean map", "--help")),
    Case(2, "frobnicate", (r'no command "frobnicate"', "map, exec", "--help")),
    Case(2, "help map extra", ('"extra" is one word too many', "fanmill help map")),
    Case(2, "help frobnicate", (r'no command "frobnicate"', "--help")),
    Case(2, "map", ("no function", "for instance")),
    Case(2, "map identity", ("no input", "FILE.jsonl", ":::")),
    Case(2, "map %s ::: 1" % ("f" * 257), ("does not fit into a message", "too long")),
    Case(2, "map slep ::: 1", ("'slep'", "did you mean 'sleep'", "sleep_print")),
    Case(2, "exec", ("no command", "for instance")),
    Case(2, "exec ::: a", ("no command", "for instance")),
    Case(2, "exec ::: a --", ("no command behind `--`", "for instance")),
    Case(2, "exec echo", ("no input", ":::")),
    Case(2, "exec --nope echo ::: a", ("no option --nope", "--help")),
    Case(2, "exec --formt csv echo ::: a", ("no option --formt", "did you mean --format")),
    Case(2, "exec --tag --format csv ::: a -- echo", ("--tag", "--format values")),
    Case(2, "exec --max-output 0 ::: a -- echo", ("--max-output", "256MiB")),
    Case(2, "exec --max-output 1TiB ::: a -- echo", ("--max-output", "256MiB")),
    Case(2, "exec nowhere.csv -- echo", ("nowhere.csv", "No such file")),
    Case(2, "exec ok.jsonl plain -- echo", ('"plain"', "one word too many", "--help")),
]
OPTIONS = [
    of_map(2, "--sample 0.5x", "--sample 0.5x", "such as 10%"),
    of_map(2, "--sample 101%", "--sample 101%", "0% to 100%"),
    of_map(2, "--sample 10% --seed x", "--seed", "x", "--help"),
    of_map(2, "--columns value", "--columns", "--format jsonl or csv"),
    of_map(2, "--format csv --columns vlaue", 'no column "vlaue"', "did you mean value", "index, params"),
    of_map(2, "--format csv --columns value,value", '"value" is there twice'),
    of_map(2, "--progress=xml", "--progress", '"xml"', "=json"),
    of_map(2, "--dry-run=5", "--dry-run takes no value"),
    of_map(2, "--timeout 0%", "--timeout 0%", "such as 300%"),
    of_map(2, "--timeout 1000001%", "--timeout 1000001%", "1000000%"),
    of_map(2, "--plugin nope.so", "nope.so", "No such file"),
    of_map(2, "--plugin plain", "plain does not load", "-shared -fPIC"),
    of_map(2, "--plugin directory", "directory does not load", "-shared -fPIC"),
    of_map(2, "--plugin {plugins}/no_plugin.so", r"no_plugin\.so is a shared library, but no plugin", "FANMILL_FUNCTION"),
    of_map(2, "--plugin {plugins}/abi_2.so", r"abi_2\.so was built for version 2\.3", "build it again"),
    of_map(2, "--plugin {plugins}/clash.so", r"clash\.so offers identity, which is built in", "another name"),
    of_map(2, "--plugin x.so --broker ipc:///tmp/x", "--plugin x.so", "fanmill worker"),
    of_map(2, "--shell", "no option --shell", "--help"),
    Case(2, "functions --plugin nope.so", ("nope.so", "No such file")),
    Case(2, "functions --plugin plain", ("plain does not load", "-shared -fPIC")),
    Case(2, "functions --plugin ok.jsonl", (r"ok\.jsonl does not load", "-shared -fPIC")),
    Case(2, "functions --plugin {plugins}/no_plugin.so", ("but no plugin", "FANMILL_FUNCTION")),
    Case(2, "functions --plugin", ("--plugin", "missing", "--help")),
    Case(2, "functions --jsn", ("no option --jsn", "did you mean --json")),
    Case(2, "functions extra", ('"extra"', "one word too many", "--help")),
    Case(2, "mpa identity ::: 1", ('no command "mpa"', "did you mean map")),
    Case(2, "exec -N 0 echo ::: a", ("-N 0", "1 to 65536")),
    Case(2, "exec -N 2 echo ::: a ::: b", ("-N", "one source")),
    Case(2, "exec --env = echo ::: a", ("--env =", "NAME=VALUE")),
    Case(2, "exec --env NOSUCHVARIABLE echo ::: a", ("NOSUCHVARIABLE", "no such variable", "NOSUCHVARIABLE=VALUE")),
    Case(2, "exec --stdin {2} cat ::: a", (r"\{2\}", "1 value")),
    Case(2, "exec --joblog /nowhere/log echo ::: a", ("/nowhere/log", "No such file", "--joblog")),
    of_map(2, "-j 0", "-j 0", "1 to 4096"),
    of_map(2, "-j x", "-j x", "1 to 4096"),
    of_map(2, "-j 4097", "-j 4097", "1 to 4096"),
    of_map(2, "--frmat csv", "no option --frmat", "did you mean --format", "--help"),
    of_map(2, "-q", "no option -q", "--help"),
    of_map(2, "--format xml", "--format", "xml", "values,jsonl,csv"),
    of_map(2, "--timeout soon", "--timeout", '"soon"', "90s"),
    of_map(2, "--timeout 0", "--timeout", "longer than nothing"),
    of_map(2, "--timeout -5s", "--timeout", '"-5s"'),
    of_map(2, "--limit -1", "--limit -1", "such as 100"),
    of_map(2, "--retries many", "--retries", "many", "--help"),
    of_map(2, "--retries 99999999999", "--retries", "99999999999", "--help"),
    of_map(2, "--spill-max big", "--spill-max", '"big"', "64MiB"),
    of_map(2, "--wait-workers x", "--wait-workers", '"x"', "90s"),
    of_map(2, "--raw --format csv", "--raw", "--format values"),
    of_map(2, "-j 2 --broker ipc:///tmp/x", "-j", "--broker", "--slots N"),
    of_map(2, "--spill-max 1GiB --broker ipc:///tmp/x", "--spill-max", "private run"),
    Case(2, "map identity --limit", ("--limit", "missing", "--help")),
    of_map(2, "--broker tcp://192.0.2.1:5", "tcp://192.0.2.1:5", "join file", "producer.join"),
    of_map(2, "--broker nowhere.join", "nowhere.join does not exist", "copy producer.join from the broker's host"),
    of_map(2, "--broker http://x", "http://x", "ipc://PATH"),
    of_map(2, "--broker " + LONG, "allows 107", "shorter"),
    of_map(3, "--broker ipc:///nowhere/x", "no broker listens at /nowhere/x", "fanmill broker --listen"),
    of_map(2, "-o /nowhere/x", "/nowhere/x", "No such file", "-o"),
    of_map(2, "-o directory", '"directory"', "Is a directory", "-o"),
    of_map(3, "-o /dev/full", "cannot write the results", "No space left"),
]
INPUTS = [
    of_map(2, "", r"typed\.csv, line 2, column 1 .*seconds", "should be a float", '"x"', rest="sleep_print typed.csv"),
    of_map(2, "", r"typed\.jsonl, line 1", "mesage", "did you mean `message`", rest="sleep_print typed.jsonl"),
    of_map(2, "", "-o ok.jsonl is the input too", "another file", rest="-o ok.jsonl identity ok.jsonl"),
    of_map(2, "", "-o ok.jsonl is the input too", rest="-o ok.jsonl identity :::: ok.jsonl"),
    Case(2, "exec --joblog ok.jsonl ok.jsonl -- echo", ("--joblog ok.jsonl is the input too", "another file")),
    Case(2, "exec --joblog +ok.jsonl echo :::: ok.jsonl", ("--joblog ok.jsonl is the input too", "another file")),
    Case(2, "exec --joblog same -o same echo ::: a", ("-o same and --joblog name the same file", "each its own")),
    Case(2, "exec --joblog plain -o ./plain echo ::: a", (r"-o \./plain and --joblog name the same file", "each its own")),
    of_map(2, "", r"open\.jsonl, line 1, column 4", "begins in column 1 is not closed", rest="identity open.jsonl"),
    of_map(2, "", r"word\.jsonl, line 1, column 5", rest="identity word.jsonl"),
    of_map(2, "", r"utf8\.jsonl, line 1, column 1", "UTF-8", rest="identity utf8.jsonl"),
    of_map(2, "", r"big\.jsonl, line 1, column 1", "number", rest="identity big.jsonl"),
    of_map(2, "", r"deep\.jsonl, line 1", "too deeply", "at most 8 levels", rest="identity deep.jsonl"),
    of_map(2, "", r"ragged\.csv, line 2", "header names 2", rest="identity ragged.csv"),
    of_map(2, "", r"empty\.csv, line 1", "first row", rest="identity empty.csv"),
    of_map(2, "", r"twice\.csv, line 1", 'two columns are called "a"', "rename one", rest="identity twice.csv"),
    of_map(2, "", "nowhere.jsonl", "No such file", rest="identity nowhere.jsonl"),
    of_map(2, "", '"directory" is a directory', "directory/\\*", rest="identity directory"),
    of_map(2, "", "ok.jsonl", ":::", "one of them", rest="identity ok.jsonl ::: 1"),
    of_map(2, "", '"plain"', "one word too many", rest="identity ok.jsonl plain"),
    of_map(2, "", "`:::`", "no values", rest="identity :::"),
    of_map(2, "", r"`:::\+`", "the first one is `:::`", rest="identity :::+ a"),
    of_map(2, "", "`::::`", "names no file", rest="identity ::::"),
    of_map(2, "", "nowhere", "No such file", rest="identity :::: nowhere"),
    Case(2, "exec ::: a -- echo {2}", (r"\{2\}", "1 value")),
    of_range("n=1..", "without an end", "n=1..100"),
    of_range("1..3", "no name", "NAME=FIRST..LAST"),
    of_range("n=1..3..0", "step is 0"),
    of_range("n=a..b", '"a" is no number', "n=1..10"),
    of_range("n=3..1", "counts down", r"n=3\.\.1\.\.-1"),
    of_range("n=1..3..-1", "change its sign"),
    of_map(2, "--range n=1..2 --range n=1..2", 'two parameters are called "n"', rest="identity"),
]
PROGRAMS = [
    Case(2, "broker --nope", ("no option --nope", "--help")),
    Case(2, "broker --lisen ipc:///tmp/x", ("no option --lisen", "did you mean --listen")),
    Case(2, "broker extra", ('"extra"', "one word too many", "--help")),
    Case(2, "broker --listen", ("--listen", "missing", "--help")),
    Case(2, "broker --listen tcp://127.0.0.1", ("an address and a port", "tcp://0.0.0.0:7070")),
    Case(2, "broker --listen tcp://127.0.0.1:0 --advertise here", ("--advertise here", "tcp://ADDRESS:PORT")),
    Case(3, "broker --listen tcp://127.0.0.1:0 --keys plain/keys", ("plain/keys", "--keys")),
    Case(2, "broker --listen nonsense", ("nonsense", "ipc://PATH")),
    Case(2, "broker --listen ipc://", ("names no file", "as in")),
    Case(2, "broker --listen " + LONG, ("allows 107", "shorter")),
    Case(2, "broker --log-level loud", ("--log-level", "loud", "debug,info,warn,error")),
    Case(3, "broker --listen ipc://{dir}/plain", ("not a socket", "another path")),
    Case(3, "broker --listen ipc://{dir}/plain/x", ("/plain of the socket", "Not a directory", "another path")),
    Case(2, "worker", ("--broker is required", "--help")),
    Case(2, "worker --broker plain", ("others may read plain", "chmod 600 plain")),
    Case(2, "worker --broker tcp://127.0.0.1:5", ("tcp://127.0.0.1:5", "worker.join")),
    Case(2, "worker --broker http://x", ("http://x", "ipc://PATH")),
    Case(2, "worker --broker ipc://" + LONG[6:], ("allows 107", "shorter")),
    Case(2, "worker --broker ipc:///tmp/x --slots 0", ("--slots", "1 to 4096", "'0'")),
    Case(2, "worker --broker ipc:///tmp/x --slots many", ("--slots", "1 to 4096", "'many'")),
    Case(2, "worker --broker ipc:///tmp/x --plugin plain", ("plain does not load", "-shared -fPIC")),
    Case(2, "worker --broker ipc:///tmp/x --plugin {plugins}/no_plugin.so", ("but no plugin", "FANMILL_FUNCTION")),
    Case(2, "worker --broker ipc:///tmp/x --plugin {plugins}/plain.so --plugin {plugins}/plain.so", (r"plain\.so is given twice",)),
    Case(2, "worker --broker ipc:///tmp/x --nope", ("no option --nope", "--help")),
]
# Used well, but the command cannot run: a failed task, and no wrong use.
FAILED = [
    Case(1, "exec ::: a -- no-such-command", ("cannot run 'no-such-command'", "No such file")),
    Case(1, "exec ::: a -- ./plain", ("cannot run './plain'", "Permission denied")),
    Case(1, "exec --shell=/nowhere/sh echo ::: a", ("/nowhere/sh", "No such file")),
    Case(1, "exec --chdir /nowhere echo ::: a", ("'/nowhere'", "No such file")),
    Case(1, "exec ::: a -- ./directory", ("cannot run './directory'", "Permission denied")),
]

NOWHERE = "--broker ipc:///nowhere/x"
NO_BROKER = ("no broker named", "--broker producer.join", "FANMILL_BROKER")
ASKING = [Case(2, words, NO_BROKER) for words in (
    "jobs", "show", "workers", "status", "cancel last", "pause last", "resume last", "close last", "forget last")] + [
    Case(3, "%s %s" % (words, NOWHERE), ("no broker listens at /nowhere/x", "fanmill broker --listen ipc:///nowhere/x"))
    for words in ("jobs", "show", "workers", "status", "functions", "cancel last", "forget all")] + [
    Case(2, words, ("no job named", "for instance: fanmill %s last" % words.split()[0], "fanmill jobs"))
    for words in ("cancel", "pause", "resume", "close", "forget")] + [
    Case(2, "jobs --broker nowhere.join", ("nowhere.join does not exist", "producer.join", "broker's host")),
    Case(2, "jobs --broker plain", ("plain", "no join file|others may read")),
    Case(2, "status --broker tcp://192.0.2.1:5", ("tcp://192.0.2.1:5", "join file", "producer.join")),
    Case(2, "workers --broker http://x", ("http://x", "ipc://PATH")),
    Case(2, "jobs --broker " + LONG, ("allows 107", "shorter")),
    Case(2, "jobs --state runing " + NOWHERE, ('no state "runing"', "did you mean running", "waiting, paused")),
    Case(2, "jobs --state done, " + NOWHERE, ('no state ""', "running, waiting")),
    Case(2, "jobs --nope", ("no option --nope", "--help")),
    Case(2, "jobs --al", ("no option --al", "did you mean --all")),
    Case(2, "show --json=5", ("--json takes no value",)),
    Case(2, "status extra", ('"extra"', "one word too many", "--help")),
    Case(2, "cancel --now --grace 5s last " + NOWHERE, ("--now and --grace",)),
    Case(2, "cancel --grace soon last " + NOWHERE, ("--grace", '"soon" is no duration', "90s")),
    Case(2, "pause --grace 5s last " + NOWHERE, ("no option --grace", "--help")),
    Case(2, "functions --plugin x.so --broker ipc:///tmp/x", ("--plugin x.so", "fanmill worker")),
    Case(2, "cancle last", ('no command "cancle"', "did you mean cancel")),
]


@serial
class BadUse(FanmillTest):
    def setUp(self):
        super().setUp()
        for name, data in FILES.items():
            (self.dir / name).write_bytes(data)
        (self.dir / "directory").mkdir()

    def check(self, cases):
        for case in cases:
            with self.subTest(case.words):
                # Split at single spaces: words of these cases hold none.
                words = [word.format(dir=self.dir, plugins=PLUGINS) if re.search("{(dir|plugins)}", word) else word
                         for word in case.words.split()]
                run = self.run_fanmill(*words, code=case.code)
                self.assertEqual(run.out(), "", run)
                lines = run.err().splitlines()
                self.assertTrue(1 <= len(lines) <= LINES_MAX, run)
                for pattern in case.says:
                    self.assertRegex(run.err(), pattern)
                if MEASURABLE:
                    self.assertLess(run.seconds, SECONDS_MAX, run)

    def test_no_case_is_there_twice(self):
        words = collections.Counter(case.words for case in COMMANDS + OPTIONS + INPUTS + PROGRAMS + FAILED)
        self.assertEqual([one for one, count in words.items() if count > 1], [])

    def test_commands(self):
        self.check(COMMANDS)

    def test_options(self):
        self.check(OPTIONS)

    def test_inputs(self):
        self.check(INPUTS)

    def test_broker_and_worker(self):
        self.check(PROGRAMS)

    def test_asking_and_steering(self):
        self.check(ASKING)

    def test_commands_that_cannot_run_are_failed_tasks(self):
        self.check(FAILED)

    def test_refused_outputs_leave_the_input_as_it_is(self):
        for words in ("-o ok.jsonl echo :::: ok.jsonl", "--joblog ok.jsonl ok.jsonl -- echo"):
            self.run_fanmill("exec", *words.split(), code=2)
            self.assertEqual((self.dir / "ok.jsonl").read_bytes(), FILES["ok.jsonl"])

    def test_lists_and_help_that_cannot_be_written(self):
        for words in ("functions", "functions --json", "--help", "map --help", "help exec", "--version"):
            with self.subTest(words):
                run = self.pipeline("fanmill %s >/dev/full" % words)
                self.assertEqual((run.code, run.err()), (3, "fanmill: cannot write to stdout: No space left on device\n"), run)
                self.assertEqual(self.pipeline("fanmill %s >&-" % words).code, 3)
                reader, writer = os.pipe()
                os.close(reader)
                run = self.fanmill(*words.split(), stdout=writer)
                os.close(writer)
                self.assertIn((run.wait().code, run.err()), ((0, ""), (-signal.SIGPIPE, "")), run)

    def test_an_empty_file_name_and_an_empty_function_name(self):
        for words in (("map", "", ":::", "1"), ("map", "identity", "")):
            run = self.run_fanmill(*words, code=2)
            self.assertRegex(run.err(), "^fanmill map: no (function|input)")

    def test_a_file_that_may_not_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root reads every file")
        (self.dir / "ok.jsonl").chmod(0)
        run = self.run_fanmill("map", "identity", "ok.jsonl", code=2)
        self.assertRegex(run.err(), r"ok\.jsonl.*Permission denied")

    def test_a_second_broker_at_the_same_path(self):
        endpoint = "ipc://%s/broker" % self.dir
        broker = self.fanmill("broker", "--listen", endpoint)
        broker.wait_for_stderr("listening on")
        run = self.run_fanmill("broker", "--listen", endpoint, code=3)
        self.assertRegex(run.err(), "broker.store belongs to a broker that runs: use that one, or name another file with --store FILE")
        run = self.run_fanmill("broker", "--listen", endpoint, "--durability", "memory", code=3)
        self.assertRegex(run.err(), "a broker listens at .* already; stop it or choose another path")

    def test_a_broker_without_workers(self):
        endpoint = "ipc://%s/broker" % self.dir
        self.fanmill("broker", "--listen", endpoint).wait_for_stderr("listening on")
        run = self.run_fanmill("map", "--broker", endpoint, "--wait-workers", "50ms", "identity", ":::", "1", code=2)
        self.assertRegex(run.err(), "no worker offers 'identity': no worker is connected")
