// Jobs, their tuples, results and rows, seen from outside the core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void set_up(Stage& stage, std::uint32_t slots, JobOptions options = map_job()) {
  stage.add_worker("w", slots);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.skip();
}

TEST(Acknowledgements, StandForSeveralMessagesAndComeWithinTheDelay) {
  Stage stage(CoreConfig{}, 5ms);
  set_up(stage, 1);
  stage.submit("p", 1, 0, 2);
  stage.submit("p", 1, 2, 2);
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"accepted", "reports-taken"}), IsEmpty());
  stage.pass(5ms);
  const auto lines = stage.take({"accepted", "reports-taken"});
  EXPECT_THAT(lines, ::testing::UnorderedElementsAre("after p: accepted 1 next=4",
                                                     "after w: reports-taken 1"));
  stage.pass(50ms);
  EXPECT_THAT(stage.take({"accepted", "reports-taken"}), IsEmpty()) << "nothing more is owed";
}

TEST(Acknowledgements, ComeAtOnceForWhatIsRepeatedAndForTheSixteenth) {
  Stage stage(CoreConfig{}, 5ms);
  set_up(stage, 1);
  stage.submit("p", 1, 0, 1);
  EXPECT_THAT(stage.take({"accepted"}), IsEmpty());
  stage.submit("p", 1, 0, 1);
  EXPECT_THAT(stage.take({"accepted"}), ElementsAre("after p: accepted 1 next=1"));
  for (std::uint64_t i = 1; i < limits::kAcksAtOnce; ++i) stage.submit("p", 1, i, 1);
  EXPECT_THAT(stage.take({"accepted"}), IsEmpty());
  stage.submit("p", 1, limits::kAcksAtOnce, 1);
  EXPECT_THAT(stage.take({"accepted"}), ElementsAre("after p: accepted 1 next=17"));
}

TEST(ProducersOpen, IsIdempotentByKey) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 5);
  stage.skip();
  stage.open("p", "key", map_job());
  EXPECT_THAT(stage.take(), ElementsAre("after p: opened 1 next=5"));
  EXPECT_EQ(stage.core().view().jobs.size(), 1U);
}

TEST(ProducersOpen, OfAKeyThatAnotherFeedsEndsItsFeeding) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 5);
  stage.add_producer("q");
  stage.open("q", "key", map_job());
  stage.submit("q", 1, 5, 1);
  stage.skip();
  stage.submit("p", 1, 5, 2);
  EXPECT_THAT(stage.take(), ElementsAre(HasSubstr("refused")));
  stage.submit("q", 1, 6, 1);
  EXPECT_THAT(stage.take({"accepted"}), ElementsAre("after q: accepted 1 next=7"));
}

TEST(ProducersOpen, OfAKnownKeyWithOtherOptionsIsAConflict) {
  Stage stage;
  set_up(stage, 1);
  JobOptions other = map_job();
  other.retries = 3;
  stage.open("p", "key", other);
  const auto lines = stage.take();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], ::testing::StartsWith("now p: refused conflict"));
}

TEST(ProducersOpen, WithoutAnyWorkerWaitsForTheFirst) {
  Stage stage;
  stage.add_producer("p");
  stage.skip();
  stage.open("p", "key", map_job());
  stage.pass(4s);
  EXPECT_THAT(stage.take(), IsEmpty());
  stage.add_worker("w", 1);
  EXPECT_THAT(stage.take({"put-job", "opened"}),
              ElementsAre("write put-job 1 f key=key", "after p: opened 1 next=0"));
}

TEST(ProducersOpen, WithoutAnyWorkerIsRefusedAfterFiveSeconds) {
  Stage stage;
  stage.add_producer("p");
  stage.skip();
  stage.open("p", "key", map_job());
  stage.pass(5s);
  EXPECT_THAT(
      stage.take(),
      ElementsAre("now p: refused unknown-function: no worker offers 'f': no worker is connected"));
}

TEST(ProducersSubmit, IsAnsweredAfterItsCommitAlsoWhenItIsRepeated) {
  Stage stage;
  set_up(stage, 1);
  stage.commits_at_once = false;
  stage.submit("p", 1, 0, 5);
  EXPECT_THAT(stage.take({"accepted", "put-chunk"}),
              ElementsAre("write put-chunk 1 [0,5)", "after p: accepted 1 next=5"));
  stage.submit("p", 1, 0, 5);
  EXPECT_THAT(stage.take({"accepted", "put-chunk"}), ElementsAre("after p: accepted 1 next=5"));
}

TEST(ProducersSubmit, WithSumsThatDifferIsRefused) {
  Stage stage;
  set_up(stage, 1);
  const FakeProducer fake = stage.add_producer("q");
  stage.skip();
  const Submit lying{Stage::job_id(1), {0}, 3, {{2, 8}}};
  stage.core().step(
      MessageArrived{fake.peer, {fake.session, FromProducer{lying}}, Blob::copy_of("12345678")},
      stage.now());
  const Duties duties = stage.core().take_duties(stage.now());
  EXPECT_THAT(duties.writes, IsEmpty());
  EXPECT_THAT(duties.send_after, IsEmpty());
  ASSERT_EQ(duties.send_now.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Refused>(std::get<ToProducer>(duties.send_now[0].message)));
}

TEST(ProducersClose, WithFewerTuplesThanWereSubmittedIsAConflict) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 5);
  stage.skip();
  stage.close("p", 1, 3);
  const auto lines = stage.take();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], ::testing::StartsWith("now p: refused conflict"));
}

TEST(ProducersClose, OfAnEmptyJobEndsItAtOnce) {
  Stage stage;
  set_up(stage, 1);
  stage.gather("p", 1);
  stage.close("p", 1, 0);
  EXPECT_THAT(stage.take({"ended", "put-close"}),
              ElementsAre("write put-close 1 total=0", "after p: ended 1 0/0"));
}

TEST(ProducersGoodbye, KeepsAJobThatIsNotForgotten) {
  Stage stage;
  JobOptions kept = map_job();
  kept.forget_when_delivered = false;
  set_up(stage, 1, kept);
  stage.submit("p", 1, 0, 1);
  stage.close("p", 1, 1);
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1);
  stage.ack("p", 1, 1);
  stage.goodbye("p");
  EXPECT_THAT(stage.take({"drop-job", "drop-record", "drop-chunk"}), IsEmpty());
  // And another reader finds everything, from any cursor.
  stage.add_producer("q");
  stage.gather("q", 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=0 [0,1) succeeded"));
}

TEST(ProducersGone, PausesTheirMapJobAfterAMinuteAndAReaderWakesItUp) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 100);
  stage.gone("p");
  for (int i = 0; i < 31; ++i) {
    stage.pass(2s);
    stage.heartbeat("w");
  }
  stage.skip();
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.add_producer("p");
  stage.gather("p", 1);
  EXPECT_FALSE(stage.take({"lease"}).empty());
}

TEST(SinkValidity, ASuccessCountsFromAnAttemptThatLostItsLease) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 1);
  stage.pass(6001ms);
  stage.reconnect("w", {});
  stage.skip();
  stage.results("w", 1, 0, 1);  // by the first token, while the second one is out
  EXPECT_THAT(stage.take({"put-record"}),
              ElementsAre("write put-record 1 r1 [0,1) succeeded by w"));
  stage.results("w", 2, 0, 1);
  EXPECT_THAT(stage.take({"put-record"}), IsEmpty());
  EXPECT_EQ(stage.core().view().stale_results, 1U);
}

TEST(SinkValidity, OnlyThePartOfABatchWithoutRecordsCounts) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 30);
  stage.results("w", 1, 0, 1, Outcome::kSucceeded, 1us);
  stage.skip();  // t3 holds [2,4) now
  stage.reconnect("w", {});
  stage.skip();  // everything was dealt again
  FakeWorker& fake = stage.worker("w");
  ASSERT_FALSE(fake.held.empty());
  const auto [token, lease] = *fake.held.begin();
  ASSERT_EQ(lease.first.value, 1U);
  stage.results("w", 3, 2, 1);  // late, of the lease that is no more
  EXPECT_THAT(stage.take({"put-record"}),
              ElementsAre("write put-record 1 r2 [2,3) succeeded by w"));
  stage.results("w", token, 1, lease.count);
  EXPECT_THAT(
      stage.take({"put-record"}),
      ElementsAre(lease.count == 2 ? "write put-record 1 r3 [1,2) succeeded by w"
                                   : "write put-record 1 r3 [1,2)[3," +
                                         std::to_string(1 + lease.count) + ") succeeded by w"));
}

TEST(SinkValidity, ResultsOfTasksThatWereNeverDealtAreStale) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 100);
  stage.skip();
  stage.results("w", 1, 50, 10);
  EXPECT_THAT(stage.take({"put-record", "reports-taken"}), ElementsAre("after w: reports-taken 1"));
  EXPECT_EQ(stage.core().view().stale_results, 1U);
}

TEST(SinkFailures, WithoutRetriesAreRowsAtOnce) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 1);
  stage.results("w", 1, 0, 1, Outcome::kFailed);
  EXPECT_THAT(stage.take({"put-record"}), ElementsAre("write put-record 1 r1 [0,1) failed by w"));
}

TEST(DeliveryAsCompleted, CountsSlicesInTheOrderOfRecording) {
  Stage stage;
  set_up(stage, 2);
  stage.submit("p", 1, 0, 2);
  stage.close("p", 1, 2);
  stage.gather("p", 1, 0, RowOrder::kAsCompleted);
  stage.results("w", 2, 1, 1);
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=0 [1,2) succeeded",
                                                "after p: rows 1 at=1 [0,1) succeeded"));
  stage.ack("p", 1, 2);
  EXPECT_THAT(
      stage.take({"drop-record", "ended"}),
      ElementsAre("write drop-record 1 r1", "write drop-record 1 r2", "after p: ended 1 2/2"));
  stage.ack("p", 1, 2);
  EXPECT_THAT(stage.take(), ElementsAre("after p: ended 1 2/2"));
}

TEST(DeliveryRewind, SendsAgainFromTheAcknowledgedCursorOnly) {
  Stage stage;
  set_up(stage, 3);
  stage.submit("p", 1, 0, 3);
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  stage.ack("p", 1, 1);
  stage.skip();
  stage.gather("p", 1, 0);  // an old question, late
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=1 [1,2) succeeded"));
  stage.gather("p", 1, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=1 [1,2) succeeded"));
}

TEST(DeliveryRewind, SurvivesANewConnectionOfTheReader) {
  Stage stage;
  set_up(stage, 1);
  stage.submit("p", 1, 0, 1);
  stage.close("p", 1, 1);
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1);
  stage.add_producer("p");
  stage.skip();
  stage.gather("p", 1, 1);  // it has the row; asking for the next is no acknowledgement
  EXPECT_THAT(stage.take({"rows", "drop-record", "ended"}), IsEmpty());
  stage.ack("p", 1, 1);
  EXPECT_THAT(stage.take({"rows", "drop-record", "ended"}),
              ElementsAre("write drop-record 1 r1", "after p: ended 1 1/1"));
}

TEST(VentilatorResultsCap, PausesOnlyTheDealingOfFreshTasks) {
  CoreConfig config;
  config.results_cap = 100;
  Stage stage(config);
  set_up(stage, 1);
  stage.submit("p", 1, 0, 10);
  stage.gather("p", 1, 0, RowOrder::kInput, 1);
  stage.skip();
  stage.results("w", 2, 1, 1, Outcome::kSucceeded, 1s, 200);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  EXPECT_EQ(stage.core().view().jobs.at(0).waiting_for, WaitingFor::kSlowTask);
  stage.results("w", 1, 0, 1, Outcome::kCrashed);  // it must be dealt again, or nothing ever ends
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now w: lease 1 [0,1) t3 attempt=2"));
  stage.results("w", 3, 0, 1, Outcome::kSucceeded, 1s, 10);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.ack("p", 1, 1);
  stage.skip();
  stage.ack("p", 1, 2);
  EXPECT_FALSE(stage.take({"lease"}).empty());
}

TEST(VentilatorResultsCap, CountsUnreadBatchesToo) {
  CoreConfig config;
  config.unread_batches_max = 2;
  Stage stage(config);
  set_up(stage, 1);
  stage.submit("p", 1, 0, 10);
  stage.gather("p", 1, 0, RowOrder::kInput, 1);
  stage.results("w", 2, 1, 1, Outcome::kSucceeded, 1s, 1);
  stage.results("w", 3, 2, 1, Outcome::kSucceeded, 1s, 1);
  EXPECT_FALSE(stage.take({"lease"}).empty()) << "two may wait";
  stage.results("w", 4, 3, 1, Outcome::kSucceeded, 1s, 1);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty()) << "task 0 holds up three";
  stage.results("w", 1, 0, 1, Outcome::kSucceeded, 1s, 1);
  for (std::uint64_t cursor = 1; cursor <= 4; ++cursor) stage.ack("p", 1, cursor);
  EXPECT_FALSE(stage.take({"lease"}).empty());
}

TEST(DeliveryRewind, GoesBackBelowWhatWasAcknowledgedWhereRowsAreKept) {
  Stage stage;
  JobOptions kept = map_job();
  kept.forget_when_delivered = false;
  set_up(stage, 1, kept);
  stage.submit("p", 1, 0, 2);
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1);
  stage.ack("p", 1, 1);
  stage.skip();
  stage.gather("p", 1, 0);  // a repetition of the first question, late
  stage.core().check_invariants();
  EXPECT_THAT(stage.take({"rows"}), ::testing::SizeIs(1));
}

TEST(VentilatorOffers, GivesNobodyWhatItDoesNotOffer) {
  Stage stage;
  set_up(stage, 1);
  stage.add_worker("other", 8, {"g"});
  stage.submit("p", 1, 0, 10);
  for (const std::string& line : stage.take({"lease"}))
    EXPECT_THAT(line, ::testing::HasSubstr(" w: "));
}

TEST(VentilatorPriority, GoesFirstAndEqualOnesTakeTurns) {
  Stage stage;
  stage.add_producer("p");
  stage.add_worker("g-only", 1, {"g"});
  stage.add_worker("w", 2, {"f"}, {0, 1 << 20});  // without credit for now
  JobOptions options = map_job();
  stage.open("p", "low", options);
  stage.open("p", "low2", options);
  options.priority = 1;
  stage.open("p", "high", options);
  for (std::uint64_t job = 1; job <= 3; ++job) stage.submit("p", job, 0, job == 3 ? 1 : 10);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.worker("w").credit.tasks = 4;
  stage.heartbeat("w");
  const auto lines = stage.take({"lease"});
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("lease 3 "));
  EXPECT_THAT(lines[1], ::testing::HasSubstr("lease 1 "));
  EXPECT_THAT(lines[2], ::testing::HasSubstr("lease 2 "));
}

TEST(CoreDurable, ALeaseDoesNotOvertakeOneThatWaits) {
  Stage stage;
  set_up(stage, 4);
  stage.submit("p", 1, 0, 3);
  stage.commits_at_once = false;
  stage.submit("p", 1, 3, 1);
  EXPECT_THAT(stage.take({"lease"}),
              ElementsAre("after w: lease 1 [0,1) t1 with-spec", "after w: lease 1 [1,2) t2 skip=1",
                          "after w: lease 1 [2,3) t3 skip=2", "after w: lease 1 [3,4) t4"));
  // A task of the durable first chunk comes back: its lease waits behind that of [3,4).
  stage.returned("w", 1, {{{0}, 1}});
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("after w: lease 1 [0,1) t5"));
  stage.commit();
  stage.returned("w", 5, {{{0}, 1}});
  EXPECT_THAT(stage.take({"lease"}), ElementsAre("now w: lease 1 [0,1) t6"));
}

TEST(CoreMalformed, ThreeStrikesEndASession) {
  Stage stage;
  const FakeWorker fake = stage.add_worker("w", 1);
  stage.skip();
  for (int i = 0; i < 3; ++i)
    stage.core().step(MalformedArrived{fake.peer, {ErrorCode::kProtocol, "garbage"}}, stage.now());
  EXPECT_EQ(stage.core().view().malformed, 3U);
  EXPECT_TRUE(stage.core().view().workers.empty());
}

}  // namespace
}  // namespace fanmill::broker
