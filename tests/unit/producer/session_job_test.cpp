// One job: submitting under credit, reading by cursor, closing, cancelling, ending.
#include "tests/unit/producer/session_fixture.hpp"

namespace fanmill::producer {
namespace {

TEST_F(SessionTest, SubmitsInOrderAndForgetsWhatIsAccepted) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 10), now_);
  session_.submit(job, chunk(10, 5), now_);
  const auto submits = sent<Submit>(turn());
  ASSERT_EQ(submits.size(), 2u);
  EXPECT_EQ(submits[0].first.value, 0u);
  EXPECT_EQ(submits[1].first.value, 10u);
  EXPECT_EQ(submits[1].count, 5u);
  hear(Accepted{.job = kJob, .next_index = 15, .credit = {1000, 100000}});
  EXPECT_EQ(session_.accepted(job), 15u);
  now_ += limits::kResendAfter * 3;
  EXPECT_TRUE(sent<Submit>(turn()).empty());
}

TEST_F(SessionTest, GoesBackToTheOldestUnacceptedChunkWithoutProgress) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 10), now_);
  session_.submit(job, chunk(10, 5), now_);
  session_.submit(job, chunk(15, 5), now_);
  turn();
  now_ += 500ms;
  hear(Accepted{.job = kJob, .next_index = 10, .credit = {1000, 100000}});
  now_ += 500ms;
  EXPECT_TRUE(sent<Submit>(turn()).empty()) << "progress puts the repetition off";
  now_ += 500ms;
  const auto again = sent<Submit>(turn());
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].first.value, 10u);
  EXPECT_EQ(again[1].first.value, 15u);
}

TEST_F(SessionTest, NeverSendsBeyondItsCredit) {
  const JobHandle job = running(RowOrder::kInput, {12, 100000});
  session_.submit(job, chunk(0, 10), now_);
  ASSERT_TRUE(session_.may_submit(job));
  session_.submit(job, chunk(10, 5), now_);
  EXPECT_FALSE(session_.may_submit(job));
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
  hear(Accepted{.job = kJob, .next_index = 10, .credit = {14, 100000}});
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  hear(Accepted{.job = kJob, .next_index = 10, .credit = {15, 100000}});
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
}

TEST_F(SessionTest, CountsCreditInBytesToo) {
  const std::size_t ten = chunk(0, 10).bytes.size();
  const JobHandle job = running(RowOrder::kInput, {1000, ten * 2 - 1});
  session_.submit(job, chunk(0, 10), now_);
  session_.submit(job, chunk(10, 10), now_);
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
}

TEST_F(SessionTest, SendsAChunkBeyondTheWholeWindowAloneOnceAllElseIsFinished) {
  const JobHandle job = running(RowOrder::kInput, {1000, 30});
  session_.submit(job, chunk(0, 10), now_);
  const std::size_t ten = chunk(0, 10).bytes.size();
  session_.submit(job, chunk(10, 100), now_);
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
  hear(Accepted{.job = kJob, .next_index = 10, .credit = {1000, 30}});
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  hear(Accepted{.job = kJob, .next_index = 10, .credit = {1010, 30 + ten}});
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
}

TEST_F(SessionTest, HoldsFewChunksUnacknowledged) {
  const JobHandle job = running();
  int n = 0;
  while (session_.may_submit(job)) session_.submit(job, chunk(static_cast<unsigned>(n++), 1), now_);
  EXPECT_GE(n, 8);
  EXPECT_LE(n, 64);
}

TEST_F(SessionTest, OlderCreditTakesNothingBack) {
  const JobHandle job = running(RowOrder::kInput, {100, 1000});
  hear(Accepted{.job = kJob, .next_index = 0, .credit = {10, 10}});
  session_.submit(job, chunk(0, 20), now_);
  EXPECT_EQ(sent<Submit>(turn()).size(), 1u);
}

TEST_F(SessionTest, ClosesBehindTheLastChunkAndUntilAcknowledged) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 3), now_);
  session_.close(job, now_);
  EXPECT_FALSE(session_.may_submit(job));
  const SessionDuties d = turn();
  ASSERT_EQ(sent<CloseJob>(d).size(), 1u);
  EXPECT_EQ(sent<CloseJob>(d)[0].total, 3u);
  EXPECT_TRUE(std::holds_alternative<CloseJob>(d.send.back().message));
  now_ += limits::kResendAfter;
  EXPECT_EQ(sent<CloseJob>(turn()).size(), 1u);
  hear(Accepted{.job = kJob, .next_index = 3, .closed = true, .credit = {1000, 100000}});
  now_ += limits::kResendAfter * 2;
  EXPECT_TRUE(sent<CloseJob>(turn()).empty());
}

TEST_F(SessionTest, HandsRowsOverOnceAndInCursorOrder) {
  running();
  hear(rows(0, 4));
  hear(rows(0, 4));
  hear(rows(6, 2));
  hear(rows(4, 2));
  turn();
  const auto got = told<RowsArrived>();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].rows.position, 0u);
  EXPECT_EQ(got[1].rows.position, 4u);
}

TEST_F(SessionTest, AcknowledgesOnlyWhatIsTakenCareOf) {
  const JobHandle job = running();
  hear(rows(0, 4));
  hear(rows(4, 4));
  EXPECT_TRUE(sent<GatherAck>(turn()).empty());
  session_.rows_done(job, 4, now_);
  const auto acks = sent<GatherAck>(turn());
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].cursor, 4u);
  EXPECT_TRUE(sent<GatherAck>(turn()).empty());
}

TEST_F(SessionTest, PutsAcknowledgementsOffUntilTheDelayIsOverOrManyAreDue) {
  session_ =
      Session({.instance = kInstance, .host = "here", .pid = 1, .seed = 3, .ack_delay = 5ms}, now_);
  const JobHandle job = running();
  hear(rows(0, 1));
  session_.rows_done(job, 1, now_);
  EXPECT_TRUE(sent<GatherAck>(turn()).empty());
  now_ += 5ms;
  EXPECT_EQ(sent<GatherAck>(turn()).size(), 1u);
  for (std::uint64_t i = 1; i <= limits::kAcksAtOnce; ++i) {
    hear(rows(i, 1));
    session_.rows_done(job, i + 1, now_);
    EXPECT_EQ(sent<GatherAck>(turn()).size(), i == limits::kAcksAtOnce ? 1u : 0u) << i;
  }
}

TEST_F(SessionTest, AsksForLostRowsAgainWithoutProgress) {
  const JobHandle job = running();
  hear(rows(0, 4));
  session_.rows_done(job, 4, now_);
  turn();
  now_ += limits::kResendAfter;
  const SessionDuties d = turn();
  ASSERT_EQ(sent<Gather>(d).size(), 1u);
  EXPECT_EQ(sent<Gather>(d)[0].cursor, 4u);
  ASSERT_EQ(sent<GatherAck>(d).size(), 1u) << "the acknowledgement may be what was lost";
}

TEST_F(SessionTest, ASlowUserIsNoStandstill) {
  const JobHandle job = running();
  hear(rows(0, 4));
  turn();
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<Gather>(turn()).empty());
  session_.rows_done(job, 4, now_);
  turn();
  now_ += limits::kResendAfter;
  EXPECT_EQ(sent<Gather>(turn()).size(), 1u);
}

TEST_F(SessionTest, RowsThatContradictThemselvesEndTheConnection) {
  running();
  Rows bad = rows(0, 4);
  bad.batch_count = 3;
  hear(bad);
  turn();
  EXPECT_TRUE(told<RowsArrived>().empty());
  EXPECT_FALSE(session_.is_connected());
}

TEST_F(SessionTest, EndsOnceWithTheBrokersCounts) {
  running();
  hear(JobEnded{.job = kJob, .counts = {.accepted = 2, .succeeded = 2}});
  hear(JobEnded{.job = kJob, .counts = {.accepted = 2, .succeeded = 2}});
  turn();
  ASSERT_EQ(told<Ended>().size(), 1u);
  EXPECT_EQ(told<Ended>()[0].counts.succeeded, 2u);
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<Gather>(turn()).empty()) << "nothing is asked for any more";
}

TEST_F(SessionTest, ARefusedJobIsOver) {
  const JobHandle job = open();
  welcome();
  turn();
  hear(Refused{.key = "key", .code = ErrorCode::kUnknownFunction, .message = "no worker offers f"});
  turn();
  ASSERT_EQ(told<JobRefused>().size(), 1u);
  EXPECT_EQ(told<JobRefused>()[0].error.code, ErrorCode::kUnknownFunction);
  EXPECT_FALSE(session_.may_submit(job));
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<OpenJob>(turn()).empty());
}

TEST_F(SessionTest, CancelIsRepeatedUntilTheJobShowsIt) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 3), now_);
  turn();
  session_.cancel(job, CancelJob::kNoKill, now_);
  EXPECT_FALSE(session_.may_submit(job));
  auto cancels = sent<CancelJob>(turn());
  ASSERT_EQ(cancels.size(), 1u);
  EXPECT_EQ(cancels[0].grace_ms, CancelJob::kNoKill);
  now_ += limits::kResendAfter;
  const SessionDuties d = turn();
  EXPECT_EQ(sent<CancelJob>(d).size(), 1u);
  EXPECT_TRUE(sent<Submit>(d).empty()) << "nothing is submitted again";
  hear(Accepted{.job = kJob, .next_index = 3, .closed = true, .credit = {1000, 100000}});
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<CancelJob>(turn()).empty());
}

TEST_F(SessionTest, ACancelledJobIsNotClosedByItsProducer) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 3), now_);
  turn();
  session_.close(job, now_);
  session_.cancel(job, 0, now_);
  EXPECT_TRUE(sent<CloseJob>(turn()).empty());
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<CloseJob>(turn()).empty()) << "its total might contradict what arrived";
}

TEST_F(SessionTest, OfABrokerThatLostItsJobTheEmptyOneInItsPlaceIsCancelled) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 3), now_);
  turn();
  session_.garbled({ErrorCode::kUnreachable, "gone"}, now_);
  now_ += limits::kReconnectMax;
  turn();
  current_ = SessionId{6};
  welcome(current_);
  turn();
  opened(0, {1000, 100000}, JobId{43});
  const auto cancels = sent<CancelJob>(turn());
  ASSERT_EQ(cancels.size(), 1u);
  EXPECT_EQ(cancels[0].job, JobId{43});
  ASSERT_EQ(told<JobRefused>().size(), 1u);
  EXPECT_EQ(told<JobRefused>()[0].error.code, ErrorCode::kUnreachable);
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<CancelJob>(turn()).empty());
}

}  // namespace
}  // namespace fanmill::producer
