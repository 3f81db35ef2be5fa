// Questions and orders to steer: said until they are answered, told once.
#include "tests/unit/producer/session_fixture.hpp"

namespace fanmill::producer {
namespace {

TEST_F(SessionTest, AQuestionGoesOutOnceWelcomedAndItsAnswerIsToldOnce) {
  const RequestId request = session_.ask(Topic::kJobs, "last", now_);
  EXPECT_TRUE(sent<Ask>(turn()).empty());
  welcome();
  const auto asks = sent<Ask>(turn());
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].request, request.value);
  EXPECT_EQ(asks[0].topic, Topic::kJobs);
  EXPECT_EQ(asks[0].selector, "last");
  hear(Answer{.request = request.value}, kSession, Blob::copy_of("document"));
  hear(Answer{.request = request.value}, kSession, Blob::copy_of("again"));
  turn();
  ASSERT_EQ(told<AnswerArrived>().size(), 1u);
  EXPECT_EQ(told<AnswerArrived>()[0].request, request);
  EXPECT_EQ(told<AnswerArrived>()[0].document.view(), "document");
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<Ask>(turn()).empty()) << "an answered question is said no more";
}

TEST_F(SessionTest, WhatIsNotAnsweredIsSaidAgainAfterASecondAndNotBefore) {
  session_.ask(Topic::kStatus, "", now_);
  welcome();
  ASSERT_EQ(sent<Ask>(turn()).size(), 1u);
  now_ += limits::kResendAfter - 1ms;
  SessionDuties d = turn();
  EXPECT_TRUE(sent<Ask>(d).empty());
  ASSERT_TRUE(d.wake_at.has_value());
  EXPECT_EQ(*d.wake_at, now_ + 1ms);
  now_ += 1ms;
  EXPECT_EQ(sent<Ask>(turn()).size(), 1u);
}

TEST_F(SessionTest, AnUnansweredOrderIsSaidAgainInTheNextSession) {
  welcome();
  turn();
  const RequestId request = session_.steer({kJob, JobId{43}}, Steering::kCancel, 5000, now_);
  ASSERT_EQ(sent<Steer>(turn()).size(), 1u);
  session_.garbled({ErrorCode::kProtocol, "x"}, now_);
  now_ += limits::kReconnectMax;
  turn();
  welcome(SessionId{9});
  const SessionDuties d = turn();
  const auto steers = sent<Steer>(d);
  ASSERT_EQ(steers.size(), 1u);
  EXPECT_EQ(steers[0].request, request.value);
  EXPECT_EQ(steers[0].jobs, (std::vector<JobId>{kJob, JobId{43}}));
  EXPECT_EQ(steers[0].action, Steering::kCancel);
  EXPECT_EQ(steers[0].grace_ms, 5000u);
  EXPECT_EQ(d.send.back().session, SessionId{9});
}

TEST_F(SessionTest, AnOrderWaitsUntilTheOneBeforeItIsAnswered) {
  welcome();
  turn();
  const RequestId pause = session_.steer({kJob}, Steering::kPause, 0, now_);
  const RequestId resume = session_.steer({kJob}, Steering::kResume, 0, now_);
  session_.ask(Topic::kJobs, "all", now_);
  SessionDuties d = turn();
  ASSERT_EQ(sent<Steer>(d).size(), 1u);
  EXPECT_EQ(sent<Steer>(d)[0].request, pause.value);
  EXPECT_EQ(sent<Ask>(d).size(), 1u) << "questions do not wait";
  ASSERT_TRUE(d.wake_at.has_value());
  EXPECT_EQ(*d.wake_at, now_ + limits::kResendAfter) << "what may not go out is not due";
  hear(Answer{.request = pause.value});
  d = turn();
  ASSERT_EQ(sent<Steer>(d).size(), 1u);
  EXPECT_EQ(sent<Steer>(d)[0].request, resume.value);
}

TEST_F(SessionTest, ARefusalEndsItsRequestAndNoOtherAndNoJob) {
  running();
  const RequestId first = session_.ask(Topic::kJobs, "nobody", now_);
  const RequestId second = session_.ask(Topic::kJobs, "last", now_);
  EXPECT_NE(first, second);
  turn();
  hear(Refused{.code = ErrorCode::kNotFound, .message = "no such job", .request = first.value});
  turn();
  ASSERT_EQ(told<RequestRefused>().size(), 1u);
  EXPECT_EQ(told<RequestRefused>()[0].request, first);
  EXPECT_EQ(told<RequestRefused>()[0].error.code, ErrorCode::kNotFound);
  EXPECT_TRUE(told<JobRefused>().empty());
  now_ += limits::kResendAfter;
  const auto asks = sent<Ask>(turn());
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].request, second.value);
}

TEST_F(SessionTest, ABrokerOfAnotherVersionRefusesRequestsToo) {
  const RequestId request = session_.ask(Topic::kStatus, "", now_);
  greet();
  hear(Refused{.code = ErrorCode::kVersion, .message = "version 2 here"}, SessionId{});
  turn();
  ASSERT_EQ(told<RequestRefused>().size(), 1u);
  EXPECT_EQ(told<RequestRefused>()[0].request, request);
}

TEST_F(SessionTest, ADroppedRequestIsNeitherSaidNorTold) {
  welcome();
  turn();
  const RequestId request = session_.ask(Topic::kWorkers, "", now_);
  turn();
  session_.drop(request);
  hear(Answer{.request = request.value}, kSession, Blob::copy_of("late"));
  now_ += limits::kResendAfter;
  EXPECT_TRUE(sent<Ask>(turn()).empty());
  EXPECT_TRUE(told<AnswerArrived>().empty());
}

TEST_F(SessionTest, AnswersInAnotherSessionAreIgnored) {
  welcome();
  turn();
  const RequestId request = session_.ask(Topic::kWorkers, "", now_);
  turn();
  hear(Answer{.request = request.value}, SessionId{99}, Blob::copy_of("of another"));
  turn();
  EXPECT_TRUE(told<AnswerArrived>().empty());
}

}  // namespace
}  // namespace fanmill::producer
