#include <csignal>

#include "agent_harness.hpp"
#include "proto/limits.hpp"
#include "worker/run_times.hpp"

namespace fanmill::worker {
namespace {

ExecutorDied died(std::uint32_t slot, std::uint64_t started, std::uint64_t finished) {
  return {slot, started, finished, -1, SIGKILL, "said", "last words"};
}

JobSpec limited(std::uint64_t ms) {
  return {.function = "f", .argv = {}, .names = {}, .time_limit_ms = ms, .max_output = 0};
}

TEST(AgentTimeLimit, KillsTheExecutorAndReportsTheLimitInWords) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 2, kJob, limited(1500)));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.step(ExecutorProgress{0, 1, 0});
  h.pass(1499ms);
  h.silent();
  h.pass(1ms);
  h.expect_duty<KillExecutor>();
  h.step(died(0, 1, 0));
  Blob blob;
  const Results results = h.expect_results(0, 1, Outcome::kTimeLimit, &blob);
  EXPECT_EQ(results.run_ns, 1'500'000'000U);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->failures[0].code, ErrorCode::kTimeLimit);
  EXPECT_EQ(columns->failures[0].message, "killed at its time limit of 1.5 s");
  h.expect_duty<StartExecutor>();
  h.silent();
  h.ready(0);
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 1, 1);
}

TEST(AgentTimeLimit, TasksAreDealtSinglyHoweverFastTheyAre) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 10, kJob, limited(1000)));
  h.duties.clear();
  for (std::uint64_t i = 0; i < 9; ++i) {
    h.done(0, i, 1, 1us);
    h.expect_results(i, 1);
    h.expect_work(0, i + 1, i + 1, 1);
    h.silent();
  }
}

TEST(AgentTimeLimit, AResultThatComesAtTheLastMomentCounts) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 1, kJob, limited(10)));
  h.duties.clear();
  h.pass(10ms);
  h.expect_duty<KillExecutor>();
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  h.step(died(0, 1, 1));
  h.expect_duty<StartExecutor>();
  h.silent();
}

TEST(AgentTimeLimit, EndsWithTheTask) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 1, kJob, limited(10)));
  h.duties.clear();
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  h.pass(500ms);
  h.silent();
}

JobSpec limited_to_share(std::uint32_t percent) {
  JobSpec spec = limited(0);
  spec.time_limit_percent = percent;
  return spec;
}

TEST(AgentTimeLimit, AShareOfTheMedianIsNoneBeforeThreeTasksHaveSucceeded) {
  Harness h(2);
  h.start();
  h.lease(make_lease(1, 5, 0, 8, kJob, limited_to_share(300)));
  h.done(0, 0, 1, 1ms);
  h.done(0, 1, 1, 1ms);
  h.duties.clear();
  h.pass(5s);
  EXPECT_TRUE(h.duties.empty());
}

TEST(AgentTimeLimit, AShareOfTheMedianHoldsForWhatRunsAlready) {
  Harness h(2);
  h.start();
  h.lease(make_lease(1, 5, 0, 8, kJob, limited_to_share(400)));
  for (std::uint64_t i = 0; i < 3; ++i) {  // 0, 2 and 3 in slot 0, while 1 runs in the other
    h.pass(1s);
    h.done(0, i, 1, 1s);
  }
  h.duties.clear();
  h.pass(1s - 1ns);
  EXPECT_TRUE(h.duties.empty());
  h.pass(1ns);
  EXPECT_EQ(h.expect_duty<KillExecutor>().slot, 1U);
  h.sent.clear();
  h.step(died(1, 1, 0));
  Blob blob;
  h.expect_results(1, 1, Outcome::kTimeLimit, &blob);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->failures[0].message,
            "killed at its time limit of 4 s (400 % of the median run time, 1 s)");
}

TEST(AgentTimeLimit, AShareOfTheMedianFollowsTheMedian) {
  for (const auto& [slow_ones, limit] : {std::pair(3, 600ms), std::pair(4, 1500ms)}) {
    Harness h(1);
    h.start();
    h.lease(make_lease(1, 5, 0, 20, kJob, limited_to_share(300)));
    std::uint64_t position = 0;
    for (int i = 0; i < 3; ++i) h.done(0, position++, 1, 200ms);
    for (int i = 0; i < slow_ones; ++i) h.done(0, position++, 1, 500ms);
    h.duties.clear();
    h.pass(limit - 1ns);
    EXPECT_TRUE(h.duties.empty());
    h.pass(1ns);
    h.expect_duty<KillExecutor>();
  }
}

TEST(AgentTimeLimit, OnlySuccessesMoveTheMedian) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 20, kJob, limited_to_share(300)));
  for (std::uint64_t i = 0; i < 5; ++i) {
    h.step(ExecutorDone{0, {i, 1, Outcome::kFailed, 0, 1000, {}}, Blob()});
  }
  h.duties.clear();
  h.pass(5s);
  EXPECT_TRUE(h.duties.empty());
}

TEST(AgentTimeLimit, AShareOfTheMedianIsNeverLessThanATenthOfASecond) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 4, kJob, limited_to_share(300)));
  h.duties.clear();
  for (std::uint64_t i = 0; i < 3; ++i) h.done(0, i, 1, 1ms);
  h.duties.clear();
  h.pass(99ms);
  EXPECT_TRUE(h.duties.empty());
  h.pass(1ms);
  h.expect_duty<KillExecutor>();
}

TEST(AgentTimeLimit, OfAShareAndATimeTheShorterCounts) {
  for (const std::uint64_t ms : {200, 2000}) {
    Harness h(1);
    h.start();
    JobSpec spec = limited(ms);
    spec.time_limit_percent = 100;
    h.lease(make_lease(1, 5, 0, 4, kJob, spec));
    h.duties.clear();
    for (std::uint64_t i = 0; i < 3; ++i) h.done(0, i, 1, 1s);
    h.duties.clear();
    const auto shorter = std::min<nanoseconds>(std::chrono::milliseconds(ms), 1s);
    h.pass(shorter - 1ns);
    EXPECT_TRUE(h.duties.empty());
    h.pass(1ns);
    h.expect_duty<KillExecutor>();
  }
}

TEST(RunTimes, HaveAMedianFromThreeOn) {
  RunTimes times;
  times.add(5);
  times.add(9);
  EXPECT_FALSE(times.median());
  times.add(1);
  EXPECT_EQ(times.median(), 5ns);
  times.add(6);
  EXPECT_EQ(times.median(), 5ns);
  times.add(7);
  EXPECT_EQ(times.median(), 6ns);
}

TEST(RunTimes, ForgetTheOldest) {
  RunTimes times;
  for (std::size_t i = 0; i < RunTimes::kKept; ++i) times.add(1);
  for (std::size_t i = 0; i < RunTimes::kKept / 2; ++i) times.add(100);
  EXPECT_EQ(times.median(), 1ns);
  times.add(100);
  EXPECT_EQ(times.median(), 100ns);
}

}  // namespace
}  // namespace fanmill::worker
