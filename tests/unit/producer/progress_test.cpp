// How far a run is, as people and programs are told.
#include "producer/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const MonoTime kBegan = MonoTime{} + 1000s;

JobStatus status(std::uint64_t succeeded, std::uint64_t failed = 0) {
  JobStatus out;
  out.counts.succeeded = succeeded;
  out.counts.failed = failed;
  out.counts.running = 4;
  out.workers = 2;
  out.slots = 8;
  return out;
}

TEST(RateWindow, IsTheMeanOfTheWholeRunAtItsBegin) {
  RateWindow window(kBegan);
  EXPECT_EQ(window.rate(), 0);
  for (int i = 1; i <= 80; ++i) window.sample(kBegan + i * 100ms, static_cast<std::uint64_t>(i));
  EXPECT_DOUBLE_EQ(window.rate(), 10);
}

TEST(RateWindow, FollowsAChangeOfPaceWithinItsSpan) {
  RateWindow window(kBegan);
  std::uint64_t done = 0;
  MonoTime now = kBegan;
  for (int i = 0; i < 100; ++i) window.sample(now += 100ms, done += 10);  // 10 s at 100 a second
  for (int i = 0; i < 110; ++i) window.sample(now += 100ms, done += 1);   // 11 s at 10
  EXPECT_NEAR(window.rate(), 10, 5);
}

TEST(RateWindow, OfALongRunIsItsLastHalf) {
  RateWindow window(kBegan);
  std::uint64_t done = 0;
  MonoTime now = kBegan;
  for (int i = 0; i < 36000; ++i) window.sample(now += 100ms, done += 10);
  for (int i = 0; i < 36000; ++i) window.sample(now += 100ms, done += 1);
  EXPECT_NEAR(window.rate(), 10, 3);
}

TEST(RateWindow, OfTasksThatEndInBurstsStaysNearTheirMean) {
  RateWindow window(kBegan);
  std::uint64_t done = 0;
  MonoTime now = kBegan;
  for (int i = 1; i <= 6000; ++i) {  // 4 tasks at a time, 60 s each
    if (i % 600 == 0) done += 4;
    window.sample(now += 100ms, done);
    if (i < 1200) continue;
    EXPECT_GT(window.rate(), 0.5 * 4 / 60) << i;
    EXPECT_LT(window.rate(), 2.1 * 4 / 60) << i;
  }
}

TEST(Progress, TellsShareRateAndTimeLeft) {
  Progress progress(kBegan);
  progress.total(1000);
  progress.rows(410, 2);
  EXPECT_EQ(progress.line(kBegan + 4100ms), "41% 410/1000 · 100/s · 0:06 left · 2 failed");
  EXPECT_THAT(progress.bar(kBegan + 4100ms, 100), StartsWith("━━━━━━━━────────────"));
  EXPECT_THAT(progress.bar(kBegan + 4100ms, 79), StartsWith("41%"));
}

TEST(Progress, WithoutATotalTellsTheTimeGone) {
  Progress progress(kBegan);
  progress.rows(7, 0);
  EXPECT_EQ(progress.line(kBegan + 70s), "7 done · 0.1/s · 1:10");
}

TEST(Progress, ForProgramsHasOneStableSchema) {
  Progress progress(kBegan);
  progress.total(1000);
  progress.rows(400, 2);
  progress.status(status(408, 2));
  EXPECT_EQ(progress.json(kBegan + 4100ms, "running", {}),
            "{\"fanmill_progress\":1,\"state\":\"running\",\"exit_code\":null,\"elapsed_s\":4.100,"
            "\"total\":1000,\"done\":410,\"failed\":2,\"running\":4,\"rate\":100.000,\"eta_s\":5.9,"
            "\"waiting_for\":null,\"waiting_task\":null,\"workers\":2,\"slots\":8}");
}

TEST(Progress, ForProgramsSaysWhatIsNotKnown) {
  Progress progress(kBegan);
  EXPECT_EQ(progress.json(kBegan + 1s, "running", {}),
            "{\"fanmill_progress\":1,\"state\":\"running\",\"exit_code\":null,\"elapsed_s\":1.000,"
            "\"total\":null,\"done\":0,\"failed\":0,\"running\":0,\"rate\":0.000,\"eta_s\":null,"
            "\"waiting_for\":null,\"waiting_task\":null,\"workers\":0,\"slots\":0}");
}

TEST(Progress, ForProgramsSaysWhatTheRunWaitsFor) {
  Progress progress(kBegan);
  JobStatus slow = status(1);
  slow.waiting_for = WaitingFor::kSlowTask;
  slow.waiting_index = {17};
  progress.status(slow);
  EXPECT_THAT(progress.json(kBegan, "running", {}),
              HasSubstr("\"waiting_for\":\"task\",\"waiting_task\":17,"));
  EXPECT_THAT(progress.line(kBegan), HasSubstr("waiting for task 17"));
  progress.connected(false);
  EXPECT_THAT(progress.json(kBegan, "running", {}), HasSubstr("\"waiting_for\":\"broker\""));
}

TEST(Progress, ForProgramsEndsWithTheExitCodeAndTheRateOfTheWholeRun) {
  Progress progress(kBegan);
  progress.total(100);
  progress.rows(50, 0);
  (void)progress.json(kBegan + 1s, "running", {});
  progress.rows(100, 1);
  const std::string last = progress.json(kBegan + 10s, "finished", 1);
  EXPECT_THAT(last, HasSubstr("\"state\":\"finished\",\"exit_code\":1,"));
  EXPECT_THAT(last, HasSubstr("\"rate\":10.000,\"eta_s\":null"));
  EXPECT_THAT(last, HasSubstr("\"running\":0"));
}

TEST(Progress, IsMarkedAsChangedByAnythingButTime) {
  Progress progress(kBegan);
  progress.rows(1, 0);
  const std::string before = progress.mark();
  (void)progress.json(kBegan + 5s, "running", {});
  EXPECT_EQ(progress.mark(), before);
  progress.rows(2, 0);
  EXPECT_NE(progress.mark(), before);
}

}  // namespace
}  // namespace fanmill::producer
