#include <csignal>

#include "agent_harness.hpp"
#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

ExecutorDied died(std::uint32_t slot, std::uint64_t started, std::uint64_t finished,
                  int signal = SIGSEGV) {
  return {slot, started, finished, -1, signal, "said", "last words"};
}

// One slot that was dealt tasks 0 (done), 1 and 2 at positions 1 and 2, 3 and 4 behind them.
struct Dealt : Harness {
  explicit Dealt(bool at_most_once = false) : Harness(1) {
    start();
    JobSpec spec{.function = "f", .argv = {}, .names = {}, .time_limit_ms = 0, .max_output = 0};
    spec.at_most_once = at_most_once;
    lease(make_lease(1, 5, 0, 5, kJob, spec));
    duties.clear();
    done(0, 0, 1, 300us);
    sent.clear();
    duties.clear();
    done(0, 1, 1, 300us);  // 1 and 2 were dealt singly, as the queue is short
    expect_results(1, 1);
    duties.clear();
    EXPECT_EQ(core.view().queued_tasks, 1u);
  }
};

TEST(AgentCrash, ChargesTheTaskThatRanAndNoOther) {
  Dealt h;  // 2 and 3 are at positions 2 and 3, 4 is queued
  h.step(died(0, 3, 2));
  Blob blob;
  const Results crash = h.expect_results(2, 1, Outcome::kCrashed, &blob);
  EXPECT_EQ(crash.values_bytes, 0u);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  ASSERT_EQ(columns->failures.size(), 1u);
  EXPECT_EQ(columns->failures[0].code, ErrorCode::kCrashed);
  EXPECT_EQ(columns->failures[0].message, "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(columns->failures[0].signal, SIGSEGV);
  EXPECT_EQ(columns->failures[0].tuple, tuple_bytes(2));
  EXPECT_EQ(columns->slot, 1u);
  ASSERT_EQ(columns->outputs.size(), 1u);
  EXPECT_EQ(columns->outputs[0].out, "said");
  EXPECT_EQ(columns->outputs[0].err, "last words");
  h.expect_duty<StartExecutor>();
  h.silent();
  EXPECT_EQ(h.core.view().queued_tasks, 2u);  // 3 and 4
  h.ready(0);
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 3, 1);  // positions begin again with the process
}

TEST(AgentCrash, FinishedTasksWithoutReportRunAgainUncharged) {
  Dealt h;
  h.step(died(0, 4, 3));  // 2 had finished, 3 ran
  h.expect_results(3, 1, Outcome::kCrashed);
  h.expect_duty<StartExecutor>();
  h.ready(0);
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 2, 1);
}

TEST(AgentCrash, WhatRunsAtMostOnceAndHasRunIsReportedAsCrashed) {
  Dealt h(true);
  h.step(died(0, 4, 3));  // 2 had finished, 3 ran
  h.expect_results(3, 1, Outcome::kCrashed);
  Blob blob;
  h.expect_results(2, 1, Outcome::kCrashed, &blob);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  EXPECT_NE(columns->failures[0].message.find("it runs at most once"), std::string::npos);
  EXPECT_EQ(h.core.view().queued_tasks, 1u);
}

TEST(AgentCrash, BetweenTwoTasksNobodyIsCharged) {
  Dealt h;
  h.step(died(0, 3, 3));
  h.expect_duty<StartExecutor>();
  h.silent();
  EXPECT_EQ(h.core.view().queued_tasks, 3u);
}

TEST(AgentCrash, AStartBeyondTheLoweredEndIsNobodysFault) {
  Dealt h;
  h.from_broker(Recall{1, {}, 3});
  EXPECT_EQ(h.expect_duty<LowerEnd>().end, 2u);
  h.step(ExecutorFreed{0, 2});
  h.expect_returned({{{2}, 3}});
  // It marked position 2 as started and died before it could undo that.
  h.step(died(0, 3, 2));
  h.expect_duty<StartExecutor>();
  h.silent();
}

TEST(AgentCrash, WithoutPageTheOneTaskThatWasDealtIsCharged) {
  Harness h(1);
  h.start(false);
  h.lease(make_lease(1, 5, 0, 2));
  h.duties.clear();
  h.step(died(0, 0, 0));
  h.expect_results(0, 1, Outcome::kCrashed);
}

TEST(AgentCrash, AnExitIsNamedByItsCode) {
  Harness h(1);
  h.start(false);
  h.lease(make_lease(1, 5, 0, 1));
  h.step(ExecutorDied{0, 0, 0, 3, 0, "", ""});
  Blob blob;
  h.expect_results(0, 1, Outcome::kCrashed, &blob);
  const auto columns = decode_columns(blob.view());
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->failures[0].message, "exited with code 3");
  EXPECT_EQ(columns->failures[0].exit_code, 3);
  EXPECT_TRUE(columns->outputs.empty());
}

TEST(AgentStart, AnExecutorThatDiesAtOnceIsStartedAgainAtOnceFiveTimesAndThenWithPauses) {
  Harness h(1);
  for (int i = 0; i < 5; ++i) {
    h.expect_duty<StartExecutor>();
    h.step(died(0, 0, 0));
  }
  nanoseconds pause = 100ms;
  for (int i = 0; i < 8; ++i) {
    h.silent();
    h.pass(pause - 1ns);
    h.silent();
    h.pass(1ns);
    h.expect_duty<StartExecutor>();
    h.step(died(0, 0, 0));
    pause = std::min<nanoseconds>(2 * pause, 2s);
  }
  h.pass(2s);
  h.expect_duty<StartExecutor>();
  h.ready(0);
  h.step(died(0, 0, 0));
  h.expect_duty<StartExecutor>();  // it had been ready: no pause
}

TEST(AgentStart, AnExecutorOfAnotherProtocolVersionIsKilled) {
  Harness h(1);
  h.expect_duty<StartExecutor>();
  h.step(ExecutorReady{0, {kExecutorProtocolVersion + 1, true, {}}});
  h.expect_duty<KillExecutor>();
}

TEST(AgentFailure, GetsItsTuplesAndItsSlotFromTheAgent) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 6, 1));
  h.duties.clear();
  ResultColumns columns;
  columns.failures.push_back({ErrorCode::kFunctionFailed, "no such thing", -1, 0, ""});
  std::string bytes;
  append_columns(bytes, columns);
  h.step(ExecutorDone{0, {0, 1, Outcome::kFailed, 0, 1000, {}}, Blob::from(bytes)});
  Blob blob;
  h.expect_results(6, 1, Outcome::kFailed, &blob);
  const auto sent = decode_columns(blob.view());
  ASSERT_TRUE(sent);
  ASSERT_EQ(sent->failures.size(), 1u);
  EXPECT_EQ(sent->failures[0].message, "no such thing");
  EXPECT_EQ(sent->failures[0].tuple, tuple_bytes(6));
  EXPECT_EQ(sent->slot, 1u);
}

TEST(AgentFailure, LeavesOutATupleThatIsTooLong) {
  for (const std::size_t size : {limits::kFailureTupleMax, limits::kFailureTupleMax + 1}) {
    Harness h(1);
    h.start(false);
    // A 1-array with a string that makes `size` bytes in all.
    std::string tuple = "\x91\xda";
    tuple += static_cast<char>((size - 4) >> 8);
    tuple += static_cast<char>((size - 4) & 0xff);
    tuple.append(size - 4, 'x');
    LeaseMade made = make_lease(1, 5, 0, 1);
    made.lease.blocks = {{1, static_cast<std::uint32_t>(size)}};
    made.blob = Blob::from(tuple);
    h.lease(made);
    h.step(died(0, 0, 0));
    Blob blob;
    h.expect_results(0, 1, Outcome::kCrashed, &blob);
    const auto columns = decode_columns(blob.view());
    ASSERT_TRUE(columns);
    EXPECT_EQ(columns->failures[0].tuple, size == limits::kFailureTupleMax ? tuple : std::string());
  }
}

}  // namespace
}  // namespace fanmill::worker
