// The producer's session against a scripted broker: every message is written down here, time is a
// number.
#include "producer/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

class SessionTest : public ::testing::Test {
 protected:
  static constexpr InstanceId kInstance{77};
  static constexpr SessionId kSession{5};
  static constexpr JobId kJob{42};

  SessionTest()
      : session_({.instance = kInstance,
                  .host = "here",
                  .pid = 1,
                  .seed = 3,
                  .ack_delay = nanoseconds(0)},
                 now_) {}

  SessionDuties turn() {
    SessionDuties d = session_.take_duties(now_);
    for (Notice& n : d.notices) notices_.push_back(std::move(n));
    return d;
  }
  // The messages of one kind among those sent now; the others are dropped.
  template <class M>
  std::vector<M> sent(const SessionDuties& d) {
    std::vector<M> out;
    for (const ToSend& s : d.send) {
      if (const auto* m = std::get_if<M>(&s.message)) out.push_back(*m);
    }
    return out;
  }
  template <class N>
  std::vector<N> told() {
    std::vector<N> out;
    for (const Notice& n : notices_) {
      if (const auto* m = std::get_if<N>(&n)) out.push_back(*m);
    }
    return out;
  }
  void hear(ToProducer message, SessionId in = kSession, Blob blob = {}) {
    session_.message({in, std::move(message)}, blob, now_);
  }
  std::uint32_t greet() {
    session_.connected(now_);
    return sent<ProducerHello>(turn()).at(0).attempt;
  }
  void welcome(SessionId in = kSession) {
    const std::uint32_t attempt = greet();
    hear(ProducerWelcome{.instance = kInstance, .attempt = attempt, .heartbeat_ms = 2000}, in);
  }
  JobHandle open(RowOrder order = RowOrder::kInput) {
    return session_.open("key", {.spec = {.function = "f"}}, order, now_);
  }
  void opened(std::uint64_t next = 0, Credit credit = {1000, 100000}, JobId job = kJob) {
    hear(JobOpened{.key = "key", .job = job, .next_index = next, .credit = credit}, current_);
  }
  // Tuples [[from], [from + 1], …].
  static ChunkBuilder::Chunk chunk(std::uint64_t from, std::uint64_t count) {
    ChunkBuilder builder;
    for (std::uint64_t i = 0; i < count; ++i) {
      append_msgpack(builder.bytes(), Array{Value(static_cast<std::int64_t>(from + i))});
      builder.tuple_done();
    }
    return builder.take();
  }
  static Rows rows(std::uint64_t first, std::uint64_t count) {
    return {.job = kJob,
            .position = first,
            .next = first + count,
            .batch_first = {first},
            .batch_count = count,
            .first = {first},
            .count = count};
  }
  // Welcomed, opened, the opening messages taken.
  JobHandle running(RowOrder order = RowOrder::kInput, Credit credit = {1000, 100000}) {
    const JobHandle job = open(order);
    welcome();
    turn();
    opened(0, credit);
    turn();
    return job;
  }

  MonoTime now_{1h};
  SessionId current_ = kSession;
  Session session_;
  std::vector<Notice> notices_;
};

TEST_F(SessionTest, AsksForAConnectionOnceAndSaysHelloOnIt) {
  EXPECT_TRUE(turn().reconnect);
  EXPECT_FALSE(turn().reconnect);
  session_.connected(now_);
  const SessionDuties d = turn();
  ASSERT_EQ(d.send.size(), 1u);
  const auto& hello = std::get<ProducerHello>(d.send[0].message);
  EXPECT_EQ(hello.instance, kInstance);
  EXPECT_EQ(hello.attempt, 1u);
  EXPECT_EQ(d.send[0].session, SessionId{});
  EXPECT_FALSE(session_.is_connected());
}

TEST_F(SessionTest, OpensItsJobsOnceWelcomed) {
  open();
  EXPECT_TRUE(sent<OpenJob>(turn()).empty());
  welcome();
  EXPECT_TRUE(session_.is_connected());
  const SessionDuties d = turn();
  const auto opens = sent<OpenJob>(d);
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].key, "key");
  EXPECT_EQ(d.send.back().session, kSession);
  now_ += limits::kResendAfter;
  EXPECT_EQ(sent<OpenJob>(turn()).size(), 1u) << "a lost OpenJob is said again";
}

TEST_F(SessionTest, GathersFromTheStartOnceOpened) {
  const JobHandle job = open(RowOrder::kAsCompleted);
  welcome();
  turn();
  EXPECT_FALSE(session_.may_submit(job));
  opened();
  const auto gathers = sent<Gather>(turn());
  ASSERT_EQ(gathers.size(), 1u);
  EXPECT_EQ(gathers[0].cursor, 0u);
  EXPECT_EQ(gathers[0].order, RowOrder::kAsCompleted);
  EXPECT_EQ(told<Opened>().size(), 1u);
  EXPECT_TRUE(session_.may_submit(job));
  opened();
  turn();
  EXPECT_EQ(told<Opened>().size(), 1u) << "told once";
}

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

TEST_F(SessionTest, SaysHeartbeatsAndReconnectsAfterThreeInSilence) {
  running();
  now_ += 2200ms;
  EXPECT_EQ(sent<ProducerHeartbeat>(turn()).size(), 1u);
  hear(HeartbeatReply{});
  now_ += 5900ms;
  EXPECT_FALSE(turn().reconnect);
  EXPECT_TRUE(session_.is_connected());
  now_ += 200ms;
  SessionDuties d = turn();
  EXPECT_FALSE(session_.is_connected());
  EXPECT_TRUE(sent<ProducerHeartbeat>(d).empty());
  ASSERT_TRUE(d.wake_at.has_value());
  EXPECT_LE(*d.wake_at, now_ + limits::kReconnectMin);
  now_ = *d.wake_at;
  EXPECT_TRUE(turn().reconnect);
}

TEST_F(SessionTest, BacksOffLongerWithEveryConnectionThatBringsNoWelcome) {
  ASSERT_TRUE(turn().reconnect);
  std::vector<nanoseconds> waits;
  for (int i = 0; i < 8; ++i) {
    session_.connected(now_);
    now_ = *turn().wake_at;  // the greeting's end
    const SessionDuties d = turn();
    ASSERT_TRUE(d.wake_at.has_value());
    waits.push_back(*d.wake_at - now_);
    now_ = *d.wake_at;
    ASSERT_TRUE(turn().reconnect);
  }
  EXPECT_LE(waits.front(), limits::kReconnectMin);
  EXPECT_GE(waits.back(), limits::kReconnectMax / 2);
  EXPECT_LE(waits.back(), limits::kReconnectMax);
}

TEST_F(SessionTest, AWelcomeOfAnEarlierAttemptIsIgnored) {
  const std::uint32_t first = greet();
  session_.garbled({ErrorCode::kProtocol, "x"}, now_);
  now_ += limits::kReconnectMax;
  turn();
  const std::uint32_t second = greet();
  EXPECT_EQ(second, first + 1);
  hear(ProducerWelcome{.instance = kInstance, .attempt = first, .heartbeat_ms = 2000},
       SessionId{1});
  EXPECT_FALSE(session_.is_connected());
}

TEST_F(SessionTest, SaysEverythingUnacknowledgedAgainInItsNextSession) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 10), now_);
  session_.submit(job, chunk(10, 10), now_);
  hear(rows(0, 4));
  session_.rows_done(job, 2, now_);
  session_.close(job, now_);
  turn();
  session_.garbled({ErrorCode::kProtocol, "x"}, now_);
  now_ += limits::kReconnectMax;
  ASSERT_TRUE(turn().reconnect);
  current_ = SessionId{9};
  welcome(current_);
  SessionDuties d = turn();
  ASSERT_EQ(sent<OpenJob>(d).size(), 1u);
  EXPECT_TRUE(sent<Submit>(d).empty()) << "not before the broker has said where it stands";
  opened(10);
  d = turn();
  ASSERT_EQ(sent<Submit>(d).size(), 1u);
  EXPECT_EQ(sent<Submit>(d)[0].first.value, 10u);
  EXPECT_EQ(sent<CloseJob>(d).size(), 1u);
  ASSERT_EQ(sent<Gather>(d).size(), 1u);
  EXPECT_EQ(sent<Gather>(d)[0].cursor, 4u);
  ASSERT_EQ(sent<GatherAck>(d).size(), 1u);
  EXPECT_EQ(sent<GatherAck>(d)[0].cursor, 2u);
  for (const ToSend& s : d.send) EXPECT_EQ(s.session, current_);
}

TEST_F(SessionTest, SaysHelloAgainWhenItsSessionIsUnknown) {
  running();
  hear(UnknownSession{}, SessionId{});
  EXPECT_TRUE(sent<ProducerHello>(turn()).empty())
      << "an answer to an earlier session, right after the welcome";
  now_ += 500ms;
  hear(UnknownSession{}, SessionId{});
  const auto hellos = sent<ProducerHello>(turn());
  ASSERT_EQ(hellos.size(), 1u);
  EXPECT_EQ(hellos[0].attempt, 2u);
  EXPECT_FALSE(session_.is_connected());
}

TEST_F(SessionTest, MessagesOfAnotherSessionAreIgnored) {
  running();
  hear(rows(0, 4), SessionId{99});
  hear(JobEnded{.job = kJob}, SessionId{99});
  turn();
  EXPECT_TRUE(told<RowsArrived>().empty());
  EXPECT_TRUE(told<Ended>().empty());
}

TEST_F(SessionTest, ABrokerThatLostTheJobEndsItByName) {
  running();
  session_.garbled({ErrorCode::kProtocol, "x"}, now_);
  now_ += limits::kReconnectMax;
  turn();
  current_ = SessionId{9};
  welcome(current_);
  turn();
  opened(0, {1000, 1000}, JobId{43});
  turn();
  ASSERT_EQ(told<JobRefused>().size(), 1u);
  EXPECT_EQ(told<JobRefused>()[0].error.code, ErrorCode::kUnreachable);
}

TEST_F(SessionTest, AJobForgottenAfterItsLastAcknowledgementHasEnded) {
  const JobHandle job = running();
  session_.submit(job, chunk(0, 4), now_);
  session_.close(job, now_);
  turn();
  hear(Accepted{.job = kJob, .next_index = 4, .closed = true, .credit = {1000, 100000}});
  hear(rows(0, 4));
  session_.rows_done(job, 4, now_);
  turn();
  session_.garbled({ErrorCode::kProtocol, "x"}, now_);
  now_ += limits::kReconnectMax;
  turn();
  current_ = SessionId{9};
  welcome(current_);
  const SessionDuties d = turn();
  EXPECT_TRUE(sent<OpenJob>(d).empty()) << "it would begin another job";
  EXPECT_EQ(sent<GatherAck>(d).size(), 1u);
  hear(Refused{.job = kJob, .code = ErrorCode::kNotFound, .message = "no such job"}, current_);
  turn();
  ASSERT_EQ(told<Ended>().size(), 1u);
  EXPECT_EQ(told<Ended>()[0].counts.succeeded, 4u);
}

TEST_F(SessionTest, AResumedKeySkipsWhatTheBrokerHas) {
  const JobHandle job = open();
  welcome();
  turn();
  opened(7);
  turn();
  session_.submit(job, chunk(0, 5), now_);
  EXPECT_TRUE(sent<Submit>(turn()).empty());
  session_.submit(job, chunk(5, 5), now_);
  const SessionDuties d = turn();
  const auto submits = sent<Submit>(d);
  ASSERT_EQ(submits.size(), 1u);
  EXPECT_EQ(submits[0].first.value, 7u);
  EXPECT_EQ(submits[0].count, 3u);
  EXPECT_EQ(d.send[0].blob.view(), chunk(7, 3).bytes);
}

TEST_F(SessionTest, StatusAndEventsReachTheUser) {
  running();
  hear(JobStatus{.job = kJob, .counts = {.accepted = 3}});
  hear(JobEvent{.job = kJob, .index = {2}, .outcome = Outcome::kCrashed, .attempt = 1, .limit = 3},
       kSession, Blob::copy_of("columns"));
  turn();
  ASSERT_EQ(told<StatusArrived>().size(), 1u);
  ASSERT_EQ(told<EventArrived>().size(), 1u);
  EXPECT_EQ(told<EventArrived>()[0].blob.view(), "columns");
}

TEST_F(SessionTest, GoodbyeIsTheLastWord) {
  const JobHandle job = running();
  hear(rows(0, 4));
  turn();
  session_.rows_done(job, 4, now_);
  session_.goodbye(now_);
  const SessionDuties d = turn();
  ASSERT_FALSE(d.send.empty());
  EXPECT_EQ(sent<GatherAck>(d).size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Goodbye>(d.send.back().message));
  EXPECT_FALSE(d.wake_at.has_value());
  now_ += 1h;
  const SessionDuties later = turn();
  EXPECT_TRUE(later.send.empty());
  EXPECT_FALSE(later.reconnect);
}

}  // namespace
}  // namespace fanmill::producer
