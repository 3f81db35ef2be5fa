"""The outputs as other programs read them."""
import csv
import io
import json

from harness import FanmillTest


class Csv(FanmillTest):
    def test_a_named_input_comes_back_with_its_columns_and_hostile_text_survives(self):
        texts = ['plain', 'comma, quote " and\nnewline', 'ünïcode', ' spaces ', '', "'", '=1+1', '007']
        source = io.StringIO()
        writer = csv.writer(source)
        writer.writerow(["seconds", "message"])
        writer.writerows([0, text] for text in texts)
        path = self.write("in.csv", source.getvalue())
        run = self.run_fanmill("map", "--format", "csv", "echo", path)
        rows = list(csv.DictReader(io.StringIO(run.out(), newline="")))
        self.assertEqual([row["message"] for row in rows], texts)
        self.assertEqual([int(row["index"]) for row in rows], list(range(len(texts))))
        self.assertEqual({row["status"] for row in rows}, {"succeeded"})

    def test_failed_tasks_have_rows_with_the_same_columns(self):
        run = self.run_fanmill("exec", "--format", "csv", ":::", "0", "3", "--", "sh", "-c", "echo out; exit $1", "sh", "{1}", code=1)
        rows = list(csv.reader(io.StringIO(run.out(), newline="")))
        self.assertEqual(len(rows), 3, run)
        self.assertEqual({len(row) for row in rows}, {len(rows[0])}, run)

    def test_goes_to_a_file_with_o(self):
        run = self.run_fanmill("map", "--format", "csv", "-o", "out.csv", "identity", ":::", "1", "2", "3")
        self.assertEqual(run.out(), "")
        with open(self.dir / "out.csv", newline="") as file:
            self.assertEqual(len(list(csv.DictReader(file))), 3)


class JsonLines(FanmillTest):
    def test_every_task_has_a_row_in_input_order(self):
        run = self.run_fanmill("map", "--format", "jsonl", "identity", "-", stdin="".join("%d\n" % i for i in range(3000)))
        rows = [json.loads(line) for line in run.out().splitlines()]
        self.assertEqual([row["index"] for row in rows], list(range(3000)))
        self.assertEqual([row["value"] for row in rows], list(range(3000)))
        self.assertEqual({row["status"] for row in rows}, {"succeeded"})

    def test_a_commands_whole_stdout_is_the_value(self):
        run = self.run_fanmill("exec", "--format", "jsonl", ":::", "a b", "--", "printf", "%s\\n%s\\n", "{1}", "two")
        self.assertEqual(self.rows(run)[0]["value"], "a b\ntwo\n")

    def test_names_of_a_csv_fill_the_placeholders_of_a_command(self):
        path = self.write("in.csv", "x,y\n1,one\n2,two words\n")
        run = self.run_fanmill("exec", path, "--", "echo", "{y}", "{x}")
        self.assertEqual(run.out(), "one 1\ntwo words 2\n")
