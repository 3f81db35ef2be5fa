// When a worker leaves by itself, and how it says what it is.
#include <gmock/gmock.h>

#include "agent_harness.hpp"
#include "worker/options.hpp"

namespace fanmill::worker {
namespace {

AgentConfig leaving(std::optional<nanoseconds> idle_timeout, std::optional<nanoseconds> limit) {
  AgentConfig config = Harness::config(1);
  config.idle_timeout = idle_timeout;
  config.time_limit = limit;
  return config;
}

// The broker of these tests answers every heartbeat.
void pass(Harness& h, nanoseconds span) {
  for (nanoseconds done{0}; done < span && !h.finished; done += 500ms) {
    h.pass(std::min<nanoseconds>(500ms, span - done));
    h.reply();
    h.forget_heartbeats();
  }
}

TEST(AgentHello, TellsLabelsAndVersion) {
  AgentConfig config = Harness::config(1);
  config.labels = {{"gpu", "yes"}};
  config.version = "9.9";
  Harness h(config);
  h.ready(0);
  h.connect();
  const auto hello = h.expect_sent<WorkerHello>();
  EXPECT_EQ(hello.labels, (std::vector<Label>{{"gpu", "yes"}}));
  EXPECT_EQ(hello.version, "9.9");
}

TEST(AgentIdle, LeavesAfterTheIdleTimeout) {
  Harness h(leaving(10s, {}));
  h.start();
  pass(h, 9999ms);
  EXPECT_FALSE(h.finished);
  pass(h, 1ms);
  h.expect_sent<Goodbye>();
  EXPECT_TRUE(h.finished);
  EXPECT_THAT(std::string(h.drains_because), testing::HasSubstr("--idle-timeout"));
}

TEST(AgentIdle, WorkBeginsTheIdleTimeAnew) {
  Harness h(leaving(10s, {}));
  h.start();
  pass(h, 9s);
  h.lease(make_lease(1, 5, 0, 1));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  pass(h, 30s);  // a long task is no idleness
  h.done(0, 0, 1);
  h.expect_results(0, 1);
  pass(h, 5s);  // nor is a report that is not taken
  h.sent.clear();
  h.from_broker(ReportsTaken{1});
  pass(h, 9999ms);
  EXPECT_FALSE(h.finished);
  pass(h, 1ms);
  EXPECT_TRUE(h.finished);
}

TEST(AgentIdle, WithoutABrokerItLeavesToo) {
  Harness h(leaving(10s, {}));
  h.ready(0);
  h.pass(9999ms);
  EXPECT_FALSE(h.finished);
  h.pass(1ms);
  EXPECT_TRUE(h.finished);
}

TEST(AgentIdle, WithoutATimeoutItStays) {
  Harness h(1);
  h.start();
  pass(h, 1h);
  EXPECT_FALSE(h.finished);
}

// One second of the twenty is for the farewell.
TEST(AgentTimeLimitOfTheWorker, TakesNoTaskThatWouldNotEndInTime) {
  Harness h(leaving({}, 20s));
  h.start();
  h.lease(make_lease(1, 5, 0, 9));
  for (std::uint64_t i = 0; i < 2; ++i) {
    pass(h, 5s);
    EXPECT_EQ(h.core.view().busy_slots, 1u) << i;
    h.duties.clear();
    h.step(ExecutorProgress{0, i + 1, i});
    h.done(0, i, 1, 5s);
    h.expect_results(i, 1);
    h.from_broker(ReportsTaken{i + 1});
  }
  h.step(ExecutorProgress{0, 3, 2});
  pass(h, 3999ms);
  EXPECT_TRUE(h.sent.empty());
  // From 14 s on, one that takes five would not end at 19.
  pass(h, 1ms);
  h.expect_returned({{{3}, 6}});
  h.from_broker(ReportsTaken{3});
  EXPECT_THAT(std::string(h.drains_because), testing::HasSubstr("--time-limit"));
  pass(h, 1s);
  EXPECT_FALSE(h.finished);
  h.done(0, 2, 1, 5s);
  h.expect_results(2, 1);
  h.from_broker(ReportsTaken{4});
  h.expect_sent<Goodbye>();
  EXPECT_TRUE(h.finished);
}

TEST(AgentTimeLimitOfTheWorker, WhatRunsAtItsEndIsKilledAndGoesBackUncharged) {
  Harness h(leaving({}, 20s));
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.expect_duty<DealBind>();
  h.expect_work(0, 0, 0, 1);
  h.step(ExecutorProgress{0, 1, 0});
  pass(h, 18999ms);
  h.silent();
  pass(h, 1ms);
  EXPECT_EQ(h.expect_duty<KillExecutor>().slot, 0u);
  h.expect_returned({{{1}, 2}});
  h.forget_heartbeats();
  h.silent();
  h.step(ExecutorDied{0, 1, 0, -1, 9, "", ""});
  h.expect_returned({{{0}, 1}});
  h.silent();  // and nothing takes its place
  EXPECT_FALSE(h.finished);
  h.from_broker(ReportsTaken{2});
  h.expect_sent<Goodbye>();
  EXPECT_TRUE(h.finished);
}

TEST(AgentTimeLimitOfTheWorker, ABrokerThatTakesNoReportsIsNotWaitedFor) {
  Harness h(leaving({}, 20s));
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  h.done(0, 0, 1);
  pass(h, 19999ms);
  EXPECT_FALSE(h.finished);
  pass(h, 1ms);
  EXPECT_TRUE(h.finished);
}

TEST(AgentTimeLimitOfTheWorker, TasksOfEarlierJobsDoNotCount) {
  Harness h(leaving({}, 100s));
  h.start();
  h.lease(make_lease(1, 5, 0, 1));
  pass(h, 80s);
  h.done(0, 0, 1, 80s);
  h.from_broker(ReportsTaken{1});
  h.lease(make_lease(2, 6, 0, 1, kOtherJob));
  EXPECT_FALSE(h.finished);
  EXPECT_EQ(h.core.view().busy_slots, 1u);
}

TEST(AgentLeavesAtOnce, SaysGoodbyeWithWhatItHolds) {
  Harness h(1);
  h.start();
  h.lease(make_lease(1, 5, 0, 3));
  h.duties.clear();
  h.step(LeaveAtOnce{});
  h.expect_sent<Goodbye>();
  EXPECT_TRUE(h.finished);
}

TEST(WorkerOptions, LabelsAreNamesAndValues) {
  EXPECT_EQ(parse_labels({"gpu=yes", "os=a=b", "x="}).value(),
            (std::vector<Label>{{"gpu", "yes"}, {"os", "a=b"}, {"x", ""}}));
  for (const std::vector<std::string>& bad : std::vector<std::vector<std::string>>{
           {"gpu"}, {"=yes"}, {"a=1", "a=2"}, {"a=\xff"}, {std::string(257, 'a') + "=1"}}) {
    EXPECT_FALSE(parse_labels(bad)) << bad.front();
  }
  EXPECT_TRUE(parse_labels({std::string(256, 'a') + "=" + std::string(256, 'b')}));
  std::vector<std::string> many;
  for (std::uint32_t i = 0; i < limits::kLabelsMax; ++i) many.push_back(std::to_string(i) + "=");
  EXPECT_TRUE(parse_labels(many));
  many.push_back("one=more");
  EXPECT_FALSE(parse_labels(many));
}

TEST(WorkerOptions, SpansAreAboveZero) {
  EXPECT_EQ(parse_span("--idle-timeout", "10m").value(), 10min);
  for (const char* bad : {"", "0", "-1", "x", "300000d"}) {
    EXPECT_FALSE(parse_span("--idle-timeout", bad)) << bad;
  }
}

}  // namespace
}  // namespace fanmill::worker
