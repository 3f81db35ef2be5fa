// Sessions and leases of workers, seen from outside the core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One worker with these slots, one producer, one closed job of so many tasks, everything dealt that
// can be; nothing left to look at.
void set_up(Stage& stage, std::uint32_t slots, std::uint64_t tasks,
            JobOptions options = map_job()) {
  stage.add_worker("w", slots);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.submit("p", 1, 0, tasks);
  stage.close("p", 1, tasks);
  stage.skip();
}

TEST(WorkersHello, IsAnsweredTheSameWhenItIsRepeated) {
  Stage stage;
  const FakeWorker fake = stage.add_worker("w", 1);
  EXPECT_THAT(stage.take(), ElementsAre("now w: welcome attempt=1"));
  stage.core().step(MessageArrived{fake.peer, {{}, FromWorker{fake.hello}}, {}}, stage.now());
  const Duties duties = stage.core().take_duties(stage.now());
  ASSERT_EQ(duties.send_now.size(), 1U);
  EXPECT_EQ(duties.send_now[0].session, fake.session);
  EXPECT_THAT(duties.send_after, IsEmpty());
  EXPECT_EQ(stage.core().view().workers.size(), 1U);
}

TEST(WorkersHello, OfAnEarlierAttemptIsNotHeard) {
  Stage stage;
  const FakeWorker first = stage.add_worker("w", 1);
  stage.reconnect("w", {});
  stage.skip();
  stage.core().step(MessageArrived{first.peer, {{}, FromWorker{first.hello}}, {}}, stage.now());
  EXPECT_THAT(stage.core().take_duties(stage.now()).send_now, IsEmpty());
}

TEST(WorkersHello, WithoutSlotsIsRefused) {
  Stage stage;
  stage.add_worker("w", 0);
  EXPECT_THAT(stage.take(), ElementsAre("now w: refused limit: a worker has 1 to 4096 slots"));
}

TEST(WorkersStranger, IsToldToSayHello) {
  Stage stage;
  stage.strange(WorkerHeartbeat{}, 42);
  EXPECT_THAT(stage.take(), ElementsAre("now stranger: unknown-session"));
}

TEST(WorkersReports, AreTakenInOrderAndOnce) {
  Stage stage;
  set_up(stage, 1, 2);
  stage.results("w", 2, 1, 1, Outcome::kSucceeded, 1ms, 10, 2);  // the first is still on its way
  EXPECT_THAT(stage.take({"put-record", "reports-taken"}), IsEmpty());
  stage.results("w", 1, 0, 1, Outcome::kSucceeded, 1ms, 10, 1);
  EXPECT_THAT(
      stage.take({"put-record", "reports-taken"}),
      ElementsAre("write put-record 1 r1 [0,1) succeeded by w", "after w: reports-taken 1"));
  stage.results("w", 1, 0, 1, Outcome::kSucceeded, 1ms, 10, 1);
  EXPECT_THAT(stage.take({"put-record", "reports-taken"}), ElementsAre("after w: reports-taken 1"));
}

TEST(WorkersReports, AreAcknowledgedOnlyWithTheirRecordsDurable) {
  Stage stage;
  set_up(stage, 1, 1);
  stage.commits_at_once = false;
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(
      stage.take({"put-record", "reports-taken"}),
      ElementsAre("write put-record 1 r1 [0,1) succeeded by w", "after w: reports-taken 1"));
}

TEST(WorkersSilence, ReturnsUnstartedTasksUncharged) {
  Stage stage;
  set_up(stage, 1, 2);
  stage.worker("w").running = {{Stage::job_id(1), {1, 1}, {0}}};
  stage.heartbeat("w");
  stage.pass(6001ms);
  stage.add_worker("x", 1);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now x: lease 1 [1,2) t3 skip=1 with-spec"));
  stage.heartbeat("x");
  stage.pass(4s);
  stage.heartbeat("x");
  stage.pass(2s);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now x: lease 1 [0,1) t4 attempt=2"));
  EXPECT_EQ(stage.core().view().expired_leases, 2U);
}

TEST(WorkersSilence, EndsATaskThatTenWorkersWereLostWith) {
  Stage stage;
  set_up(stage, 1, 1);
  std::string name = "w";
  for (std::uint64_t token = 1; token <= limits::kLossLimit; ++token) {
    stage.worker(name).running = {{Stage::job_id(1), {1, token}, {0}}};
    stage.heartbeat(name);
    EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
    stage.pass(6001ms);
    if (token == limits::kLossLimit) break;
    stage.pass(6s);
    name = "w" + std::to_string(token);
    stage.add_worker(name, 1);
  }
  EXPECT_THAT(
      stage.take({"put-record"}),
      ElementsAre("write put-record 1 r1 [0,1) worker-lost dead-lettered attempt=10 by w9"));
}

TEST(WorkersSilence, OfABrokerThatStoodStillChargesNobody) {
  Stage stage;
  set_up(stage, 1, 1);
  stage.pause(600s);
  stage.pass(5s);
  EXPECT_EQ(stage.core().view().workers.size(), 1U);
  EXPECT_EQ(stage.core().view().expired_leases, 0U);
}

TEST(WorkersHeartbeat, KeepsALeaseForEver) {
  Stage stage;
  set_up(stage, 1, 1);
  for (int i = 0; i < 100; ++i) {
    stage.pass(2s);
    stage.heartbeat("w");
  }
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  EXPECT_EQ(stage.core().view().workers.at(0).leases, 1U);
}

TEST(WorkersHeartbeat, DoesNotRenewALeaseThatNeverArrived) {
  Stage stage;
  set_up(stage, 1, 1);
  FakeWorker& fake = stage.worker("w");
  fake.held.clear();
  fake.leases_seen = 0;  // nothing after it arrived either
  for (int i = 0; i < 4; ++i) {
    stage.pass(1999ms);
    stage.heartbeat("w");
  }
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now w: lease 1 [0,1) t2"));
}

TEST(WorkersHeartbeat, IsComparedOnlyWhenBothSpeakOfTheSameReports) {
  Stage stage;
  set_up(stage, 1, 1);
  FakeWorker& fake = stage.worker("w");
  fake.held.clear();  // it has reported that task, and the report is on its way
  fake.reports = 1;
  stage.heartbeat("w");
  EXPECT_THAT(stage.take(), ElementsAre("now w: heartbeat-reply"));
}

TEST(WorkersGoodbye, GivesEverythingBackUncharged) {
  Stage stage;
  set_up(stage, 1, 2);
  stage.worker("w").running = {{Stage::job_id(1), {1, 1}, {0}}};
  stage.heartbeat("w");
  stage.goodbye("w");
  stage.skip();
  stage.add_worker("x", 1);
  EXPECT_THAT(stage.take({"lease"}),
              ElementsAre("now x: lease 1 [0,1) t3 with-spec", "now x: lease 1 [1,2) t4 skip=1"));
}

TEST(WorkersReconnect, KeepsWhatIsClaimedAndReturnsTheRest) {
  Stage stage;
  set_up(stage, 2, 4);
  stage.reconnect("w", {2});
  const std::vector<std::string> lines = stage.take({"welcome", "lease"});
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], "now w: welcome attempt=2 keep=t2");
  EXPECT_THAT(std::vector<std::string>(lines.begin() + 1, lines.end()),
              ElementsAre("now w: lease 1 [0,1) t5 with-spec", "now w: lease 1 [2,3) t6 skip=2",
                          "now w: lease 1 [3,4) t7 skip=3"));
}

TEST(WorkersCredit, IsNeverExceededAndNeverADelta) {
  Stage stage;
  stage.add_worker("w", 4, {"f"}, {3, 1 << 20});
  stage.add_producer("p");
  stage.open("p", "key", map_job());
  stage.submit("p", 1, 0, 100);
  EXPECT_EQ(stage.take({"lease"}).size(), 3U);
  stage.heartbeat("w");
  stage.heartbeat("w");
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.worker("w").credit.tasks = 4;
  stage.heartbeat("w");
  EXPECT_EQ(stage.take({"lease"}).size(), 1U);
}

TEST(WorkersCredit, ComesBackWithALeaseThatWasLostOnTheWay) {
  Stage stage;
  stage.add_worker("w", 4, {"f"}, {3, 1 << 20});
  stage.add_producer("p");
  stage.open("p", "key", map_job());
  stage.submit("p", 1, 0, 100);
  EXPECT_EQ(stage.take({"lease"}).size(), 3U);
  stage.lose_lease("w", 1);
  stage.heartbeat("w");
  stage.heartbeat("w", true);
  EXPECT_THAT(stage.take({"lease"}), ::testing::SizeIs(1)) << "the credit of the lost one";
  stage.core().check_invariants();
}

TEST(WorkersRecall, EndsWhereTheIdleSlotCannotTakeWhatComesBack) {
  Stage stage;
  stage.add_worker("a", 2);
  stage.add_producer("p");
  stage.open("p", "key", map_job());
  stage.submit("p", 1, 0, 4, 1000);
  stage.close("p", 1, 4);
  stage.skip();
  // No tuple of this job fits into its credit: it may have one, alone.
  stage.add_worker("poor", 2, {"f"}, {100, 10});
  // Whatever is asked back is given, and dealt again: to the one that gave it.
  std::size_t recalls = 0;
  while (recalls < 10 && stage.worker("a").recall != 0) {
    ++recalls;
    const std::uint32_t asked = std::exchange(stage.worker("a").recall, 0);
    const auto& [token, lease] = *stage.worker("a").held.rbegin();
    stage.returned("a", token, {{lease.first, lease.count}}, asked);
  }
  EXPECT_LE(recalls, 2U);
}

TEST(WorkersCancel, IsSaidWithEveryHeartbeatAndWhatIsLeftOfTheGrace) {
  Stage stage;
  set_up(stage, 1, 2);
  stage.cancel("p", 1, 5000);
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=5000ms"));
  stage.pass(2s);
  stage.heartbeat("w");
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=3000ms"));
  stage.cancel("p", 1, 5000);  // a repetition
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=3000ms"));
  stage.pass(2s);
  stage.cancel("p", 1, 0);  // somebody will not wait
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=0ms"));
  stage.pass(2s);
  stage.heartbeat("w");
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=0ms"));
}

TEST(WorkersCancel, ReachesAWorkerThatComesBackWithTasksOfIt) {
  Stage stage;
  set_up(stage, 1, 2);
  stage.gone("w");
  stage.cancel("p", 1, 5000);
  stage.skip();
  stage.pass(1s);
  stage.reconnect("w", {1});
  stage.skip();
  stage.heartbeat("w");
  EXPECT_THAT(stage.take({"stop-job"}), ElementsAre("after w: stop-job 1 grace=4000ms"));
}

TEST(WorkersCancel, EndsTasksThatWaitToBeTriedAgain) {
  Stage stage;
  JobOptions options = map_job();
  options.retries = 3;
  set_up(stage, 1, 1, options);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
  stage.cancel("p", 1, 5000);
  EXPECT_THAT(stage.take({"put-record"}), ElementsAre("write put-record 1 r1 [0,1) cancelled"));
  stage.pass(60s);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
}

}  // namespace
}  // namespace fanmill::broker
