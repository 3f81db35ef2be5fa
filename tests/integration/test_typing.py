"""Text becomes what a function takes; what does not fit is refused with its place."""
import json
import random

from harness import FanmillTest


class Typing(FanmillTest):
    def test_a_dry_run_shows_what_the_function_would_get(self):
        run = self.run_fanmill("map", "--dry-run", "--quiet", "sleep_print", ":::", "1", ":::", "007", "8")
        self.assertEqual(run.out(), '[1,"007"]\n[1,"8"]\n')
        self.write("bad.csv", "seconds,message\n0,a\nsoon,b\n")
        run = self.run_fanmill("map", "--dry-run", "sleep_print", "bad.csv", code=2)
        self.assertRegex(run.err(), r'bad\.csv, line 3, column 1 \("seconds"\): seconds should be a float, not "soon"')
        run = self.run_fanmill("map", "--dry-run", "slep", ":::", "1", code=2)
        self.assertRegex(run.err(), "no function 'slep'; did you mean 'sleep'")

    def refused(self, *arguments, stdin=None, printed=""):
        run = self.run_fanmill("map", *arguments, stdin=stdin, code=2)
        self.assertEqual(run.out(), printed)
        self.assertLessEqual(len(run.err().splitlines()), 3)
        return run.err()

    def test_a_parameter_of_text_gets_text(self):
        run = self.run_fanmill("map", "--format", "jsonl", "sleep_print", ":::", "0", ":::", "hello", "7", "007")
        rows = list(self.rows(run).values())
        self.assertEqual([row["params"] for row in rows], [[0, "hello"], [0, "7"], [0, "007"]])
        self.assertEqual([row["stdout"] for row in rows], ["hello\n", "7\n", "007\n"])

    def test_a_csv_column_goes_to_the_parameter_of_its_name(self):
        path = self.write("in.csv", "message,seconds\n007,0\n")
        self.assertEqual(self.run_fanmill("map", "sleep_print", path).out(), "007\n")

    def test_text_where_a_number_belongs_is_refused_and_what_was_fed_finishes(self):
        path = self.write("in.csv", 'seconds,message\n0,"two\nlines"\nsoon,x\n')
        said = self.refused("sleep_print", path, printed="two\nlines\n")
        self.assertIn('in.csv, line 4, column 1 ("seconds"): seconds should be a float, not "soon"', said)

    def test_json_rows_are_checked(self):
        said = self.refused("sleep_print", "-", stdin='[0,"x"]\n[0,7]\n', printed="x\n")
        self.assertIn("stdin, line 2: message should be a str, not 7", said)
        said = self.refused("sleep_print", "-", stdin='{"seconds":0,"mesage":"x"}\n')
        self.assertIn("there is no parameter `mesage`; did you mean `message`?", said)

    def test_too_few_and_too_many_parameters_show_the_signature(self):
        for words in (("sleep_print", ":::", "0"), ("sleep_print", "--range", "seconds=0..0"),
                      ("sleep", ":::", "0", ":::", "1")):
            self.assertIn("(seconds: float", self.refused(*words))

    def test_a_header_that_covers_only_some_parameters_names_the_missing_one(self):
        path = self.write("in.csv", "message\nx\n")
        self.assertIn("in.csv, line 1: the header does not fit: the parameter `seconds` is missing",
                      self.refused("sleep_print", path))

    def test_a_header_that_covers_none_goes_by_position(self):
        path = self.write("in.csv", "a,b\n0,x\n")
        self.assertEqual(self.run_fanmill("map", "sleep_print", path).out(), "x\n")

    def test_a_range_by_name_leaves_the_other_parameter_to_a_list(self):
        self.assertEqual(self.run_fanmill("map", "--range", "seconds=0..0", "sleep_print", ":::", "x").out(), "x\n")

    def test_names_that_end_with_a_zero_byte(self):
        (self.dir / "a b").write_text("")
        (self.dir / "c\nd").write_text("")
        run = self.pipeline("find . -type f -print0 | sort -z | fanmill exec -0 --format jsonl basename")
        self.assertEqual([row["value"] for row in self.rows(run).values()], ["a b\n", "c\nd\n"])

    def test_a_sample_is_the_same_at_every_run_and_limited_to_what_is_left(self):
        words = ("map", "--range", "n=1..1000", "--sample", "10%", "identity")
        run = self.run_fanmill(*words)
        self.assertEqual(self.run_fanmill(*words).out(), run.out())
        first = run.out().splitlines()[:3]
        self.assertEqual(self.run_fanmill(*words, "--limit", "3").out().splitlines(), first)
        seen = self.run_fanmill(*words, "--limit", "3", "--dry-run")
        self.assertEqual([json.loads(line)["n"] for line in seen.out().splitlines()], [int(n) for n in first])
        rows = list(self.rows(self.run_fanmill(*words, "--format", "jsonl")).values())
        self.assertEqual([row["index"] for row in rows], list(range(len(rows))))
        self.assertEqual([str(row["params"]["n"]) for row in rows[:3]], first)


def random_json(rng, depth=6):
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind in (1, 2):
        return rng.randrange(-(1 << rng.randrange(64)), 1 << rng.randrange(65))
    if kind == 3:
        return rng.choice([rng.random(), rng.uniform(-1e300, 1e300), rng.uniform(-1, 1) * 10 ** rng.randrange(-300, 300)])
    if kind in (4, 5):
        return "".join(rng.choice('ab "\\/\n\t\r\b\x01\x7fé€𝄞{}[],:') for _ in range(rng.randrange(20)))
    size = rng.randrange(20 if depth > 4 else 4)
    if kind == 6:
        return {"k%d%s" % (i, rng.choice(["", "é", '"'])): random_json(rng, depth - 1) for i in range(size)}
    return [random_json(rng, depth - 1) for _ in range(size)]


class RandomJson(FanmillTest):
    def test_lines_come_back_as_python_reads_them(self):
        rng = random.Random(5)
        lines, expected = [], []
        for _ in range(2000):
            value = random_json(rng)
            separators = rng.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")])
            lines.append(json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=separators))
            expected.append(value if isinstance(value, (list, dict)) else [value])
        path = self.write("in.jsonl", "\n".join(lines))
        run = self.run_fanmill("map", "echo", path)
        got = run.out().split("\n")[:-1]
        self.assertEqual(len(got), len(expected))
        for line, value in zip(got, expected):
            self.assertEqual(json.loads(line), value, line)

    def test_a_damaged_line_is_refused_where_python_refuses_it(self):
        rng = random.Random(6)
        refused = 0
        for _ in range(60):
            line = bytearray(json.dumps([random_json(rng, 2), random_json(rng, 2)]).encode())
            line[rng.randrange(len(line))] = rng.choice(b'",:[]{}\\ x0-')
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            run = self.fanmill("map", "echo", "-", stdin=bytes(line) + b"\n").wait()
            if value is None:
                refused += 1
                self.assertEqual(run.code, 2, run)
                self.assertRegex(run.err(), r"stdin, line 1, column \d+: ")
            elif run.code != 2:  # numbers beyond 64 bits and lone surrogates are not for everybody
                self.assertEqual(json.loads(run.out()), value if isinstance(value, (list, dict)) else [value])
        self.assertGreater(refused, 10)
