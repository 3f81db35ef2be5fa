"""CSV at length and at random, against Python's own csv module."""
import csv
import io
import itertools
import json
import os
import random
import subprocess

from harness import FanmillTest, measured, serial, slow

MIB = 1024  # in KiB
ROWS_IN_TURN = 7919  # a prime: pieces of the input begin everywhere in them


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def typed(text):
    """Text without a type is a number if it prints back as the same."""
    try:
        number = int(text)
    except ValueError:
        return text
    return number if str(number) == text and -(1 << 63) <= number < 1 << 64 else text


def random_text(rng):
    kind = rng.randrange(8)
    if kind == 0:
        return str(rng.randrange(-10**rng.randrange(1, 12), 10**rng.randrange(1, 21)))
    if kind == 1:
        return ""
    return "".join(rng.choice('ab x,"\n\r;\'\\é€𝄞0-7\t') for _ in range(rng.randrange(24)))


def written(rows, rng, line_end):
    # The writer quotes a bare \r only where it is part of its line end.
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]) if line_end == "\r\n" else csv.QUOTE_ALL
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator=line_end).writerows(rows)
    return out.getvalue()


class ManyRows(FanmillTest):
    def stream(self, count):
        """The rows of a file against what Python reads in it, while they come."""
        rng = random.Random(count)
        rows = [[random_text(rng) for _ in range(4)] for _ in range(ROWS_IN_TURN)]
        tails = [written([row], rng, "\r\n") for row in rows]
        read = list(csv.reader(io.StringIO("".join(tails), newline="")))
        self.assertEqual(read, rows)
        printed = [compact([typed(field) for field in row])[1:] for row in read]
        path = self.dir / "in.csv"
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write("\ufeffindex,first,second,third,fourth\r\n")
            for begin in range(0, count, ROWS_IN_TURN):
                size = min(ROWS_IN_TURN, count - begin)
                out.write("".join("%d,%s" % (begin + i, tails[i]) for i in range(size)))
        run = self.fanmill("map", "identity", path, stdout=subprocess.PIPE)
        peak = 0
        for begin in range(0, count, ROWS_IN_TURN):
            size = min(ROWS_IN_TURN, count - begin)
            expected = "".join("[%d,%s\n" % (begin + i, printed[i]) for i in range(size)).encode()
            peak = max(peak, run.peak_kib() if run.running() else 0)
            self.assert_next(run, expected)
        self.assertEqual(run.process.stdout.read(), b"")
        run.process.stdout.close()
        run.wait()
        self.assertEqual(run.code, 0, run.err())
        return path.stat().st_size, run.seconds, peak

    def assert_next(self, run, expected):
        got = bytearray()
        while len(got) < len(expected):
            piece = run.process.stdout.read(len(expected) - len(got))
            if not piece:
                break
            got += piece
        if got == expected:
            return
        pairs = itertools.zip_longest(got.split(b"\n"), expected.split(b"\n"))
        self.fail("printed and expected: %r %r" % next(pair for pair in pairs if pair[0] != pair[1]))

    @measured
    def test_three_hundred_thousand_rows_are_what_python_reads(self):
        _, _, peak = self.stream(300_000)
        self.assertGreater(peak, 0)
        self.assertLess(peak, 256 * MIB)

    @slow
    @serial
    @measured
    def test_ten_million_rows_are_what_python_reads_in_bounded_memory(self):
        size, seconds, peak = self.stream(10_000_000)
        self.assertGreater(peak, 0)
        print("%.0f MB in %.1f s with their reader, peak %.0f MiB" % (size / 1e6, seconds, peak / MIB))
        self.assertLess(peak, 256 * MIB)


class Endless(FanmillTest):
    def test_a_quote_that_is_never_closed_ends_at_the_bound_of_a_row(self):
        path = self.dir / "in.csv"
        os.mkfifo(path)
        run = self.fanmill("map", "identity", path)
        written, piece = 0, b"text of a field that does not end\n" * 4096
        try:
            with open(path, "wb", buffering=0) as pipe:
                pipe.write(b'a,b\n1,2\n3,"')
                while written < 1 << 30:
                    written += pipe.write(piece)
        except BrokenPipeError:
            pass
        run.wait()
        self.assertEqual(run.code, 2, run)
        self.assertEqual(run.out(), "[1,2]\n")
        self.assertRegex(run.err(), r"in\.csv, line 3: .*never closed")
        self.assertGreater(written, 256 << 20)
        self.assertLess(written, 260 << 20)


class RandomRows(FanmillTest):
    def test_whatever_pythons_writer_writes_is_read_as_its_reader_reads_it(self):
        for seed in range(30):
            rng = random.Random(seed)
            width = rng.randrange(1, 6)
            rows = [[random_text(rng) for _ in range(width)] for _ in range(rng.randrange(200))]
            text = written([["c%d" % i for i in range(width)]] + rows, rng, rng.choice(["\n", "\r\n"]))
            if rng.randrange(2):
                text = text.rstrip("\r\n") if rows and rows[-1][-1].strip() else text
            path = self.dir / ("%d.csv" % seed)
            path.write_bytes(text.encode())
            expected = list(csv.reader(io.StringIO(text, newline="")))[1:]
            run = self.run_fanmill("map", "echo", path)
            got = [json.loads(line) for line in run.out().splitlines()]
            self.assertEqual(got, [[typed(field) for field in row] for row in expected], "seed %d" % seed)

    def test_a_type_of_text_keeps_every_field_as_python_reads_it(self):
        rng = random.Random(7)
        texts = [random_text(rng) for _ in range(300)]
        path = self.dir / "in.csv"
        path.write_bytes(written([["message", "seconds"]] + [[text, 0] for text in texts], rng, "\r\n").encode())
        run = self.run_fanmill("map", "--format", "jsonl", "sleep_print", path)
        self.assertEqual([row["params"]["message"] for row in self.rows(run).values()], texts)

    def test_damaged_files_are_read_or_refused_with_their_line(self):
        rng = random.Random(11)
        whole = written([["a", "b"]] + [[random_text(rng), random_text(rng)] for _ in range(40)], rng, "\r\n").encode()
        refused = 0
        for _ in range(40):
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.choice(b'",\r\n\0\xffx')
            path = self.dir / "in.csv"
            path.write_bytes(data[: rng.randrange(len(data))] if rng.randrange(2) else data)
            run = self.fanmill("map", "echo", path).wait()
            self.assertIn(run.code, (0, 2), run)
            if run.code == 2:
                refused += 1
                self.assertRegex(run.err(), r"in\.csv, line \d+")
        self.assertGreater(refused, 5)
