"""Options and inputs that each work alone, together."""
import csv
import json
import os
import pathlib
import re
import resource
import signal

from harness import BIN, DATA, FanmillTest, wait_until


class OutputFiles(FanmillTest):
    def test_a_job_log_never_takes_the_place_of_the_input(self):
        path = self.write("in", "a\nb\n")
        for log in ("in", "./in", "+in"):
            run = self.run_fanmill("exec", "--joblog", log, "echo", "::::", "in", code=2)
            self.assertRegex(run.err(), "--joblog .*in is the input too")
        self.assertEqual(path.read_text(), "a\nb\n")

    def test_stdout_that_is_the_input_is_refused(self):
        path = self.write("in.jsonl", "1\n2\n")
        run = self.pipeline("fanmill map identity - < in.jsonl >> in.jsonl")
        self.assertEqual(run.code, 2, run)
        self.assertIn("stdout is the input too", run.err())
        self.assertEqual(path.read_text(), "1\n2\n")

    def test_results_and_job_log_are_two_files(self):
        for log in ("out", "./out", "+out"):
            run = self.run_fanmill("exec", "-o", "out", "--joblog", log, "echo", ":::", "a", code=2)
            self.assertIn("name the same file", run.err())
        self.assertFalse((self.dir / "out").exists())
        self.run_fanmill("exec", "-o", "/dev/null", "--joblog", "/dev/null", "echo", ":::", "a")

    def test_a_dash_is_stdout(self):
        run = self.run_fanmill("exec", "-o", "-", "--joblog", "-", "echo", ":::", "a")
        self.assertRegex(run.out(), r"\ASeq\t.*\n1\t:\t.*\techo a\na\n\Z")
        self.assertEqual(os.listdir(self.dir), [])

    def test_a_name_that_is_empty_is_refused_and_takes_no_other_word(self):
        for words in (["-o", ""], ["--output="], ["--joblog="], ["--joblog", "+"]):
            run = self.run_fanmill("exec", *words, "echo", ":::", "a", code=2)
            self.assertIn("names no file", run.err())
        self.assertEqual(os.listdir(self.dir), [])

    def test_an_option_without_its_value_leaves_the_next_word_alone(self):
        env = dict(self.env, FANMILL_BROKER="ipc:///nowhere/x")
        run = self.run_fanmill("exec", "--broker=", "-j", "1", "echo", "--output=", ":::", "a", env=env)
        self.assertEqual(run.out(), "--output= a\n")

    def test_an_option_given_twice_is_told(self):
        run = self.run_fanmill("map", "-j", "1", "-j", "2", "identity", ":::", "1", code=2)
        self.assertIn("--slots is there more than once; give it once", run.err())

    def test_ctrl_c_ends_the_wait_for_the_other_end_of_a_pipe(self):
        for words in (["-o", "pipe", "identity", ":::", "1"], ["--lines", "identity", "pipe"]):
            pipe = self.dir / "pipe"
            os.mkfifo(pipe)
            run = self.fanmill("map", *words)
            # From main() on, which holds signals back, a closed pipe is ignored.
            wait_until(lambda: self.ignores(run.pid, signal.SIGPIPE), "main() runs")
            run.signal(signal.SIGINT)
            run.wait()
            self.assertEqual(run.code, -signal.SIGINT, run)
            pipe.unlink()

    def ignores(self, pid, number):
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
        return int(re.search(r"SigIgn:\s+(\w+)", status).group(1), 16) >> number - 1 & 1


class Rows(FanmillTest):
    def test_a_killed_task_has_its_times(self):
        run = self.run_fanmill("exec", "--timeout", "300ms", "--format", "jsonl", "--joblog", "log", "sleep", ":::", "60", code=1)
        row = self.rows(run)[0]
        self.assertGreaterEqual(row["run_s"], 0.3)
        logged = (self.dir / "log").read_text().splitlines()[1].split("\t")
        self.assertAlmostEqual(float(logged[2]), row["start"], delta=0.002)
        self.assertAlmostEqual(float(logged[3]), row["run_s"], delta=0.002)

    def test_bytes_of_a_command_are_text_in_every_format(self):
        command = ("printf", r"{}\377", ":::", "a")
        run = self.run_fanmill("exec", "--format", "jsonl", "--columns", "value", *command)
        self.assertEqual(json.loads(run.out()), {"value": "a\ufffd"})
        run = self.run_fanmill("exec", "--format", "csv", "--columns", "value", *command)
        self.assertEqual(bytes(run.stdout.data), b"value\na\xff\n")
        run = self.run_fanmill("exec", *command)
        self.assertEqual(bytes(run.stdout.data), b"a\xff")

    def test_no_numbers_are_words_in_csv_and_null_in_json(self):
        words = ("--plugin", self.no_numbers(), "no_number", ":::", "0", "1", "2", "3")
        run = self.run_fanmill("map", "--format", "csv", "--columns", "value", *words)
        self.assertEqual(run.out(), "value\nnan\ninf\n-inf\n-0.0\n")
        self.assertEqual(self.run_fanmill("map", *words).out(), "null\nnull\nnull\n-0.0\n")

    def no_numbers(self):
        source = self.write("no.cpp", """#include <fanmill/plugin.hpp>
#include <cmath>
FANMILL_FUNCTION(no_number, [](int n) { return n == 0 ? NAN + 0.0 : n == 1 ? HUGE_VAL : n == 2 ? -HUGE_VAL : -0.0; })
""")
        include = DATA.parent.parent / "worker" / "plugin" / "include"
        built = self.start("g++", "-std=c++20", "-shared", "-fPIC", "-I", include, source, "-o", "no.so").wait(deadline=100)
        self.assertEqual(built.code, 0, built)
        return "no.so"

    def test_columns_of_csv_have_names_of_their_own(self):
        self.write("in.csv", "value,index,n\n1,2,3\n")
        run = self.run_fanmill("exec", "--format", "csv", "in.csv", "--", "echo", "{value}")
        names, row = csv.reader(run.out().splitlines())
        self.assertEqual(names[:5], ["index", "params.value", "params.index", "n", "value"])
        self.assertEqual(row[:5], ["0", "1", "2", "3", "1"])

    def test_group_sample_limit_and_log_agree(self):
        values = "".join("%d\n" % i for i in range(1, 21))
        words = ("--lines", "-N", "2", "--sample", "50%", "--limit", "2")
        run = self.run_fanmill("exec", *words, "--format", "jsonl", "--columns", "params,value", "--joblog", "log", "echo", stdin=values)
        rows = [json.loads(line) for line in run.out().splitlines()]
        kept = self.run_fanmill("map", "--lines", "--sample", "50%", "--limit", "4", "--raw", "identity", stdin=values)
        self.assertEqual([v for row in rows for v in row["params"]], kept.out().split())
        commands = [line.split("\t")[8] for line in (self.dir / "log").read_text().splitlines()[1:]]
        self.assertEqual(commands, ["echo %s %s" % tuple(row["params"]) for row in rows])
        shown = self.run_fanmill("exec", *words, "--dry-run", "echo", stdin=values)
        self.assertEqual(shown.out().splitlines(), commands)

    def test_a_name_with_groups_is_refused(self):
        run = self.run_fanmill("exec", "-N", "2", "--range", "n=1..4", "echo", "{n}", code=2)
        self.assertIn("{1} to {2}, instead of {n}", run.err())
        run = self.run_fanmill("exec", "-N", "2", "--range", "n=1..3", "echo", "{foo}")
        self.assertEqual(run.out(), "{foo} 1 2\n{foo} 3\n")

    def test_a_dry_run_checks_columns(self):
        self.assertIn("vlaue", self.run_fanmill("map", "--dry-run", "--format", "csv", "--columns", "vlaue", "identity",
                                                ":::", "1", code=2).err())


class Interrupted(FanmillTest):
    def test_twice_gives_out_what_was_done_behind_a_task_that_hangs(self):
        run = self.fanmill("exec", "-j", "2", "--format", "jsonl", "--joblog", "log", "--progress=json",
                           "sleep", ":::", "60", "0", "60", "60")
        run.wait_for_stderr('"done":1,')
        run.signal(signal.SIGINT)
        run.wait_for_stderr("interrupted: what runs")
        run.signal(signal.SIGINT)
        run.wait()
        self.assertEqual(run.code, 130, run)
        self.assertEqual([row["status"] for row in self.rows(run).values()],
                         ["cancelled", "succeeded", "cancelled", "cancelled"])
        self.assertIn("interrupted: 1 task done, 3 not run", run.err())
        self.assertEqual([line.split("\t")[0] for line in (self.dir / "log").read_text().splitlines()], ["Seq", "2"])


class Slots(FanmillTest):
    def limited(self, soft, hard, *words, code=0):
        return self.run_fanmill("exec", *words, prefix=("prlimit", "--nofile=%d:%d" % (soft, hard)), code=code)

    def test_many_slots_raise_the_limit_of_files_but_not_that_of_commands(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        run = self.limited(256, hard, "-j", "60", "--shell", "ulimit -Sn; : {}", ":::", "1", "2")
        self.assertEqual(run.out(), "256\n256\n")

    def test_more_slots_than_the_limit_of_files_allows_are_refused(self):
        run = self.limited(1024, 1024, "-j", "180", "true", ":::", "1", code=2)
        self.assertIn("at most 179 slots", run.err())
        self.limited(1024, 1024, "-j", "179", "true", ":::", "1")


class Broker(FanmillTest):
    def test_waits_for_workers_as_long_as_it_was_told(self):
        address = "ipc://%s/mill/broker" % self.dir
        broker = self.start(BIN / "fanmill-broker", "--listen", address)
        broker.wait_for_stderr("listening")
        run = self.run_fanmill("map", "--broker", address, "--wait-workers", "50ms", "identity", ":::", "1", code=2)
        self.assertIn("no worker is connected", run.err())
        self.assertLess(run.seconds, 4)

    def test_one_plugin_named_twice_is_one(self):
        plugin = BIN.parent / "tests" / "plugins" / "plain.so"
        run = self.run_fanmill("functions", "--plugin", plugin, "--plugin", plugin)
        self.assertEqual(run.err(), "")
