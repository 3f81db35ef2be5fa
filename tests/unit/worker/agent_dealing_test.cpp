#include "agent_harness.hpp"

namespace fanmill::worker {
namespace {

TEST(AgentDealing, ALeaseGoesRoundOverAnExecutorToAReport) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 6, 1));
  EXPECT_EQ(h.expect_duty<DealBind>().bind.spec.function, "f");
  const DealWork deal = h.expect_work(0, 0, 6, 1);
  EXPECT_EQ(deal.work.token, token(5));
  h.silent();
  h.done(0, 0, 1, 3ms);
  Blob blob;
  const Results results = h.expect_results(6, 1, Outcome::kSucceeded, &blob);
  EXPECT_EQ(results.report, 1u);
  EXPECT_EQ(results.token, token(5));
  EXPECT_EQ(results.values_bytes, 1u);
  EXPECT_EQ(results.run_ns, 3'000'000u);
  EXPECT_EQ(blob.view(), "\xc0");
  h.silent();
  EXPECT_EQ(h.core.view().held_leases, 0u);
}

TEST(AgentDealing, SubBatchesDoubleWithEveryReportUpToAMillisecondOfWork) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 200));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.silent();  // nothing is known of the job: nothing waits
  h.done(0, 0, 1, 250us);
  h.expect_results(0, 1);
  h.expect_work(0, 1, 1, 2);
  h.expect_work(0, 3, 3, 2);
  h.silent();  // two at a time are enough for tasks of 0.25 ms
  h.done(0, 1, 2, 250us);
  h.expect_results(1, 2);
  h.expect_work(0, 5, 5, 4);
  h.done(0, 3, 2, 250us);
  h.expect_results(3, 2);
  h.expect_work(0, 9, 9, 4);
  h.silent();
}

TEST(AgentDealing, TasksOfMoreThanAMillisecondAreDealtSinglyWithNothingWaiting) {
  Harness h(2);
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.expect_duty<DealBind>();
  h.expect_work(1, 0, 1, 1);
  h.done(0, 0, 1, 20ms);
  h.expect_results(0, 1);
  h.expect_work(0, 1, 2, 1);
  h.done(1, 0, 1, 20ms);
  h.expect_results(1, 1);
  h.expect_work(1, 1, 3, 1);
  h.silent();
}

TEST(AgentDealing, NoOpTasksAreDealtInSharesOfWhatIsQueued) {
  Harness h(2, {100'000, 1'000'000});
  h.start_each({true, false});
  h.lease(make_lease(1, 5, 0, 4000));
  h.duties.clear();
  h.done(0, 0, 1, 1us);
  std::uint64_t most = 0;
  while (h.core.view().queued_tasks > 2000) {
    const auto deal = std::get<DealWork>(h.duties.front());
    h.duties.pop_front();
    const std::uint64_t queued = h.core.view().queued_tasks + deal.work.count;
    EXPECT_LE(deal.work.count, queued / 4 + queued / 16 + 256);
    most = std::max(most, deal.work.count);
    h.done(0, deal.work.position, deal.work.count, 1us);
  }
  EXPECT_GE(most, 256u);
}

TEST(AgentDealing, AnExecutorWithoutPageGetsOneTaskAtATime) {
  Harness h(1);
  h.start(false);
  h.lease(make_lease(1, 5, 0, 50));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.silent();
  h.done(0, 0, 1, 1us);
  h.expect_results(0, 1);
  h.expect_work(0, 1, 1, 1);
  h.silent();
}

// Tasks of 0.3 ms. Slot 0 holds tasks 2 and 3 at positions 1 and 2, then 4 and 5; slot 1, which has
// no page, runs task 1.
struct Waiting : Harness {
  Waiting() : Harness(2) {
    start_each({true, false});
    lease(make_lease(1, 5, 0, 100));
    duties.clear();
    done(0, 0, 1, 300us);
    sent.clear();
    expect_work(0, 1, 2, 2);
    expect_work(0, 3, 4, 2);
    silent();
  }
};

TEST(AgentEarlySteal, TakesBackWhatWaitsBehindASlowTask) {
  Waiting h;
  h.step(ExecutorProgress{0, 2, 1});
  EXPECT_TRUE(h.watch);
  ASSERT_TRUE(h.wake_at);
  EXPECT_EQ(*h.wake_at - h.now, 2400us);  // four times the sub-batch's expected 0.6 ms
  h.pass(2399us);
  h.silent();
  h.pass(1us);
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 2u);
  h.step(ExecutorFreed{0, 2});
  h.silent();  // no further work before Stopped
  // The freed tasks 3 to 5 go first, to the other slot.
  h.done(1, 0, 1, 300us);
  h.expect_results(1, 1);
  h.expect_work(1, 1, 3, 1);
}

TEST(AgentEarlySteal, DealsAgainOnlyAfterStoppedAtFreshPositionsAndBindsBefore) {
  Waiting h;
  h.step(ExecutorProgress{0, 2, 1});
  h.pass(2400us);
  h.expect_duty<LowerEnd>();
  h.step(ExecutorFreed{0, 2});
  h.done(0, 1, 1, 250ms);
  h.expect_results(2, 1);
  h.silent();
  h.step(ExecutorStopped{0, 2});
  h.expect_duty<DealBind>();
  EXPECT_EQ(h.expect_duty<DealWork>().work.position, 5u);
}

TEST(AgentEarlySteal, NothingFreedMeansNoStoppedIsAwaited) {
  Waiting h;
  h.step(ExecutorProgress{0, 2, 1});
  h.pass(2400us);
  h.expect_duty<LowerEnd>();
  h.step(ExecutorFreed{0, 5});  // it had started all of them meanwhile
  h.done(0, 1, 2, 300us);
  h.expect_results(2, 2);
  h.silent();
  h.done(0, 3, 2, 300us);
  h.expect_results(4, 2);
  EXPECT_EQ(h.expect_duty<DealWork>().work.position, 5u);
}

TEST(AgentEarlySteal, AnUndoneStartComesBackWithStopped) {
  Waiting h;
  h.step(ExecutorProgress{0, 2, 1});
  h.pass(2400us);
  h.expect_duty<LowerEnd>();
  h.step(ExecutorFreed{0, 3});  // the page said that position 2 had been started …
  h.done(0, 1, 1, 300us);
  h.expect_results(2, 1);
  h.step(ExecutorStopped{0, 2});  // … but it met the end there
  h.expect_duty<DealBind>();
  h.expect_work(0, 5, 3, 3);  // task 3, of position 2, comes first
}

TEST(AgentEarlySteal, OneSlotAloneHasNobodyToGiveTo) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 100));
  h.duties.clear();
  h.done(0, 0, 1, 300us);
  h.sent.clear();
  h.duties.clear();
  h.step(ExecutorProgress{0, 2, 1});
  h.pass(100ms);
  h.silent();
}

TEST(AgentIdleSlot, TakesHalfOfWhatWaitsElsewhere) {
  Harness h(2);
  h.start_each({true, false});
  h.lease(make_lease(1, 5, 0, 5));
  h.done(0, 0, 1, 300us);  // task 0; task 1 is at the other slot
  h.done(0, 1, 1, 300us);  // task 2
  EXPECT_EQ(h.core.view().queued_tasks, 0u);
  h.sent.clear();
  h.duties.clear();
  h.done(1, 0, 1, 300us);
  h.expect_results(1, 1);
  const LowerEnd lower = h.expect_duty<LowerEnd>();
  EXPECT_EQ(lower.slot, 0u);
  EXPECT_EQ(lower.end, 3u);  // task 3, at position 2, may have started
  h.step(ExecutorFreed{0, lower.end});
  h.expect_work(1, 1, 4, 1);
  h.silent();
}

TEST(AgentDone, OfPositionsThatWereFreedIsIgnored) {
  Waiting h;
  h.step(ExecutorProgress{0, 2, 1});
  h.pass(2400us);
  h.expect_duty<LowerEnd>();
  h.step(ExecutorFreed{0, 2});
  h.done(0, 3, 1);
  h.silent();
}

TEST(AgentDone, OfMoreThanWasDealtKillsTheExecutor) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.duties.clear();
  h.done(0, 0, 2);
  h.expect_duty<KillExecutor>();
  h.silent();
}

}  // namespace
}  // namespace fanmill::worker
