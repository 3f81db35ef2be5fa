#include "agent_harness.hpp"

namespace fanmill::worker {
namespace {

// Two slots, welcomed with the first alone.
struct OneSlotIsLate : Harness {
  OneSlotIsLate() : Harness(2) {
    connect();
    ready(0);
    pass(2s);
    expect_sent<WorkerHello>();
    welcome();
    duties.clear();
  }
};

TEST(AgentHello, WaitsUntilEverySlotIsReadyAndOffersTheirUnion) {
  Harness h(2);
  h.connect();
  h.ready(0, true, "f");
  EXPECT_TRUE(h.sent.empty());
  h.ready(1, true, "g");
  SessionId session{1};
  const auto hello = h.expect_sent<WorkerHello>(nullptr, &session);
  EXPECT_EQ(session, SessionId{});
  EXPECT_EQ(hello.attempt, 1u);
  EXPECT_EQ(hello.slots, 2u);
  ASSERT_EQ(hello.offers.size(), 2u);
  EXPECT_EQ(hello.offers[1].name, "g");
  EXPECT_EQ(hello.credit, (Credit{1000, 1'000'000}));
  EXPECT_TRUE(h.sent.empty());
}

TEST(AgentHello, LeavesAfterTwoSecondsWithTheSlotsThatAreReady) {
  Harness h(2);
  h.connect();
  h.ready(0);
  h.pass(1999ms);
  EXPECT_TRUE(h.sent.empty());
  h.pass(1ms);
  EXPECT_EQ(h.expect_sent<WorkerHello>().offers.size(), 1u);
}

TEST(AgentHello, IsSaidAgainOnTheSameChannelWhenOffersChange) {
  OneSlotIsLate h;
  h.lease(make_lease(1, 5, 0, 4));
  h.ready(1, true, "g");
  const auto hello = h.expect_sent<WorkerHello>();
  EXPECT_EQ(hello.attempt, 2u);
  EXPECT_EQ(hello.offers.size(), 2u);
  ASSERT_EQ(hello.claims.size(), 1u);
  EXPECT_EQ(hello.claims[0].token, token(5));
  EXPECT_FALSE(h.reconnect);
}

TEST(AgentHello, TheSameOffersOfALateSlotChangeNothing) {
  OneSlotIsLate h;
  h.ready(1);
  h.silent();
}

TEST(AgentHello, IsRepeatedUnansweredAndThenTriedOnAnotherChannel) {
  Harness h(1);
  h.ready(0);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 1u);
  h.pass(1s);
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 1u);
  h.pass(1s);
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 1u);
  h.pass(1s);
  EXPECT_TRUE(h.sent.empty());
  h.pass(100ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 2u);
}

TEST(AgentHello, AWelcomeForAnotherAttemptOrInstanceIsIgnored) {
  Harness h(1);
  h.ready(0);
  h.connect();
  h.welcome(2);
  h.from_broker(WorkerWelcome{{98}, 1, 2000, 6000, {}});
  h.welcome(1, {}, SessionId{});
  EXPECT_FALSE(h.core.view().connected);
  h.welcome(1);
  EXPECT_TRUE(h.core.view().connected);
}

TEST(AgentBackoff, GrowsFromATenthOfASecondToTwoSecondsWithJitter) {
  Harness h(1);
  h.ready(0);
  h.connect();
  nanoseconds longest = 100ms;
  for (int i = 0; i < 9; ++i) {
    h.step(BrokerLost{});
    EXPECT_FALSE(h.reconnect);
    ASSERT_TRUE(h.wake_at);
    EXPECT_GE(*h.wake_at - h.now, longest / 2);
    EXPECT_LE(*h.wake_at - h.now, longest);
    h.pass(longest);
    h.connect();
    longest = std::min<nanoseconds>(longest * 2, 2s);
  }
  h.welcome(10);
  h.step(BrokerLost{});
  EXPECT_LE(*h.wake_at - h.now, 100ms);  // a welcome begins anew
}

TEST(AgentHeartbeat, NamesCreditHeldLeasesAndWhatRuns) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.lease(make_lease(3, 6, 3, 2));  // number 2 is late
  h.duties.clear();
  h.step(ExecutorProgress{0, 1, 0});
  h.pass(2200ms);
  const auto heartbeat = h.expect_sent<WorkerHeartbeat>();
  EXPECT_EQ(heartbeat.leases_seen, 3u);
  EXPECT_EQ(heartbeat.reports_sent, 0u);
  EXPECT_EQ(heartbeat.held_count, 2u);
  EXPECT_EQ(heartbeat.held_digest, digest_of(token(5)) ^ digest_of(token(6)));
  EXPECT_EQ(heartbeat.credit.tasks, 1000u);
  ASSERT_EQ(heartbeat.running.size(), 1u);
  EXPECT_EQ(heartbeat.running[0].index.value, 0u);
  EXPECT_EQ(heartbeat.running[0].token, token(5));
  EXPECT_FALSE(heartbeat.list_attached);
  h.silent();
}

TEST(AgentHeartbeat, DoesNotNameATaskThatIsNotKnownToHaveStarted) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.pass(2200ms);
  EXPECT_TRUE(h.expect_sent<WorkerHeartbeat>().running.empty());
}

TEST(AgentHeartbeat, CarriesTheListWhenItIsWantedAndALeaseThatComesLaterStaysOut) {
  Harness h(1);
  h.start();
  h.lease(make_lease(2, 6, 3, 2));
  h.duties.clear();
  h.reply(true);
  const auto heartbeat = h.expect_sent<WorkerHeartbeat>();
  EXPECT_TRUE(heartbeat.list_attached);
  EXPECT_EQ(heartbeat.held, std::vector<AttemptToken>{token(6)});
  h.lease(make_lease(1, 5, 0, 3));
  EXPECT_EQ(h.core.view().held_leases, 1u);
  h.lease(make_lease(3, 7, 9, 3));
  EXPECT_EQ(h.core.view().held_leases, 2u);
}

TEST(AgentHeartbeat, ThreeWithoutAnswerEndTheSession) {
  Harness h(1);
  h.start();
  h.pass(6600ms);
  for (int i = 0; i < 3; ++i) h.expect_sent<WorkerHeartbeat>();
  h.silent();
  EXPECT_TRUE(h.core.view().connected);
  h.pass(2400ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 2u);
}

TEST(AgentHeartbeat, AnsweredOnesKeepTheSession) {
  Harness h(1);
  h.start();
  for (int i = 0; i < 100; ++i) {
    h.pass(1s);
    h.reply();
  }
  EXPECT_TRUE(h.core.view().connected);
  EXPECT_FALSE(h.reconnect);
}

TEST(AgentSession, UnknownSessionIsAnsweredByAnotherHello) {
  Harness h(1);
  h.start();
  h.from_broker(UnknownSession{}, {}, SessionId{});
  h.pass(100ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().attempt, 2u);
}

TEST(AgentSession, MessagesOfAnEarlierSessionAreIgnored) {
  Harness h(1);
  h.start();
  const LeaseMade made = make_lease(1, 5, 0, 3);
  h.from_broker(made.lease, made.blob, SessionId{40});
  h.from_broker(UnknownSession{}, {}, SessionId{40});
  h.from_broker(Recall{1, {}, 3}, {}, SessionId{40});
  h.silent();
  EXPECT_TRUE(h.core.view().connected);
}

TEST(AgentSession, ClaimsWhatItHoldsAndDropsWhatIsNotKept) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.lease(make_lease(2, 6, 3, 3));
  h.duties.clear();
  h.step(ExecutorProgress{0, 1, 0});  // task 0 runs
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  const auto hello = h.expect_sent<WorkerHello>();
  ASSERT_EQ(hello.claims.size(), 2u);
  EXPECT_EQ(hello.claims[0].unfinished, (std::vector<IndexRange>{{{0}, 3}}));
  h.welcome(2, {token(6)}, SessionId{42});
  EXPECT_EQ(h.core.view().held_leases, 1u);
  EXPECT_EQ(h.core.view().queued_tasks, 3u);
  // What runs may still succeed.
  h.done(0, 0, 1);
  h.expect_results(0, 1);
}

TEST(AgentSession, AFailureOfALeaseThatWasNotKeptIsNotReported) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  h.duties.clear();
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  h.expect_sent<WorkerHello>();
  h.welcome(2, {}, SessionId{42});
  h.duties.clear();
  h.step(ExecutorDied{0, 1, 0, -1, 11, "", ""});
  h.expect_duty<StartExecutor>();
  h.silent();
}

TEST(AgentLeaseDeadline, NothingStartsAfterItAndWhatRunsFinishes) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.duties.clear();
  h.done(0, 0, 1, 300us);  // 1 and 2, 3 are at the executor now
  h.sent.clear();
  h.duties.clear();
  h.pass(5999ms);
  h.duties.clear();
  h.sent.clear();
  h.pass(1ms);  // six seconds after the hello, and nothing was answered
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 1u);
  h.step(ExecutorFreed{0, 2});
  h.done(0, 1, 1, 300us);
  h.step(ExecutorStopped{0, 2});
  EXPECT_TRUE(h.duties.empty());
  EXPECT_EQ(h.core.view().busy_slots, 0u);
  EXPECT_EQ(h.core.view().queued_tasks, 8u);
}

TEST(AgentLeaseDeadline, CountsFromTheSendingOfTheHeartbeatThatWasAnswered) {
  Harness h(1);
  h.start();
  h.pass(2200ms);
  h.expect_sent<WorkerHeartbeat>();  // sent at 1.8 s to 2.2 s
  h.reply();
  h.pass(5000ms);  // 7.2 s: the welcome's lease is over, the heartbeat's is not
  h.lease(make_lease(1, 5, 0, 2));
  h.expect_sent<WorkerHeartbeat>();
  h.expect_sent<WorkerHeartbeat>();
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.pass(1001ms);
  h.sent.clear();
  h.expect_duty<LowerEnd>();
  h.step(ExecutorFreed{0, 1});
  h.done(0, 0, 1);
  EXPECT_TRUE(h.duties.empty());
}

TEST(AgentLeaseDeadline, IsNotMovedByARepeatedAnswer) {
  Harness h(1);
  h.start();
  h.pass(2200ms);
  h.reply();
  const std::uint64_t first = h.heartbeats;
  h.pass(4ms);
  h.pass(5s);  // another two heartbeats are out, and nobody answered them
  ASSERT_GT(h.heartbeats, first);
  h.from_broker(HeartbeatReply{false, first});
  h.pass(1100ms);  // six seconds after the one that was answered
  h.lease(make_lease(1, 5, 0, 2));
  EXPECT_TRUE(h.duties.empty());
}

TEST(AgentLeaseDeadline, AnAnswerLetsWorkGoOn) {
  Harness h(1);
  h.start();
  h.pass(6500ms);
  h.lease(make_lease(1, 5, 0, 2));
  EXPECT_TRUE(h.duties.empty());
  h.reply();
  h.expect_duty<DealBind>();
}

TEST(AgentCredit, IsWhatWasReceivedPlusTheFreePartOfTheWindow) {
  Harness h(1, {100, 10'000});
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.duties.clear();
  h.done(0, 0, 1);
  EXPECT_EQ(h.expect_results(0, 1).credit.tasks, 101u);
  h.from_broker(Recall{1, {}, 4});
  EXPECT_EQ(h.expect_returned({{{6}, 4}}).credit.tasks, 105u);
}

TEST(AgentCredit, OfBytesComesBackWithTheEndOfTheLease) {
  Harness h(1, {100, 10'000});
  h.start();
  h.lease(make_lease(1, 5, 0, 2));
  h.duties.clear();
  h.done(0, 0, 1);
  EXPECT_EQ(h.expect_results(0, 1).credit.bytes, 10'000u);
  h.done(0, 1, 1);
  EXPECT_EQ(h.expect_results(1, 1).credit.bytes, 10'004u);
}

TEST(AgentCredit, WhatWasCarriedOverTakesItsShareOfTheNextSessionsWindow) {
  Harness h(1, {100, 10'000});
  h.start();
  h.lease(make_lease(1, 5, 0, 10));
  h.duties.clear();
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().credit.tasks, 90u);
  h.welcome(2, {token(5)}, SessionId{42});
  h.done(0, 0, 1);
  EXPECT_EQ(h.expect_results(0, 1).credit.tasks, 91u);
}

TEST(AgentCredit, LeavesEarlyOnceHalfTheWindowIsFreeAgain) {
  Harness h(1, {10, 10'000});
  h.start();
  h.lease(make_lease(1, 5, 0, 5));
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().credit.tasks, 5u);
  h.duties.clear();
  h.step(ExecutorDied{0, 0, 0, -1, 9, "", ""});
  h.duties.clear();
  h.welcome(2, {}, SessionId{42});  // all are dropped without a report
  EXPECT_EQ(h.expect_sent<WorkerHeartbeat>().credit.tasks, 10u);
  h.silent();
}

TEST(AgentSession, GoesOnWhenTheBrokerRefusesAFunctionInIt) {
  Harness h(1);
  h.start();
  const Refused refused{{}, {}, ErrorCode::kConflict, "offers 'f' as (a), but others as (b)"};
  h.from_broker(refused);
  h.silent();
  EXPECT_FALSE(h.reconnect);
  EXPECT_TRUE(h.core.view().connected);
}

TEST(AgentSession, BeginsAlthoughSomethingOfAnEarlierOneIsRefusedMeanwhile) {
  OneSlotIsLate h;
  h.ready(1, true, "g");
  h.expect_sent<WorkerHello>();
  h.from_broker(Refused{{}, {}, ErrorCode::kConflict, "late"});
  EXPECT_FALSE(h.reconnect);
  h.welcome(2, {}, SessionId{42});
  EXPECT_TRUE(h.core.view().connected);
}

}  // namespace
}  // namespace fanmill::worker
