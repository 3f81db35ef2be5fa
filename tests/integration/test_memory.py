"""Memory stays bounded, whatever is fed and however slow the reader or a task is."""
import os
import signal
import subprocess
import threading

from harness import FanmillTest, measured, serial, wait_until

MIB = 1024  # in KiB


class Bounded(FanmillTest):
    @measured
    def test_a_million_rows_in_order(self):
        run = self.fanmill("map", "identity", "-", stdin=subprocess.PIPE)
        data = "".join("%d\n" % i for i in range(1, 1_000_001)).encode()
        run.write_all(data)
        run.wait_for_lines(1_000_000, deadline=60)
        peak = run.peak_kib()  # while it waits for more input
        run.process.stdin.close()
        run.wait()
        self.assertEqual(run.code, 0, run.err())
        self.assertEqual(bytes(run.stdout.data), data)
        self.assertLess(peak, 160 * MIB)

    @serial
    @measured
    def test_an_endless_input_until_interrupted(self):
        endless = subprocess.Popen(["yes", "123456789"], stdout=subprocess.PIPE, env=self.env)
        run = self.fanmill("map", "identity", "-", stdin=endless.stdout, keep_stdout=False)
        endless.stdout.close()
        run.wait_for_lines(40_000_000, deadline=100)  # 400 MB: more than it may take
        peak = run.peak_kib()
        run.signal(signal.SIGINT)
        run.wait()
        endless.wait(10)
        self.assertEqual(run.code, 130, run.err())
        self.assertLess(peak, 256 * MIB)

    @serial
    @measured
    def test_a_slow_first_task_with_a_million_fast_ones_behind_it(self):
        data = "3\n" + "0\n" * 1_000_000
        run = self.fanmill("map", "-j", "2", "--format", "jsonl", "sleep", "-", stdin=subprocess.PIPE, keep_stdout=False)
        run.write_all(data.encode())
        run.wait_for_lines(1_000_001, deadline=90)
        peak = run.peak_kib()
        run.process.stdin.close()
        run.wait()
        self.assertEqual(run.code, 0, run.err())
        self.assertLess(peak, 256 * MIB)

    @measured
    def test_a_reader_that_never_reads(self):
        self.feed_without_reading((), lambda fed: fed() > 400 * MIB * 1024)

    @measured
    def test_a_reader_that_never_reads_stops_the_feeding_at_the_cap(self):
        seen = []

        def stands_still(fed):
            """The same at each of a second's worth of looks."""
            seen.append(fed())
            return len(seen) > 200 and seen[-1] == seen[-200] > 0

        self.feed_without_reading(("--spill-max", "100MiB"), stands_still)
        self.assertLess(seen[-1], 400 * MIB * 1024)

    def feed_without_reading(self, options, enough):
        read_end, write_end = os.pipe()
        run = self.fanmill("map", *options, "echo", "-", stdin=subprocess.PIPE, stdout=write_end)
        os.close(write_end)
        fed = [0]

        def feed():
            rows = b'"forty characters to and fro, again and again"\n' * 1000
            try:
                while True:
                    run.write_all(rows)
                    fed[0] += len(rows)
            except OSError:
                pass

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        wait_until(lambda: enough(lambda: fed[0]), lambda: "enough of the input read, not only %d bytes" % fed[0], 100)
        self.assertTrue(run.running(), run)
        self.assertLess(run.peak_kib(), 256 * MIB)
        os.close(read_end)  # nobody ever will: a quiet end
        run.wait()
        feeder.join(10)
        self.assertEqual((run.code, run.err()), (0, ""))
