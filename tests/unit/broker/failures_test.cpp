// Who is charged for what, and what becomes of it: losses, suspects, hosts, at most once, policies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void set_up(Stage& stage, std::uint64_t tasks, JobOptions options = kept_job()) {
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.submit("p", 1, 0, tasks);
  stage.close("p", 1, tasks);
  stage.skip();
}

void runs(Stage& stage, const std::string& name, std::uint64_t token, std::uint64_t index) {
  stage.worker(name).running = {{Stage::job_id(1), {1, token}, {index}}};
  stage.heartbeat(name);
}

// ---- losses ----

TEST(LossesWait, ATenthOfWhatWasInvestedButSixSecondsAtLeast) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1);
  runs(stage, "w", 1, 0);
  for (int i = 0; i < 50; ++i) {
    stage.pass(4s);
    stage.heartbeat("w");
  }
  stage.add_worker("x", 1);
  for (int i = 0; i < 6; ++i) {
    stage.pass(4400ms);
    stage.heartbeat("x");
  }
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());  // lost after 206 s: until 226.6 s
  stage.pass(1s);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now x: lease 1 [0,1) t2 attempt=2 with-spec"));
}

TEST(LossesWait, FiveMinutesAtMost) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1);
  runs(stage, "w", 1, 0);
  for (int i = 0; i < 2000; ++i) {
    stage.pass(4s);
    stage.heartbeat("w");
  }
  stage.pass(6s);
  for (int i = 0; i < 75; ++i) stage.pass(4s);
  stage.add_worker("x", 1);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now x: lease 1 [0,1) t2 attempt=2 with-spec"));
}

TEST(LossesRefund, EndNobodyWhoseWorkerCameBackEachTime) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1);
  for (std::uint64_t token = 1; token <= 3 * limits::kLossLimit; ++token) {
    runs(stage, "w", token, 0);
    stage.pass(6001ms);
    stage.reconnect("w", {});
    stage.heartbeat("w");
    stage.pass(3s);
    stage.heartbeat("w");
    stage.pass(3s);
    stage.heartbeat("w");
  }
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
}

// A host that dies of a task before it says what it runs.
void lose_unheard(Stage& stage, const std::string& name) {
  stage.pass(6001ms);
  EXPECT_THAT(stage.core().view().workers, IsEmpty()) << name;
}

TEST(LossesSuspects, RunAloneAfterTwoOfThem) {
  Stage stage;
  stage.add_worker("a", 2);
  set_up(stage, 3);
  lose_unheard(stage, "a");
  stage.skip();
  stage.add_worker("b", 2);
  EXPECT_THAT(stage.take({"lease"}),
              ElementsAre("now b: lease 1 [0,1) t4 with-spec", "now b: lease 1 [1,2) t5 skip=1",
                          "now b: lease 1 [2,3) t6 skip=2"));
  lose_unheard(stage, "b");
  stage.skip();
  stage.add_worker("c", 2);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now c: lease 1 [0,1) t7 with-spec"));
  stage.add_worker("d", 2);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now d: lease 1 [1,2) t8 skip=1 with-spec"));
  stage.results("c", 7, 0, 1);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now c: lease 1 [2,3) t9 skip=2"));
}

TEST(LossesSuspects, AreChargedWithALossOnceTheyRanAlone) {
  Stage stage;
  stage.add_worker("a", 1);
  set_up(stage, 1);
  lose_unheard(stage, "a");
  stage.add_worker("b", 1);
  lose_unheard(stage, "b");
  stage.skip();
  std::string record;
  for (int i = 0; i < 12; ++i) {
    const std::string name = "c" + std::to_string(i);
    stage.add_worker(name, 1);
    stage.pass(12500ms);
    for (const std::string& line : stage.take({"put-record"})) record = line;
  }
  EXPECT_EQ(record, "write put-record 1 r1 [0,1) worker-lost dead-lettered attempt=10 by c9");
}

TEST(LossesSuspects, AreClearedWhenTheWorkerComesBack) {
  Stage stage;
  stage.add_worker("a", 2);
  set_up(stage, 3);
  lose_unheard(stage, "a");
  stage.add_worker("b", 2);
  lose_unheard(stage, "b");
  stage.skip();
  stage.reconnect("b", {});
  EXPECT_EQ(stage.take({"lease"}).size(), 3U);
}

TEST(LossesSuspects, AreDealtThoughOthersKeepTheirWorkerBusy) {
  Stage stage;
  stage.add_worker("a", 1);
  set_up(stage, 1);
  lose_unheard(stage, "a");
  stage.add_worker("b", 1);
  lose_unheard(stage, "b");
  stage.skip();
  stage.open("p", "other", kept_job());
  stage.submit("p", 2, 0, 50);
  stage.skip();
  stage.add_worker("c", 1);
  std::vector<std::uint64_t> held;
  bool dealt = false;
  std::uint64_t reported = 0;
  for (int i = 0; i < 60 && !dealt; ++i) {
    for (const auto& [token, lease] : stage.worker("c").held)
      if (lease.job == Stage::job_id(1)) dealt = true;
    if (dealt) break;
    for (const auto& [token, lease] : stage.worker("c").held) {
      if (token <= reported) continue;
      reported = token;
      stage.results("c", token, lease.first.value, lease.count, Outcome::kSucceeded, 10s);
      break;
    }
  }
  EXPECT_TRUE(dealt);
  EXPECT_LT(reported, 40U);  // before the other job was through
}

// ---- hosts ----

TEST(CrashHost, IsAvoidedWhileAnotherOneMayHaveTheTask) {
  Stage stage;
  stage.add_worker("a", 1);
  set_up(stage, 1);
  stage.add_worker("b", 1);
  stage.results("a", 1, 0, 1, Outcome::kCrashed);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now b: lease 1 [0,1) t2 attempt=2 with-spec"));
}

TEST(CrashHost, IsTakenAgainAfterAWhile) {
  Stage stage;
  stage.add_worker("a", 1);
  stage.add_worker("b", 1, {"f"}, {1, 1 << 20});
  set_up(stage, 4);
  // b has credit for one task, and has used it.
  EXPECT_EQ(stage.worker("b").held.size(), 1U);
  const auto held = stage.worker("a").held;
  const auto& [token, lease] = *held.begin();
  const std::uint64_t index = lease.first.value;
  for (const auto& [other, of] : held)
    if (other != token) stage.results("a", other, of.first.value, of.count);
  stage.skip();
  stage.results("a", token, index, 1, Outcome::kCrashed);
  for (const std::string& line : stage.take({"lease"}))
    EXPECT_EQ(line.find("attempt=2"), std::string::npos) << line;
  stage.pass(1s);
  const auto lines = stage.take({"lease"});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("now a: lease"), std::string::npos);
}

TEST(CrashHost, IsTheOnlyOneThereIs) {
  Stage stage;
  stage.add_worker("a", 1);
  set_up(stage, 1);
  stage.results("a", 1, 0, 1, Outcome::kCrashed);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now a: lease 1 [0,1) t2 attempt=2"));
}

// ---- at most once ----

JobOptions once() {
  JobOptions options = kept_job();
  options.spec.at_most_once = true;
  return options;
}

TEST(AtMostOnce, IsDealtSinglyToIdleSlots) {
  Stage stage;
  stage.add_worker("w", 2);
  set_up(stage, 5, once());
  EXPECT_EQ(stage.worker("w").held.size(), 2U);
  for (int i = 0; i < 3; ++i) {
    const auto held = stage.worker("w").held;
    stage.results("w", held.rbegin()->first, held.rbegin()->second.first.value, 1,
                  Outcome::kSucceeded, 1us);
    EXPECT_THAT(stage.take({"lease", "put-dealt"}).size(), 2U);
  }
}

TEST(AtMostOnce, LeavesOnlyOnceThatIsDurable) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, once());
  Stage other;
  other.add_worker("w", 1);
  other.add_producer("p");
  other.open("p", "key", once());
  other.skip();
  other.submit("p", 1, 0, 1);
  EXPECT_THAT(other.take({"lease", "put-dealt"}),
              ElementsAre("write put-dealt 1 0 out", "after w: lease 1 [0,1) t1 with-spec"));
}

TEST(AtMostOnce, EndsAsFailedWhenItsWorkerIsLost) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, once());
  stage.pass(6001ms);
  EXPECT_THAT(stage.take({"put-record"}),
              ElementsAre("write put-record 1 r1 [0,1) worker-lost by w"));
}

TEST(AtMostOnce, CostsItsWorkerNoCreditWhenItsLeaseWasLost) {
  Stage stage;
  stage.add_worker("w", 1, {"f"}, {1, 1 << 20});
  set_up(stage, 2, once());
  stage.lose_lease("w", 1);
  stage.worker("w").leases_seen = 0;
  for (int second = 0; second < 6; ++second) {
    stage.heartbeat("w");
    stage.pass(1s);
  }
  EXPECT_THAT(stage.take({"put-record", "lease"}),
              ElementsAre("write put-record 1 r1 [0,1) worker-lost by w",
                          "after w: lease 1 [1,2) t2 skip=1"));
}

TEST(AtMostOnce, EndsWithItsFirstCrash) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, once());
  stage.results("w", 1, 0, 1, Outcome::kCrashed);
  EXPECT_THAT(stage.take({"put-record", "lease"}),
              ElementsAre("write put-record 1 r1 [0,1) crashed dead-lettered by w"));
}

TEST(AtMostOnce, IsDealtAgainIfItWasReturned) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, once());
  stage.returned("w", 1, {{{0}, 1}});
  EXPECT_THAT(stage.take({"lease", "put-dealt"}),
              ElementsAre("write put-dealt 1 0 back", "write put-dealt 1 0 out",
                          "after w: lease 1 [0,1) t2"));
}

TEST(AtMostOnce, IsNotForTasksThatAreTriedAgain) {
  Stage stage;
  stage.add_worker("w", 1);
  stage.add_producer("p");
  stage.skip();
  JobOptions options = once();
  options.retries = 1;
  stage.open("p", "key", options);
  EXPECT_THAT(stage.take(), ElementsAre(::testing::StartsWith("now p: refused usage:")));
}

// ---- policies ----

JobOptions halting(HaltPolicy policy) {
  JobOptions options = kept_job();
  options.halt = {policy};
  return options;
}

TEST(HaltPolicies, LeaveWhatRunsAloneUnlessNow) {
  Stage stage;
  stage.add_worker("w", 2);
  set_up(stage, 9, halting({.on = HaltOn::kFailures, .count = 1}));
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"stop-job"}),
              ElementsAre("after w: stop-job 1 grace=18446744073709551615ms"));
  stage.results("w", 2, 1, 1);
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 1U);
}

TEST(HaltPolicies, KillWhatRunsIfNow) {
  Stage stage;
  stage.add_worker("w", 2);
  set_up(stage, 9, halting({.on = HaltOn::kSuccesses, .count = 1, .now = true}));
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=0ms"));
}

TEST(HaltPolicies, BeyondIsOneMore) {
  Stage stage;
  stage.add_worker("w", 4);
  set_up(stage, 9, halting({.on = HaltOn::kFailures, .count = 2, .beyond = true}));
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  stage.results("w", 2, 1, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"stop-job"}), IsEmpty());
  stage.results("w", 3, 2, 1, Outcome::kFailed);
  EXPECT_EQ(stage.take({"stop-job"}).size(), 1U);
}

TEST(HaltPolicies, CountPartsOnceAllTasksAreKnown) {
  Stage stage;
  stage.add_worker("w", 4);
  stage.add_producer("p");
  stage.open("p", "key", halting({.on = HaltOn::kEnds, .percent = 50}));
  stage.submit("p", 1, 0, 4);
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.take({"stop-job"}), IsEmpty());
  stage.close("p", 1, 4);
  EXPECT_EQ(stage.take({"stop-job"}).size(), 1U);
}

TEST(HaltPolicies, DoNotHaltWhatHasEnded) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, halting({.on = HaltOn::kFailures, .count = 1}));
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  stage.ack("p", 1, 1);
  EXPECT_THAT(stage.take({"ended"}), ElementsAre("after p: ended 1 1/1 failed 1"));
}

// ---- rounds ----

JobOptions with_tuples() {
  JobOptions options = kept_job();
  options.rows_with_tuples = true;
  return options;
}

// Tasks 0 to 3, of which 1 failed and 2 crashed for good.
void fail_some(Stage& stage, JobOptions options = with_tuples()) {
  stage.add_worker("w", 4);
  options.crash_limit = 1;
  set_up(stage, 4, std::move(options));
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1, Outcome::kFailed);
  stage.results("w", 3, 2, 1, Outcome::kCrashed);
  stage.results("w", 4, 3, 1);
  stage.skip();
}

TEST(RoundsRetry, RunsWhatFailedAgainInTheSameJob) {
  Stage stage;
  fail_some(stage);
  stage.steer("p", Steering::kRetry, {1});
  EXPECT_THAT(
      stage.take({"put-round", "lease"}),
      ElementsAre("write put-round 1 1 [1,3) t4", "after w: lease 1 [1,2) t5 skip=1 with-spec",
                  "after w: lease 1 [2,3) t6 skip=2"));
  stage.results("w", 5, 1, 1);
  stage.results("w", 6, 2, 1);
  const JobCounts counts = stage.core().view().jobs[0].counts;
  EXPECT_EQ(counts.succeeded, 4U);
  EXPECT_EQ(counts.terminal(), 4U);
}

TEST(RoundsRetry, OfOneCauseLeavesTheOthers) {
  Stage stage;
  fail_some(stage);
  stage.steer("p", Steering::kRetry, {1}, 0, 1U << static_cast<int>(Outcome::kCrashed));
  EXPECT_EQ(stage.take({"put-round"}), std::vector<std::string>{"write put-round 1 1 [2,3) t4"});
}

TEST(RoundsRetry, OfNothingChangesNothing) {
  Stage stage;
  fail_some(stage);
  stage.steer("p", Steering::kRetry, {1}, 0, 1U << static_cast<int>(Outcome::kTimeLimit));
  EXPECT_THAT(stage.take({"put-round", "lease"}), IsEmpty());
}

TEST(RoundsRetry, NeedsTheTuples) {
  Stage stage;
  fail_some(stage, kept_job());
  stage.steer("p", Steering::kRetry, {1});
  EXPECT_THAT(stage.take(), ElementsAre(::testing::StartsWith("now p: refused conflict:")));
}

TEST(RoundsRows, AppendTheSuccessorsToTheStream) {
  Stage stage;
  fail_some(stage);
  stage.gather("p", 1, 0, RowOrder::kAsCompleted);
  stage.ack("p", 1, 4);
  stage.skip();
  stage.steer("p", Steering::kRetry, {1});
  stage.results("w", 5, 1, 1);
  EXPECT_EQ(stage.take({"rows"}).size(), 1U);
  stage.results("w", 6, 2, 1);
  stage.ack("p", 1, 6);
  EXPECT_EQ(stage.take({"ended"}).size(), 1U);
}

TEST(RoundsRows, InInputOrderAreTheNewest) {
  Stage stage;
  fail_some(stage);
  stage.steer("p", Steering::kRetry, {1});
  stage.results("w", 5, 1, 1);
  stage.results("w", 6, 2, 1, Outcome::kFailed);
  stage.skip();
  stage.gather("p", 1);
  const auto rows = stage.take({"rows"});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_NE(rows[1].find("succeeded"), std::string::npos) << rows[1];
  EXPECT_NE(rows[2].find("failed"), std::string::npos) << rows[2];
}

TEST(RoundsRows, OfFailuresAreThoseOfNow) {
  Stage stage;
  fail_some(stage);
  stage.gather("p", 1, 0, RowOrder::kFailures);
  EXPECT_EQ(stage.take({"rows"}).size(), 2U);
  stage.ack("p", 1, 3);
  EXPECT_EQ(stage.take({"rows-ended"}).size(), 1U);
  stage.steer("p", Steering::kRetry, {1});
  stage.results("w", 5, 1, 1);
  stage.results("w", 6, 2, 1, Outcome::kFailed);
  stage.skip();
  stage.gather("p", 1, 0, RowOrder::kFailures);
  EXPECT_EQ(stage.take({"rows"}).size(), 1U);
}

TEST(RoundsFence, DropsTheSuccessOfAnEarlierRound) {
  Stage stage;
  stage.add_worker("w", 1);
  set_up(stage, 1, with_tuples());
  stage.cancel("p", 1, 0);
  stage.pass(6001ms);  // the worker is lost; what it had is cancelled
  stage.steer("p", Steering::kRetry, {1}, 0, 1U << static_cast<int>(Outcome::kCancelled));
  EXPECT_EQ(stage.take({"put-round"}).size(), 1U);
  stage.reconnect("w", {});
  stage.skip();
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
  stage.results("w", 2, 0, 1);
  EXPECT_EQ(stage.take({"put-record"}).size(), 1U);
}

TEST(RoundsHalt, ALiftedPolicyCountsAnew) {
  Stage stage;
  JobOptions options = with_tuples();
  options.halt = {{.on = HaltOn::kFailures, .count = 1}};
  stage.add_worker("w", 1);
  set_up(stage, 4, options);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  stage.returned("w", 2, {{{1}, 1}});
  EXPECT_EQ(stage.core().view().jobs[0].counts.cancelled, 3U);
  stage.skip();
  stage.steer("p", Steering::kRetry, {1}, 0,
              (1U << static_cast<int>(Outcome::kCancelled)) | Steer::kAllFailures);
  EXPECT_EQ(stage.take({"put-round"}), std::vector<std::string>{"write put-round 1 1 [0,4) t2"});
}

}  // namespace
}  // namespace fanmill::broker
