#include <csignal>

#include "agent_harness.hpp"

namespace fanmill::worker {
namespace {

// One slot, whose one task, of kJob, runs.
struct OneTaskRuns : Harness {
  explicit OneTaskRuns(bool at_most_once = false) : Harness(1) {
    start();
    JobSpec spec{.function = "f", .argv = {}, .names = {}, .time_limit_ms = 0, .max_output = 0};
    spec.at_most_once = at_most_once;
    lease(make_lease(1, 5, 0, 1, kJob, spec));
    duties.clear();
    step(ExecutorProgress{0, 1, 0});
  }
};

TEST(AgentLease, OfAnUnknownJobWithoutSpecIsReturnedUnbound) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3, kJob, std::nullopt));
  const Returned returned = h.expect_returned({{{0}, 3}});
  EXPECT_TRUE(returned.unbound);
  EXPECT_EQ(returned.token, token(5));
  EXPECT_EQ(returned.credit.tasks, 1003u);
  h.silent();
}

TEST(AgentLease, ARepeatedNumberOrAHeldTokenIsIgnored) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.duties.clear();
  h.lease(make_lease(1, 5, 0, 3));
  h.lease(make_lease(2, 5, 0, 3));
  h.silent();
  EXPECT_EQ(h.core.view().queued_tasks, 2u);
  EXPECT_EQ(h.core.view().held_leases, 1u);
}

TEST(AgentLease, ThatContradictsItselfEndsTheSession) {
  Harness h(1);
  h.start();
  LeaseMade made = make_lease(1, 5, 0, 3);
  made.lease.count = 9;
  h.lease(made);
  EXPECT_FALSE(h.core.view().connected);
}

TEST(AgentRecall, IsAnsweredFromTheEndOfTheQueueFirst) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.lease(make_lease(2, 6, 10, 2));
  h.duties.clear();
  h.from_broker(Recall{1, {}, 4});
  EXPECT_EQ(h.expect_returned({{{10}, 2}}).recall, 1u);
  const Returned second = h.expect_returned({{{8}, 2}});
  EXPECT_EQ(second.recall, 1u);
  EXPECT_EQ(second.token, token(5));
  h.silent();
  EXPECT_EQ(h.core.view().queued_tasks, 7u);
}

TEST(AgentRecall, OfAJobTakesNothingFromOthers) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 5));
  h.lease(make_lease(2, 6, 0, 5, kOtherJob));
  h.duties.clear();
  h.from_broker(Recall{1, kJob, 2});
  EXPECT_EQ(h.expect_returned({{{3}, 2}}).job, kJob);
  h.silent();
}

TEST(AgentRecall, ReachesWhatWaitsAtExecutorsButNeverWhatStarted) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 4));
  h.duties.clear();
  h.done(0, 0, 1, 300us);  // now 1 and 2 are at positions 1 and 2, 3 is queued
  h.sent.clear();
  h.duties.clear();
  h.from_broker(Recall{1, {}, 10});
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 1u);
  h.silent();
  h.step(ExecutorFreed{0, 2});  // task 1 had started
  h.expect_returned({{{2}, 2}});
  h.silent();
}

TEST(AgentRecall, OfSeveralJobsAtOnceIsAnsweredForEach) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 4));
  h.lease(make_lease(2, 6, 0, 3, kOtherJob));
  h.duties.clear();
  h.done(0, 0, 1, 300us);  // 1 and 2 are at the executor
  h.sent.clear();
  h.duties.clear();
  h.from_broker(Recall{1, kJob, 4});
  h.from_broker(Recall{2, kOtherJob, 3});
  h.expect_duty<LowerEnd>();
  h.silent();
  h.step(ExecutorFreed{0, 2});
  EXPECT_EQ(h.expect_returned({{{2}, 2}}).recall, 1u);
  EXPECT_EQ(h.expect_returned({{{0}, 3}}).recall, 2u);
  h.silent();
}

TEST(AgentRecall, WithNothingToGiveIsAnsweredByAnEmptyReturned) {
  Harness h(1);
  h.start();
  h.from_broker(Recall{1, {}, 10});
  EXPECT_EQ(h.expect_returned({}).recall, 1u);
  h.from_broker(Recall{1, {}, 10});  // the same again
  h.silent();
  h.from_broker(Recall{2, kOtherJob, 10});
  EXPECT_EQ(h.expect_returned({}).recall, 2u);
}

TEST(AgentStopJob, ReturnsWhatIsNotStartedAndKillsTheRestAfterTheGrace) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.duties.clear();
  h.step(ExecutorProgress{0, 1, 0});
  h.from_broker(StopJob{kJob, 500});
  EXPECT_EQ(h.expect_duty<TellStopped>().job, kJob);
  h.expect_returned({{{1}, 2}});
  h.silent();
  h.pass(499ms);
  h.silent();
  h.pass(1ms);
  h.expect_duty<KillExecutor>();
  h.step(ExecutorDied{0, 1, 0, -1, SIGKILL, "", ""});
  h.expect_returned({{{0}, 1}});
  h.expect_duty<StartExecutor>();
  h.silent();
  EXPECT_EQ(h.core.view().held_leases, 0u);
}

TEST(AgentStopJob, WhatFinishesWithinTheGraceIsReportedAndTheJobForgotten) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  EXPECT_EQ(h.expect_duty<DealForget>().forget.job, kJob);
  h.pass(900ms);
  h.silent();
  h.lease(make_lease(2, 6, 1, 1, kJob, std::nullopt));
  EXPECT_TRUE(h.expect_returned({{{1}, 1}}).unbound);
}

TEST(AgentStopJob, WhatFailsWithinTheGraceGoesBackAndIsNoFailure) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.step(ExecutorDone{
      0, {.position = 0, .count = 1, .outcome = Outcome::kFailed, .run_ns = 5, .blob = {}}, {}});
  h.expect_returned({{{0}, 1}});
  h.expect_duty<DealForget>();
  h.pass(900ms);
  h.silent();
}

TEST(AgentStopJob, WhatFailsAsItIsKilledGoesBackToo) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, 0});
  h.expect_duty<TellStopped>();
  h.expect_duty<KillExecutor>();
  h.step(ExecutorDone{
      0, {.position = 0, .count = 1, .outcome = Outcome::kFailed, .run_ns = 5, .blob = {}}, {}});
  h.expect_returned({{{0}, 1}});
}

// A StopJob may come late, when the job goes on with another round: what is returned is then dealt
// again.
TEST(AgentStopJob, WhatRunsAtMostOnceAndIsKilledIsNotReturned) {
  OneTaskRuns h(true);
  h.from_broker(StopJob{kJob, 0});
  h.expect_duty<TellStopped>();
  h.expect_duty<KillExecutor>();
  h.step(ExecutorDied{0, 1, 0, -1, SIGKILL, "", ""});
  Blob blob;
  h.expect_results(0, 1, Outcome::kCrashed, &blob);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  ASSERT_EQ(columns->failures.size(), 1u);
  EXPECT_EQ(columns->failures[0].message,
            "killed when a job was cancelled, and it runs at most once");
  EXPECT_TRUE(h.sent.empty());
  EXPECT_EQ(h.core.view().held_leases, 0u);
}

TEST(AgentStopJob, WhatRanAtMostOnceAndWasNotReportedIsNotReturned) {
  OneTaskRuns h(true);
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.step(ExecutorDied{0, 1, 1, -1, SIGKILL, "", ""});
  h.expect_results(0, 1, Outcome::kCrashed);
  EXPECT_TRUE(h.sent.empty());
}

TEST(AgentStopJob, WhatRunsAtMostOnceAndFailsWithinTheGraceIsNotReturned) {
  OneTaskRuns h(true);
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.step(ExecutorDone{
      0, {.position = 0, .count = 1, .outcome = Outcome::kFailed, .run_ns = 5, .blob = {}}, {}});
  h.expect_results(0, 1, Outcome::kCrashed);
  h.expect_duty<DealForget>();
  h.silent();
}

TEST(AgentStopJob, WhatRunsAtMostOnceAndHasNotBegunIsReturned) {
  Harness h(1);
  h.start();
  JobSpec spec{.function = "f", .argv = {}, .names = {}, .time_limit_ms = 0, .max_output = 0};
  spec.at_most_once = true;
  h.lease(make_lease(1, 5, 0, 1, kJob, spec));
  h.duties.clear();
  h.from_broker(StopJob{kJob, 500});
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 0u);
  h.step(ExecutorFreed{0, 0});
  h.expect_returned({{{0}, 1}});
}

TEST(AgentStopJob, WithoutKillLetsRunningTasksFinish) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, CancelJob::kNoKill});
  h.pass(900ms);
  h.silent();
}

TEST(AgentStopJob, SaidAgainPutsTheKillingOffNoFurther) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.pass(400ms);
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.from_broker(StopJob{kJob, CancelJob::kNoKill});
  h.silent();
  h.pass(100ms);
  h.expect_duty<KillExecutor>();
}

TEST(AgentStopJob, WithLessGraceKillsSooner) {
  OneTaskRuns h;
  h.from_broker(StopJob{kJob, 500});
  h.expect_duty<TellStopped>();
  h.from_broker(StopJob{kJob, 0});
  h.expect_duty<TellStopped>();
  h.expect_duty<KillExecutor>();
}

// Another job's task runs in front of what is to end, which then begins as it is asked back.
TEST(AgentStopJob, KillsNobodyElsesTaskInFrontOfIt) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  h.done(0, 0, 1, 10us);
  h.lease(make_lease(2, 6, 0, 1, kOtherJob));
  h.done(0, 1, 1, 10us);
  h.lease(make_lease(3, 7, 1, 1, kOtherJob));
  h.lease(make_lease(4, 8, 1, 1));
  h.duties.clear();
  h.sent.clear();
  h.step(ExecutorProgress{0, 3, 2});
  h.from_broker(StopJob{kJob, 0});
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 3u);
  h.expect_duty<TellStopped>();
  h.pass(100ms);
  h.silent();
  h.step(ExecutorFreed{0, 4});
  h.pass(10ms);
  h.expect_duty<KillExecutor>();
  h.step(ExecutorDied{0, 4, 3, -1, SIGKILL, "", ""});
  h.expect_returned({{{1}, 1}});  // of the stopped job
  EXPECT_EQ(h.core.view().queued_tasks, 1u);
}

TEST(AgentStopJob, LeavesOtherJobsAlone) {
  Harness h(2);
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  h.lease(make_lease(2, 6, 0, 3, kOtherJob));
  h.duties.clear();
  h.step(ExecutorProgress{0, 1, 0});
  h.step(ExecutorProgress{1, 1, 0});
  h.from_broker(StopJob{kJob, 0});
  EXPECT_EQ(h.expect_duty<TellStopped>().slot, 0u);
  EXPECT_EQ(h.expect_duty<KillExecutor>().slot, 0u);
  h.silent();
  h.step(ExecutorDied{0, 1, 0, -1, SIGKILL, "", ""});
  h.expect_returned({{{0}, 1}});
}

TEST(AgentDrain, ReturnsWhatIsNotStartedFinishesWhatRunsAndSaysGoodbye) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.duties.clear();
  h.step(ExecutorProgress{0, 1, 0});
  h.step(DrainRequested{});
  h.expect_returned({{{1}, 2}});
  EXPECT_TRUE(h.expect_sent<WorkerHeartbeat>().draining);
  h.silent();
  h.lease(make_lease(2, 6, 10, 1));
  h.expect_returned({{{10}, 1}});
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  h.silent();
  EXPECT_FALSE(h.finished);
  h.from_broker(ReportsTaken{3});
  h.expect_sent<Goodbye>();
  EXPECT_TRUE(h.finished);
  h.silent();
}

TEST(AgentDrain, WithoutABrokerEndsAfterALease) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  h.duties.clear();
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  h.step(BrokerLost{});
  h.step(DrainRequested{});
  h.pass(5999ms);
  EXPECT_FALSE(h.finished);
  h.pass(1ms);
  EXPECT_TRUE(h.finished);
}

TEST(AgentDrain, AnIdleWorkerEndsAtOnce) {
  Harness h(1);
  h.start();
  h.step(DrainRequested{});
  EXPECT_TRUE(h.finished);
}

}  // namespace
}  // namespace fanmill::worker
