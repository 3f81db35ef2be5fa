"""C++ plugins, as a user meets them: types, state, misbehaviour, refusal, fanmill functions."""
import json
import pathlib
import re
import subprocess

from harness import BIN, FanmillTest, wait_until

PLUGINS = BIN.parent / "tests" / "plugins"
SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


def plugin(name):
    return str(PLUGINS / (name + ".so"))


class PluginTest(FanmillTest):
    def call(self, name, function, *words, code=0, **options):
        return self.run_fanmill("map", "-j", "1", "--plugin", plugin(name), function, *words, code=code, **options)

    def lines(self, name, function, text, **options):
        """The values of a function over JSON lines."""
        return self.call(name, function, "-", stdin=text, **options).out().splitlines()

    def error_of(self, name, function, line):
        """Why the one task fails."""
        run = self.call(name, function, "--format", "jsonl", "-", stdin=line + "\n", code=1)
        row = json.loads(run.out())
        self.assertEqual(row["status"], "failed", run)
        return row["error"]


class ReadmePlugin(FanmillTest):
    """The text of the README, taken as it is: what it says is what a user gets."""

    def setUp(self):
        super().setUp()
        readme = (SOURCE / "README.md").read_text()
        section = readme[readme.index("## Your own functions"):]
        self.code = re.search(r"```cpp\n(.*?)```", section, re.S).group(1)
        self.shell = re.search(r"```console\n(\$ cat points.csv\n.*?)```", section, re.S).group(1)

    def test_of_ten_lines_compiles_with_one_command_and_prints_what_the_readme_shows(self):
        self.assertLessEqual(len(self.code.strip().splitlines()), 10)
        (self.dir / "worker").symlink_to(SOURCE / "worker")
        self.write("norm.cpp", self.code)
        self.env["PATH"] = "%s:%s" % (BIN, self.env["PATH"])
        commands, expected = [], []
        for line in self.shell.splitlines():
            if line.startswith("$ "):
                commands.append(line[2:])
                expected.append("")
            else:
                expected[-1] += line + "\n"
        self.assertEqual(commands[0], "cat points.csv")
        self.write("points.csv", expected[0])
        self.assertEqual([c.split()[0] for c in commands], ["cat", "g++", "fanmill", "fanmill"])
        for command, text in list(zip(commands, expected))[1:]:
            run = self.start("bash", "-o", "pipefail", "-c", command).wait()
            self.assertEqual(run.code, 0, run)
            self.assertEqual(run.out() + run.err(), text)


class Types(PluginTest):
    def test_every_kind_of_value_goes_in_and_comes_out(self):
        for function, lines in (
                ("same_int", ["-9223372036854775808", "9223372036854775807", "0", "-33"]),
                ("same_bool", ["true", "false"]),
                ("same_i8", ["-128", "127"]),
                ("same_u16", ["0", "65535"]),
                ("same_u64", ["18446744073709551615"]),
                ("same_float", ["0.5", "-1.5"]),
                ("same_double", ["0.1", "1e+300", "3.0"]),
                ("same_text", ['"ü \\"quoted\\" \\n"', '""', '"%s"' % ("x" * 100000)]),
                ("same_view", ['"a view"']),
                ("same_list", ["[[1,2,3]]", "[[]]"]),
                ("same_bools", ["[[true,false,true]]"]),
                ("same_map", ['[{"a":[1.0],"b":[]}]']),
                ("same_optional", ['"there"']),
                ("same_tuple", ['[[1,"b",true]]']),
                ("same_pair", ["[[1.5,2]]", "[[1.5,null]]"]),
                ("same_packed", ['[{"a":[1,{"b":null}]}]', "7"])):
            with self.subTest(function):
                expected = [json.dumps(json.loads(line)[0]) if line.startswith("[[") or line.startswith("[{") else line
                            for line in lines]
                got = self.lines("types", function, "\n".join(lines) + "\n")
                self.assertEqual([json.loads(line) for line in got], [json.loads(line) for line in expected])

    def test_integers_are_taken_as_floats(self):
        self.assertEqual(self.lines("types", "same_double", "3\n-3\n18446744073709551615\n"), ["3.0", "-3.0", "1.8446744073709552e+19"])

    def test_bytes_take_text_and_nothing_is_null(self):
        self.assertEqual(self.lines("types", "byte_count", '"abc"\n'), ["3"])
        self.assertEqual(self.lines("types", "nothing", "1\n"), [])
        self.assertEqual(self.lines("types", "same_optional", "null\n"), [])
        self.assertEqual(self.lines("types", "literal", "[]\n"), ['"text"'])

    def test_parameters_go_by_position_or_by_name_and_defaults_stand_in(self):
        self.assertEqual(self.lines("types", "scaled", '[3]\n[3,5]\n{"x":3}\n{"by":5,"x":3}\n'), ["6.0", "15.0", "6.0", "15.0"])
        self.assertEqual(self.lines("types", "joined", '["a"]\n{"first":"a","rest":[]}\n["a","b",[1,2,3]]\n'), ['"a-2"', '"a-0"', '"ab3"'])

    def test_columns_of_a_csv_go_by_name_in_any_order(self):
        path = self.write("in.csv", "by,x\n2,3\n10,4\n")
        self.assertEqual(self.call("types", "scaled", path).out(), "6.0\n40.0\n")

    def test_a_value_nested_too_deeply_fails_by_name(self):
        error = self.error_of("types", "deep", "[]")
        self.assertIn("deep", error)
        self.assertIn("nested too deeply", error)


class State(PluginTest):
    def test_is_made_once_per_executor_and_shared_by_type(self):
        self.assertEqual(self.lines("state", "calls", "[]\n" * 3), ["1", "2", "3"])
        self.assertEqual(self.lines("state", "calls_elsewhere", "[]\n" * 2), ["1", "2"])

    def test_is_made_as_the_plugin_says(self):
        self.assertEqual(self.lines("state", "predict", "2\n3\n"), ["20.0", "30.0"])

    def test_that_cannot_be_made_fails_the_task(self):
        self.assertEqual(self.error_of("state", "broken", "[]"), "no model at /nowhere")


class Context(PluginTest):
    def test_tells_index_attempt_slot_and_a_token_of_its_own(self):
        rows = [json.loads(line) for line in self.lines("state", "about", "5\n6\n7\n")]
        self.assertEqual([row[:4] for row in rows], [[5, 0, 1, 1], [6, 1, 1, 1], [7, 2, 1, 1]])
        self.assertEqual(len({row[4] for row in rows}), 3)
        self.assertEqual({row[5] for row in rows}, {False})

    def test_tells_a_further_attempt(self):
        run = self.run_fanmill("map", "--plugin", plugin("state"), "--retries", "1", "second_try", "-", stdin="[]\n")
        self.assertEqual(run.out(), "2\n")

    def test_tells_the_deadline_of_the_time_limit(self):
        run = self.run_fanmill("map", "--plugin", plugin("state"), "--timeout", "1h", "seconds_left", "-", stdin="[]\n")
        self.assertTrue(3590 < float(run.out()) <= 3600, run)

    def test_logs_to_the_stderr_of_its_own_task(self):
        run = self.call("state", "says", "--format", "jsonl", ":::", "a", "b", "c")
        self.assertEqual([row["stderr"] for row in self.rows(run).values()], ["warning: a\n", "warning: b\n", "warning: c\n"])
        self.env["FANMILL_LOG"] = "debug"
        run = self.call("state", "says", "--format", "jsonl", ":::", "a")
        self.assertEqual(self.rows(run)[0]["stderr"], "debug: debug a\nwarning: a\n")


class Misbehaviour(PluginTest):
    """Each ends as a failure that names the task, and the batch goes on."""

    def outcome(self, function, *words, options=(), **more):
        run = self.run_fanmill("map", "-j", "2", "--plugin", plugin("bad"), "--format", "jsonl", *options, function,
                               ":::", *(words or ("0", "1", "0")), code=1, **more)
        rows = self.rows(run)
        self.assertEqual(len(rows), len(words or "010"), run)
        return run, rows

    def test_an_exception_is_a_failure_with_its_message(self):
        _, rows = self.outcome("throws", "0", "1", "2", "3", "4", "5")
        self.assertEqual([rows[i]["status"] for i in range(6)], ["succeeded"] + 4 * ["failed"] + ["succeeded"])
        self.assertEqual([rows[i]["error"] for i in range(1, 5)],
                         ["the value is out of stock", "the function threw a int",
                          "the function threw a (anonymous namespace)::Odd", "do_it is never 4"])

    def test_a_message_that_is_no_utf8_is_readable_still(self):
        self.assertEqual(self.error_of("bad", "bad_text", "[]"), "not ? UTF-8")

    def test_an_abort_names_its_signal_and_last_words(self):
        run, rows = self.outcome("aborts")
        self.assertEqual([rows[i]["status"] for i in range(3)], ["succeeded", "dead-lettered", "succeeded"])
        self.assertIn("signal 6", rows[1]["error"])
        self.assertIn("last words", run.err())

    def test_a_segfault_names_its_signal(self):
        _, rows = self.outcome("segfaults")
        self.assertEqual([rows[i]["status"] for i in range(3)], ["succeeded", "dead-lettered", "succeeded"])
        self.assertIn("signal 11", rows[1]["error"])

    def test_an_endless_loop_ends_at_the_time_limit(self):
        _, rows = self.outcome("loops", options=("--timeout", "300ms"))
        self.assertEqual([rows[i]["status"] for i in range(3)], ["succeeded", "failed", "succeeded"])
        self.assertEqual(rows[1]["cause"], "time-limit")
        self.assertIn("300 ms", rows[1]["error"])

    def test_what_it_prints_is_its_own(self):
        run = self.call("bad", "prints", "--format", "jsonl", ":::", *map(str, range(20)))
        for i, row in self.rows(run).items():
            self.assertEqual((row["stdout"], row["stderr"]), ("out %d\ncout %d\n" % (i, i), "err %d\n" % i))

    def test_leaked_descriptors_end_as_a_failure_and_a_fresh_executor(self):
        run = self.start("bash", "-c", 'ulimit -n 1024; exec "$@"', "bash", BIN / "fanmill", "map", "-j", "1", "--plugin",
                         plugin("bad"), "--format", "jsonl", "leaks", "-", stdin="".join("%d\n" % i for i in range(40))).wait()
        rows = self.rows(run)
        self.assertEqual((run.code, len(rows)), (1, 40), run)
        failed = [row for row in rows.values() if row["status"] != "succeeded"]
        self.assertTrue(2 <= len(failed) <= 6, run)
        for row in failed:
            self.assertEqual(row["error"], "/dev/null: Too many open files (its executor has all 1024 descriptors open, and is replaced)")

    def test_exit_is_a_crash_with_its_code(self):
        _, rows = self.outcome("exits", "0", "1", "2", "3")
        self.assertEqual([rows[i]["status"] for i in range(4)], ["succeeded", "dead-lettered", "dead-lettered", "succeeded"])
        self.assertIn("code 7", rows[1]["error"])
        self.assertIn("code 0", rows[2]["error"])

    def test_closing_descriptor_3_does_no_harm(self):
        self.assertEqual(self.call("bad", "closes_3", ":::", *map(str, range(50))).out(), "".join("%d\n" % i for i in range(50)))

    def test_closing_every_descriptor_is_a_crash_of_that_task(self):
        _, rows = self.outcome("closes_all", "0", "1", "2", "3")
        self.assertEqual([rows[i]["status"] for i in range(4)], ["succeeded", "dead-lettered", "succeeded", "succeeded"])

    def test_a_file_of_its_own_as_descriptor_1_is_left_alone(self):
        path = self.write("own.txt", "before\n")
        self.call("bad", "takes_over_1", ":::", str(path))
        self.assertTrue(path.read_text().startswith("before\n"))


class Refusal(PluginTest):
    """Before anything runs: exit 2, the file and the reason, and no output file is touched."""

    def refused(self, *words, **options):
        output = self.write("out.txt", "kept\n")
        run = self.run_fanmill("map", "-o", output, *words, "f", ":::", "1", code=2, **options)
        self.assertEqual(output.read_text(), "kept\n")
        self.assertLess(run.seconds, 5)
        self.assertLessEqual(len(run.err().splitlines()), 3)
        listed = self.run_fanmill("functions", *words, code=2)
        reason = run.err().removeprefix("fanmill: ")
        self.assertEqual(listed.err().removeprefix("fanmill functions: "), reason)
        return reason

    def test_of_what_is_not_there_or_no_library(self):
        self.assertEqual(self.refused("--plugin", "nowhere.so"), "the plugin nowhere.so cannot be read: No such file or directory\n")
        self.write("text.so", "not a library, but a text that is long enough to be looked at as one" * 3)
        self.assertRegex(self.refused("--plugin", "text.so"), r"^the plugin text\.so does not load: invalid ELF header \(a plugin is a shared library: g\+\+ .*-shared -fPIC …\)\n$")
        self.assertRegex(self.refused("--plugin", "."), r"^the plugin \. does not load: ")

    def test_of_a_library_that_is_no_plugin(self):
        self.assertRegex(self.refused("--plugin", plugin("no_plugin")), r"no_plugin\.so is a shared library, but no plugin: .*fanmill/plugin\.hpp")

    def test_of_another_major_version_names_both_versions(self):
        reason = self.refused("--plugin", plugin("abi_2"))
        self.assertRegex(reason, r"abi_2\.so was built for version 2\.3 of the plugin interface, and this fanmill has version 1\.0")

    def test_not_of_a_later_minor_version_with_larger_structs(self):
        self.assertEqual(self.call("abi_1_9", "seven", ":::", "1", "x").out(), "7\n7\n")

    def test_of_a_name_that_is_built_in_or_offered_twice(self):
        self.assertRegex(self.refused("--plugin", plugin("clash")), r"clash\.so offers identity, which is built in: give it another name\n$")
        other = self.dir / "other.so"
        other.symlink_to(plugin("types"))
        reason = self.refused("--plugin", plugin("types"), "--plugin", str(other))
        self.assertRegex(reason, r"^the plugin \S*/other\.so offers \w+, which \S*/types\.so offers already: give it another name\n$")

    def test_of_a_default_that_does_not_fit(self):
        self.assertRegex(self.refused("--plugin", plugin("default")), r"default\.so is no use: add: the default of by is no int\n$")

    def test_of_a_library_that_dies_while_it_is_loaded(self):
        reason = self.refused("--plugin", plugin("dies_loading"))
        self.assertRegex(reason, r"dies_loading\.so ends the executor: killed by signal 6 .*: cannot find my licence\n$")

    def test_beside_a_broker_says_where_it_belongs(self):
        run = self.run_fanmill("map", "--broker", "ipc:///tmp/b", "--plugin", "norm.so", "norm", ":::", "1", code=2)
        self.assertIn("fanmill worker --broker ipc:///tmp/b --plugin norm.so", run.err())

    def test_by_a_worker_ends_it_with_2(self):
        run = self.fanmill("worker", "--broker", "ipc://%s/b" % self.dir, "--plugin", plugin("abi_2")).wait()
        self.assertEqual(run.code, 2, run)
        self.assertIn("version 2.3", run.err())

    def test_by_a_worker_whose_executor_is_killed_from_outside_is_no_wrong_use(self):
        # A supervisor starts it again, as it does not after wrong use.
        run = self.fanmill("worker", "--broker", "ipc://%s/b" % self.dir, "--plugin", plugin("dies_loading"),
                           env=dict(self.env, FANMILL_TEST_DIES_BY="9")).wait()
        self.assertEqual(run.code, 3, run)
        self.assertIn("killed by signal 9", run.err())

    def test_later_when_executors_start_no_more_ends_the_run(self):
        marker = self.dir / "marker"
        env = dict(self.env, FANMILL_TEST_DIES_ONCE_THERE_IS=str(marker))
        run = self.fanmill("map", "-j", "1", "--plugin", plugin("dies_loading"), "crash", "-", env=env, stdin=subprocess.PIPE)
        run.write_all(b"0\n")
        run.wait_for_lines(1)
        marker.touch()
        run.write_all(b"1\n2\n")
        run.wait()
        self.assertEqual(run.code, 3, run)
        self.assertIn("cannot find my licence", run.err())
        self.assertIn("no executor of this run starts any more", run.err())


class PlainC(PluginTest):
    def test_is_told_which_parameter_each_column_is(self):
        path = self.write("in.csv", "y,x\n1,2\n")
        self.assertEqual(self.call("plain", "columns", path).out(), '"y1 x0 "\n')

    def test_that_appends_garbage_or_says_nothing_fails_by_name(self):
        self.assertIn("not one msgpack value", self.error_of("plain", "garbage", "1"))
        self.assertEqual(self.error_of("plain", "silent", "1"), "silent failed without a reason")


class Functions(PluginTest):
    def test_lists_names_and_signatures_sorted(self):
        run = self.run_fanmill("functions", "--plugin", plugin("plain"))
        lines = run.out().splitlines()
        self.assertEqual(lines, sorted(lines))
        self.assertIn('answer       (x: float, text: str = "a") -> int', lines)
        self.assertTrue(any(line.startswith("sleep_print  (seconds: float") for line in lines), run)

    def test_as_json_has_one_schema(self):
        said = json.loads(self.run_fanmill("functions", "--plugin", plugin("types"), "--json").out())
        self.assertEqual(list(said), ["schema", "functions"])
        self.assertEqual(said["schema"], 1)
        names = [each["name"] for each in said["functions"]]
        self.assertEqual(names, sorted(names))
        signatures = {each["name"]: each["signature"] for each in said["functions"]}
        self.assertEqual(signatures["scaled"], "(x: float, by: float = 2) -> float")
        self.assertEqual(signatures["joined"], '(first: str, second: str = "-", rest: list[int] = [1,2]) -> str')
        self.assertEqual(signatures["same_pair"], "(value: tuple[float, int?]) -> tuple[float, int?]")
        self.assertEqual(signatures["nothing"], "(arg1: int) -> null")
        self.assertEqual(signatures["same_map"], "(value: map[list[float]]) -> map[list[float]]")


class Workers(PluginTest):
    def test_offer_a_plugin_to_a_broker(self):
        self.dir.chmod(0o700)
        endpoint = "ipc://%s/broker" % self.dir
        self.fanmill("broker", "--listen", endpoint)
        wait_until(lambda: (self.dir / "broker").exists(), "the broker's socket")
        self.fanmill("worker", "--broker", endpoint, "--slots", "1", "--plugin", plugin("state"))
        run = self.run_fanmill("map", "--broker", endpoint, "predict", ":::", "2", "3")
        self.assertEqual(run.out(), "20.0\n30.0\n")
