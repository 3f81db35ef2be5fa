// Connections: hello and welcome, silence, reconnects, what is said again.
#include "tests/unit/producer/session_fixture.hpp"

namespace fanmill::producer {
namespace {

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

TEST_F(SessionTest, SaysHeartbeatsAndReconnectsAfterThreeInSilence) {
  running();
  now_ += 2200ms;
  EXPECT_EQ(sent<ProducerHeartbeat>(turn()).size(), 1u);
  hear(HeartbeatReply{.full = true});
  EXPECT_TRUE(session_.broker_is_full());
  hear(HeartbeatReply{});
  EXPECT_FALSE(session_.broker_is_full());
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
