// What a run's rows say beside their values, and the lines at its end.
#include "producer/run_stats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "producer/summary.hpp"
#include "proto/result_batch.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Batch {
  Rows rows;
  std::string blob;
};

// A batch of tasks [first, …) with these run times, each told (as workers do from kSlowTaskFrom
// on).
Batch batch(std::uint64_t first, const std::vector<nanoseconds>& times, bool told = true) {
  Batch out;
  out.rows.batch_first = out.rows.first = {first};
  out.rows.batch_count = out.rows.count = times.size();
  out.rows.attempt = 1;
  ResultColumns columns;
  for (const nanoseconds time : times) {
    append_msgpack(out.blob, nullptr);
    out.rows.run_ns += static_cast<std::uint64_t>(time.count());
    if (told) columns.run_ns.push_back(static_cast<std::uint64_t>(time.count()));
  }
  out.rows.values_bytes = out.blob.size();
  append_columns(out.blob, columns);
  return out;
}

ChunkBuilder::Chunk chunk(int first, int count) {
  ChunkBuilder builder;
  for (int i = first; i < first + count; ++i) {
    append_msgpack(builder.bytes(), Array{i, "text"});
    builder.tuple_done();
  }
  return builder.take();
}

std::string packed(int number) {
  std::string out;
  append_msgpack(out, Array{number, "text"});
  return out;
}

std::vector<std::uint64_t> indexes(const RunStats& stats) {
  std::vector<std::uint64_t> out;
  for (const SlowTask& task : stats.slowest()) out.push_back(task.index);
  return out;
}

TEST(SubmittedTuples, FindEachTupleInAnyBlock) {
  SubmittedTuples tuples;
  tuples.add(0, chunk(0, 1000));
  tuples.add(1000, chunk(1000, 1000));
  for (const int i : {0, 255, 256, 999, 1000, 1999}) {
    EXPECT_EQ(tuples.find(static_cast<std::uint64_t>(i)), packed(i)) << i;
  }
  EXPECT_EQ(tuples.find(2000), "");
  tuples.forget_before(1000);
  EXPECT_EQ(tuples.find(999), "");
  EXPECT_EQ(tuples.find(1000), packed(1000));
}

TEST(SubmittedTuples, KeepNoMoreThanTheirBound) {
  SubmittedTuples tuples;
  ChunkBuilder::Chunk big;
  big.tuples = 1;
  big.bytes.assign(kTuplesKeptBytes, 'x');
  big.blocks = {{1, static_cast<std::uint32_t>(kTuplesKeptBytes)}};
  tuples.add(0, big);
  EXPECT_EQ(tuples.bytes(), kTuplesKeptBytes);
  tuples.add(1, chunk(1, 1));
  EXPECT_EQ(tuples.bytes(), kTuplesKeptBytes);
  EXPECT_EQ(tuples.find(1), "");
  tuples.forget_before(1);
  EXPECT_EQ(tuples.bytes(), 0u);
  tuples.add(2, chunk(2, 1));
  EXPECT_EQ(tuples.find(2), packed(2));
}

TEST(RunStats, NameTheSlowestTasksWithTheirParameters) {
  RunStats stats(true);
  stats.submitted(0, chunk(0, 8));
  const Batch first = batch(0, {5ms, 30ms, 10ms, 20ms});
  const Batch second = batch(4, {25ms, 1ms, 2ms, 3ms});
  stats.rows(first.rows, first.blob);
  stats.rows(second.rows, second.blob);
  EXPECT_THAT(indexes(stats), ElementsAre(1, 4, 3));
  EXPECT_EQ(stats.slowest()[1].tuple, packed(4));
  EXPECT_EQ(stats.slowest()[1].run, 25ms);
  EXPECT_EQ(stats.busy(), 96ms);
}

TEST(RunStats, OfTasksWithoutTimesOfTheirOwnNameNone) {
  RunStats stats(true);
  const Batch b = batch(0, {1us, 2us, 3us}, false);
  stats.rows(b.rows, b.blob);
  EXPECT_THAT(indexes(stats), ElementsAre());
  EXPECT_EQ(stats.busy(), 6us);
}

TEST(RunStats, AmongTinyTasksNameOnlyWhatStandsOut) {
  RunStats stats(true);
  const Batch tiny = batch(0, std::vector<nanoseconds>(1'000'000, 1us), false);
  stats.rows(tiny.rows, tiny.blob);
  const Batch slow = batch(1'000'000, {kSlowAmongTiny});
  const Batch interrupted = batch(1'000'001, {kSlowAmongTiny - 1us});
  stats.rows(slow.rows, slow.blob);
  stats.rows(interrupted.rows, interrupted.blob);
  EXPECT_THAT(indexes(stats), ElementsAre(1'000'000));
}

TEST(RunStats, CountASliceOfABatchByItsShare) {
  RunStats stats(false);
  Batch b = batch(0, {10ms, 10ms, 10ms, 10ms});
  b.rows.count = 1;
  stats.rows(b.rows, b.blob);
  EXPECT_EQ(stats.busy(), 10ms);
}

TEST(RunStats, CountFurtherAttempts) {
  RunStats stats(true);
  Batch b = batch(0, {1ms, 1ms});
  b.rows.attempt = 3;
  stats.rows(b.rows, b.blob);
  EXPECT_EQ(stats.further_attempts(), 4u);
}

TEST(Summary, TellsHowTasksEndedAndHowSlotsWereUsed) {
  const auto lines = summary_lines({.counts = {{Outcome::kSucceeded, 96},
                                               {Outcome::kFailed, 2},
                                               {Outcome::kCrashed, 1},
                                               {Outcome::kTimeLimit, 1},
                                               {Outcome::kCancelled, 3}},
                                    .further_attempts = 4,
                                    .elapsed = 10s,
                                    .slots = 4,
                                    .busy = 36s,
                                    .slowest = {{17, 2310ms, packed(5)}, {3, 125'500us, ""}}});
  EXPECT_THAT(lines,
              ElementsAre("96 of 103 tasks done, 2 failed, 1 crashed, 1 over the time limit, "
                          "3 cancelled, 4 further attempts, in 10.00 s (10 a second)",
                          "4 slots, 90 % busy; slowest: task 17 (5,\"text\") 2.31 s, task 3 "
                          "125.5 ms"));
}

TEST(Summary, OfAShortRunIsOneLine) {
  EXPECT_THAT(summary_lines({.counts = {{Outcome::kSucceeded, 1}}, .elapsed = 8ms, .slots = 2}),
              ElementsAre("1 of 1 task done, in 0.01 s"));
}

TEST(Summary, WritesTimesInTheUnitThatFits) {
  EXPECT_EQ(duration_text(150us), "0.1 ms");
  EXPECT_EQ(duration_text(999ms), "999.0 ms");
  EXPECT_EQ(duration_text(2s), "2.00 s");
  EXPECT_EQ(duration_text(125s), "2:05");
}

}  // namespace
}  // namespace fanmill::producer
