// A core that is made from what an earlier one has written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One worker with two slots, one producer, one closed job of so many tasks.
void set_up(Stage& stage, std::uint64_t tasks, JobOptions options = kept_job()) {
  stage.add_worker("w", 2);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.submit("p", 1, 0, tasks);
  stage.close("p", 1, tasks);
  stage.skip();
}

TEST(Restart, GoesOnWithItsJobsUnderTheirKeys) {
  Stage stage;
  set_up(stage, 4);
  stage.restart();
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  EXPECT_THAT(stage.take({"opened"}), ElementsAre("after p: opened 1 next=4 closed"));
}

TEST(Restart, KeepsWhatAWorkerStillHas) {
  Stage stage;
  set_up(stage, 2);
  stage.restart();
  stage.reconnect("w", {1, 2});
  EXPECT_THAT(stage.take(), ElementsAre("now w: welcome attempt=2 keep=t1 keep=t2"));
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"put-record", "lease"}),
              ElementsAre("write put-record 1 r1 [0,1) succeeded by w"));
}

TEST(Restart, DealsWhatNobodyHasAfterALeaseAndUncharged) {
  Stage stage;
  set_up(stage, 2);
  stage.restart();
  stage.add_worker("x", 2);
  stage.pass(limits::kLeaseDuration);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.add_worker("y", 2);
  stage.pass(limits::kReconnectMax);
  EXPECT_THAT(stage.take({"lease"}), Contains(HasSubstr("lease 1 [0,1)")));
  EXPECT_THAT(stage.take({"put-charge"}), IsEmpty());
}

TEST(Restart, DealsWhatWasNeverDealtAtOnce) {
  Stage stage;
  stage.add_worker("w", 1);
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  stage.submit("p", 1, 0, 1000);
  stage.skip();
  stage.restart();
  stage.add_worker("x", 1);
  EXPECT_THAT(stage.take({"lease"}), Contains(HasSubstr("lease 1 [64,65)")));
}

TEST(Restart, DoesNotRepeatWhatHasARecord) {
  Stage stage;
  set_up(stage, 2);
  stage.results("w", 1, 0, 1);
  stage.skip();
  stage.restart();
  stage.reconnect("w", {2});
  EXPECT_THAT(stage.take({"welcome"}), ElementsAre("now w: welcome attempt=2 keep=t2"));
  stage.results("w", 1, 0, 1);  // sent again, as nobody acknowledged it
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
  EXPECT_EQ(stage.core().view().stale_results, 1U);
  stage.results("w", 2, 1, 1);
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 2U);
}

TEST(Restart, ChargesAFailureThatIsSentAgainOnce) {
  Stage stage;
  JobOptions options = kept_job();
  options.retries = 2;
  set_up(stage, 2, options);
  const auto claims = stage.worker("w").held;
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-charge"}),
              ElementsAre("write put-charge 1 task 0 failures=1 crashes=0 losses=0 t1"));
  stage.restart();
  stage.worker("w").held = claims;
  stage.reconnect("w", {1, 2});
  EXPECT_THAT(stage.take({"welcome"}), ElementsAre("now w: welcome attempt=2 keep=t2"));
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-charge", "put-record"}), IsEmpty());
  stage.pass(limits::kLeaseDuration / 2);
  stage.heartbeat("w");
  stage.pass(limits::kLeaseDuration / 2 + limits::kReconnectMax);
  EXPECT_THAT(stage.take({"lease"}), Contains(HasSubstr("[0,1) t1 attempt=2")));
}

TEST(Restart, KeepsTheHighestOfSeveralClaims) {
  Stage stage;
  set_up(stage, 1);
  stage.pass(limits::kLeaseDuration);  // w is lost
  stage.add_worker("x", 1);
  stage.skip();
  stage.restart();
  stage.reconnect("w", {1});
  stage.reconnect("x", {2});
  EXPECT_THAT(stage.take({"welcome"}),
              ElementsAre("now w: welcome attempt=2 keep=t1", "now x: welcome attempt=2 keep=t2"));
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
  stage.results("x", 2, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-record"}), ElementsAre(HasSubstr("[0,1) failed by x")));
}

TEST(Restart, DropsClaimsOfALifeThatTheStoreDoesNotKnow) {
  // An older copy of the store was put back; by chance its next life may have the epoch of the one
  // that was lost.
  CoreConfig config;
  config.news = true;
  for (const Life life : {Life{2, 0}, Life{1, 7}}) {
    Stage stage(config);
    set_up(stage, 2);
    stage.restart(life);
    stage.reconnect("w", {1});
    EXPECT_THAT(stage.take({"welcome"}), ElementsAre("now w: welcome attempt=2"));
    stage.results("w", 1, 0, 1);
    EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
    EXPECT_THAT(stage.news(), Contains(HasSubstr("that this store does not know")));
  }
}

TEST(Restart, GivesOutTokensThatNameItsLife) {
  CoreConfig config;
  config.life = {1, 7};
  Stage stage(config);
  set_up(stage, 1);
  const AttemptToken token = stage.worker("w").held.begin()->second.token;
  EXPECT_EQ(life_of(token), config.life);
  EXPECT_EQ(token, (AttemptToken{1, (std::uint64_t{7} << kLeaseBits) + 1}));
}

TEST(Restart, SendsRowsFromTheCursorOfTheReader) {
  for (const RowOrder order : {RowOrder::kInput, RowOrder::kAsCompleted}) {
    Stage stage;
    set_up(stage, 2, map_job());
    stage.gather("p", 1, 0, order);
    stage.results("w", 1, 0, 1);
    stage.results("w", 2, 1, 1);
    stage.ack("p", 1, 1);
    stage.skip();
    stage.restart();
    stage.add_producer("p");
    stage.open("p", "key", map_job());
    stage.gather("p", 1, 1, order);
    EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=1 [1,2) succeeded"));
    stage.ack("p", 1, 2);
    EXPECT_THAT(stage.take({"ended"}), ElementsAre("after p: ended 1 2/2"));
  }
}

TEST(Restart, KnowsWhatWasPushed) {
  Stage stage;
  stage.add_worker("w", 1);
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  stage.push("p", 1, "k", 0, 3);
  stage.restart();
  stage.add_producer("p");
  stage.push("p", 1, "k", 0, 3);
  EXPECT_THAT(stage.take({"put-chunk"}), IsEmpty());
  stage.push("p", 1, "k", 1, 2);
  EXPECT_THAT(stage.take({"put-chunk"}), ElementsAre("write put-chunk 1 [3,5)"));
}

TEST(Restart, GoesOnWithTheDigestOfTheTuples) {
  JobOptions options = kept_job();
  options.named_key = true;
  std::uint64_t digests[2] = {};
  for (const bool restarted : {false, true}) {
    Stage stage;
    stage.add_worker("w", 1);
    stage.add_producer("p");
    stage.open("p", "key", options);
    stage.submit("p", 1, 0, 700);
    if (restarted) {
      stage.restart();
      stage.add_producer("p");
    }
    stage.submit("p", 1, 700, 800);
    stage.open("p", "key", options);
    digests[restarted ? 1 : 0] = stage.tuples_digest();
  }
  EXPECT_NE(digests[0], 0U);
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(Restart, LeavesPausedAndCancelledJobsAsTheyWere) {
  Stage stage;
  set_up(stage, 100);
  stage.steer("p", Steering::kPause, {1});
  stage.restart();
  stage.add_worker("x", 1);
  stage.pass(limits::kLeaseDuration + limits::kReconnectMax);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.add_producer("p");
  stage.cancel("p", 1, 0);
  stage.restart();
  EXPECT_EQ(stage.core().view().jobs[0].counts.cancelled, 100U);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
}

JobOptions once() {
  JobOptions options = kept_job();
  options.spec.at_most_once = true;
  return options;
}

TEST(RestartAtMostOnce, KeepsWhatAWorkerStillHas) {
  Stage stage;
  set_up(stage, 2, once());
  stage.restart();
  stage.reconnect("w", {1, 2});
  EXPECT_THAT(stage.take(), ElementsAre("now w: welcome attempt=2 keep=t1 keep=t2"));
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 2U);
}

TEST(RestartAtMostOnce, EndsWhatNobodyHasForItMayHaveRun) {
  Stage stage;
  set_up(stage, 3, once());
  stage.restart();
  stage.add_worker("x", 2);
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("after x: lease 1 [2,3) t1 skip=2 with-spec"));
  stage.results("x", 1, 2, 1);
  stage.pass(limits::kLeaseDuration + limits::kReconnectMax);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  EXPECT_EQ(stage.core().view().jobs[0].counts.failed, 2U);
}

TEST(RestartAtMostOnce, DealsWhatHadComeBack) {
  Stage stage;
  set_up(stage, 2, once());
  stage.steer("p", Steering::kPause, {1});
  stage.returned("w", 1, {{{0}, 1}});
  stage.steer("p", Steering::kResume, {1});
  stage.returned("w", 3, {{{0}, 1}});
  stage.restart();
  stage.add_worker("x", 1);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());  // it is out again
  stage.pass(limits::kLeaseDuration + limits::kReconnectMax);
  EXPECT_EQ(stage.core().view().jobs[0].counts.failed, 2U);
}

// Tasks 1 and 2 of four have failed, and run again.
void begin_round(Stage& stage) {
  JobOptions options = kept_job();
  options.rows_with_tuples = true;
  set_up(stage, 4, options);
  for (const std::uint64_t at : {0U, 1U, 2U, 3U})
    stage.results("w", at + 1, at, 1, at == 1 || at == 2 ? Outcome::kFailed : Outcome::kSucceeded);
  stage.steer("p", Steering::kRetry, {1});
  stage.skip();
}

TEST(RestartRounds, GoesOnWithTheTasksOfTheRound) {
  Stage stage;
  begin_round(stage);
  stage.results("w", 5, 1, 1);
  stage.restart();
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 3U);
  EXPECT_EQ(stage.core().view().jobs[0].counts.failed, 0U);
  stage.reconnect("w", {6});
  EXPECT_THAT(stage.take({"welcome"}), ElementsAre("now w: welcome attempt=2 keep=t6"));
  stage.results("w", 6, 2, 1, Outcome::kFailed);
  EXPECT_EQ(stage.core().view().jobs[0].counts.failed, 1U);
  stage.restart();
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 3U);
  EXPECT_EQ(stage.core().view().jobs[0].counts.failed, 1U);
}

TEST(RestartRounds, RowsAreTheNewestAndTheStreamHasThemAll) {
  Stage stage;
  begin_round(stage);
  stage.results("w", 5, 1, 1);
  stage.results("w", 6, 2, 1);
  stage.restart();
  stage.add_producer("p");
  stage.gather("p", 1);
  const auto rows = stage.take({"rows"});
  ASSERT_EQ(rows.size(), 4U);
  for (const std::string& row : rows) EXPECT_THAT(row, HasSubstr("succeeded"));
  stage.add_producer("q");
  stage.gather("q", 1, 0, RowOrder::kAsCompleted);
  EXPECT_EQ(stage.take({"rows"}).size(), 6U);
}

TEST(RestartRounds, ASuccessOfAnEarlierRoundDoesNotCount) {
  Stage stage;
  begin_round(stage);
  stage.restart();
  stage.reconnect("w", {6});
  stage.skip();
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
}

TEST(Restart, SaysByWhichPolicyAJobWasHalted) {
  Stage stage;
  JobOptions options = kept_job();
  options.halt = {{.on = HaltOn::kFailures, .count = 1}};
  set_up(stage, 2, options);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  stage.returned("w", 2, {{{1}, 1}});
  stage.restart();
  stage.add_producer("q");
  stage.gather("q", 1);
  stage.skip();
  stage.ack("q", 1, 2);
  EXPECT_THAT(stage.take({"ended"}), ElementsAre(HasSubstr("halted: 1 task failed")));
}

TEST(Restart, TwiceInARowChangesNothing) {
  Stage stage;
  set_up(stage, 3);
  stage.results("w", 1, 0, 1);
  stage.restart();
  stage.restart();
  stage.reconnect("w", {2});
  stage.results("w", 2, 1, 1);
  EXPECT_EQ(stage.core().view().jobs[0].counts.succeeded, 2U);
}

TEST(Restart, RefusesTwoRecordsOfOneTask) {
  Recovered recovered;
  RecoveredJob job;
  job.put = {{7}, "key", kept_job()};
  job.next_index = 2;
  for (const std::uint64_t number : {1, 2}) {
    RecoveredRecord record;
    record.put.record = {number};
    record.put.valid = {{TaskIndex{1}, 1}};
    job.records.push_back(record);
  }
  recovered.jobs.push_back(job);
  Core core{CoreConfig{}};
  const auto restored = core.restore(std::move(recovered), MonoTime{});
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().message, HasSubstr("a task of record 2 has a record before it"));
}

TEST(FullDisk, TakesNoTuplesAndStillRecords) {
  Stage stage;
  stage.add_worker("w", 1);
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  stage.submit("p", 1, 0, 2);
  stage.skip();
  stage.disk_is_full(true);
  stage.submit("p", 1, 2, 2);
  EXPECT_THAT(stage.take({"put-chunk", "accepted"}), ElementsAre("after p: accepted 1 next=2"));
  stage.push("p", 1, "k", 0, 1);
  EXPECT_THAT(stage.take({"put-chunk", "put-push"}), IsEmpty());
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"put-record"}), ElementsAre(HasSubstr("[0,1) succeeded")));
  stage.disk_is_full(false);
  stage.submit("p", 1, 2, 2);
  EXPECT_THAT(stage.take({"put-chunk"}), ElementsAre("write put-chunk 1 [2,4)"));
}

TEST(Restart, SaysWhatTheTasksWaitFor) {
  Stage stage;
  set_up(stage, 2);
  stage.restart();
  stage.add_producer("p");
  stage.ask("p", Topic::kJobDetail, "all");
  EXPECT_THAT(std::string(stage.answer().view()),
              HasSubstr("2 tasks may be under way since before the broker's restart"));
}

}  // namespace
}  // namespace fanmill::broker
