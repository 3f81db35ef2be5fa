"""Skewed durations: the makespan against what greedy dealing in input order gives on paper.

Greedy: each task in turn goes to the slot that is free first. Start-up is excluded: measured is from the first
task's start to the last one's end, as the rows of the results say.
"""
import heapq

from harness import DATA, FanmillTest, measured, serial

SLOTS = 4


def greedy(durations, slots=SLOTS):
    free = [0.0] * slots
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


@measured
class Makespan(FanmillTest):
    def ratio_of(self, durations):
        run = self.run_fanmill("map", "-j", str(SLOTS), "--format", "jsonl", "sleep", "-", deadline=60,
                               stdin="".join("%.4f\n" % d for d in durations))
        rows = self.rows(run)
        self.assertEqual(sorted(rows), list(range(len(durations))))
        begin = min(row["start"] for row in rows.values())
        makespan = max(row["start"] + row["run_s"] for row in rows.values()) - begin
        return makespan / greedy([rows[i]["run_s"] for i in range(len(rows))])

    def assert_within(self, durations, bound):
        """Against the run times that this very run had, which a busy machine makes longer; what else that does only
        ever adds to a makespan: the best of three counts."""
        ratios = []
        while len(ratios) < 3 and (not ratios or ratios[-1] > bound):
            ratios.append(self.ratio_of(durations))
        self.assertLessEqual(min(ratios), bound, ratios)

    @serial
    def test_long_tasks_last_on_four_slots(self):
        self.assert_within([float(line) for line in (DATA / "durations.txt").read_text().split()], 1.03)

    @serial
    def test_forty_long_ones_side_by_side_among_twenty_thousand_short_ones(self):
        durations = [0.0003] * 20_000
        durations[10_000:10_040] = [0.25] * 40
        self.assert_within(durations, 1.05)
