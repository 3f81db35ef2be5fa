// The executor program under a pool: builtin functions, reports, captured output, the page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/unit/worker/pool_harness.hpp"

namespace fanmill::worker {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr JobId kJob{7};

TEST(Executor, SaysWhatItOffersFirst) {
  PoolHarness harness;
  ASSERT_TRUE(harness.run_until([&] { return harness.ready.size() == 1; }));
  std::vector<std::string> names;
  for (const FunctionOffer& offer : harness.ready[0].hello.offers) names.push_back(offer.name);
  EXPECT_THAT(names, ElementsAre("echo", "exec", "identity", "sleep", "sleep_print"));
  EXPECT_TRUE(harness.ready[0].hello.uses_page);
}

TEST(Executor, DoesNotOfferCommandsUnlessTold) {
  PoolHarness harness(1, false);
  harness.bind_command(kJob, {"true"});
  harness.deal(kJob, {Array{1}});
  ASSERT_TRUE(harness.run_until_ended(1));
  for (const FunctionOffer& offer : harness.ready[0].hello.offers) EXPECT_NE(offer.name, "exec");
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kUnknownFunction);
  EXPECT_THAT(harness.ended[0].failure.message, HasSubstr("--allow-exec"));
}

TEST(ExecutorIdentity, GivesBackTheOnlyElementOrTheWholeTuple) {
  PoolHarness harness;
  harness.bind(kJob, "identity");
  const Value nested = Array{1, "two", Array{3.5}};
  harness.deal(kJob, {Array{5}, Array{nested}, Array{1, 2}, Map{{"value", "x"}},
                      Array{std::string(100000, 'a')}});
  ASSERT_TRUE(harness.run_until_ended(5));
  EXPECT_EQ(harness.ended[0].value, Value(5));
  EXPECT_EQ(harness.ended[1].value, nested);
  EXPECT_EQ(harness.ended[2].value, Value(Array{1, 2}));
  EXPECT_EQ(harness.ended[3].value, Value("x"));
  EXPECT_EQ(harness.ended[4].value, Value(std::string(100000, 'a')));
}

TEST(ExecutorIdentity, RunsAHundredThousandTasksInOrder) {
  PoolHarness harness;
  harness.bind(kJob, "identity");
  constexpr int kTasks = 100000;
  for (int from = 0; from < kTasks; from += 10000) {
    std::vector<Value> tuples;
    for (int i = from; i < from + 10000; ++i) tuples.emplace_back(Array{i});
    harness.deal_all(kJob, tuples);
  }
  ASSERT_TRUE(harness.run_until_ended(kTasks));
  for (int i = 0; i < kTasks; ++i) {
    ASSERT_EQ(harness.ended[static_cast<std::size_t>(i)].position, static_cast<std::uint64_t>(i));
    ASSERT_EQ(harness.ended[static_cast<std::size_t>(i)].value, Value(i));
  }
}

TEST(ExecutorWork, PassesOverTheTuplesBeforeItsFirst) {
  PoolHarness harness;
  harness.bind(kJob, "identity");
  DealWork work;
  work.work.job = kJob;
  work.work.count = 2;
  work.work.skip = 3;
  std::string blob;
  for (int i = 0; i < 6; ++i) append_msgpack(blob, Array{i});
  work.blob = Blob::from(blob);
  work.end = 2;
  harness.pool.deal(work);
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].value, Value(3));
  EXPECT_EQ(harness.ended[1].value, Value(4));
}

TEST(ExecutorWork, FailsTasksWhoseTuplesAreNoTuples) {
  PoolHarness harness;
  harness.bind(kJob, "identity");
  harness.deal_bytes(kJob, packed(Array{1}) + "\xc1garbage", 3);
  ASSERT_TRUE(harness.run_until_ended(3));
  EXPECT_EQ(harness.ended[0].value, Value(1));
  EXPECT_EQ(harness.ended[1].failure.code, ErrorCode::kProtocol);
  EXPECT_EQ(harness.ended[2].outcome, Outcome::kFailed);
}

TEST(ExecutorBind, FailsEveryTaskOfAnUnknownFunction) {
  PoolHarness harness;
  harness.bind(kJob, "slep");
  harness.deal(kJob, {Array{1}, Array{2}});
  ASSERT_TRUE(harness.run_until_ended(2));
  for (const Ended& one : harness.ended) {
    EXPECT_EQ(one.failure.code, ErrorCode::kUnknownFunction);
    EXPECT_THAT(one.failure.message, HasSubstr("'slep'"));
    EXPECT_THAT(one.failure.message, HasSubstr("sleep_print"));
  }
}

TEST(ExecutorSleep, NamesWhatIsWrongWithItsArguments) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(
      kJob, {Array{}, Array{"x"}, Array{-1}, Array{1, 2}, Map{{"secs", 1}}, Map{{"seconds", 0}}});
  ASSERT_TRUE(harness.run_until_ended(6));
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(harness.ended[i].failure.code, ErrorCode::kBadArguments) << i;
    EXPECT_THAT(harness.ended[i].failure.message, HasSubstr("sleep(seconds)")) << i;
  }
  EXPECT_THAT(harness.ended[1].failure.message, HasSubstr("\"x\""));
  EXPECT_THAT(harness.ended[4].failure.message, HasSubstr("'seconds'"));
  EXPECT_EQ(harness.ended[5].outcome, Outcome::kSucceeded);
}

TEST(ExecutorSleep, SleepsAsLongAsAsked) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.02}, Array{0.01}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_TRUE(harness.ended[0].value.is_null());
  std::uint64_t total = 0;
  std::vector<std::uint64_t> each;
  for (const ResultColumns& columns : harness.columns) {
    each.insert(each.end(), columns.run_ns.begin(), columns.run_ns.end());
  }
  ASSERT_EQ(each.size(), 2U);
  EXPECT_GE(each[0], 20'000'000U);
  EXPECT_GE(each[1], 10'000'000U);
  total = each[0] + each[1];
  EXPECT_LT(total, 2'000'000'000U);
}

TEST(ExecutorReports, LeaveWhileALongerTaskStillRuns) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.003}, Array{0}, Array{0}, Array{1000}});
  ASSERT_TRUE(harness.run_until_ended(3));
  EXPECT_EQ(harness.ended[2].position, 2U);
  EXPECT_TRUE(harness.died.empty());
}

TEST(ExecutorReports, OfEarlierWorkLeaveWhileALongerTaskStillRuns) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0}, Array{"no"}, Array{0}});
  harness.deal(kJob, {Array{0}, Array{1000}});
  ASSERT_TRUE(harness.run_until_ended(4));
  EXPECT_EQ(harness.ended[1].outcome, Outcome::kFailed);
  EXPECT_TRUE(harness.died.empty());
}

TEST(ExecutorReports, HaveOneOutcomeEach) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0}, Array{0}, Array{"no"}, Array{0}, Array{"no"}, Array{"no"}});
  ASSERT_TRUE(harness.run_until_ended(6));
  // Another may begin at any task, where the machine was busy for a moment.
  for (std::size_t i = 0; i < 6; ++i) {
    const bool fails = i == 2 || i > 3;
    EXPECT_EQ(harness.ended[i].outcome, fails ? Outcome::kFailed : Outcome::kSucceeded) << i;
  }
  EXPECT_GE(harness.reports.size(), 4U);
}

TEST(ExecutorSleepPrint, HasItsMessageCapturedWithItsTask) {
  PoolHarness harness;
  harness.bind(kJob, "sleep_print");
  harness.deal(kJob, {Array{0, "first"}, Array{0.001, "second"}, Array{0, 3}, Array{0}});
  ASSERT_TRUE(harness.run_until_ended(4));
  EXPECT_EQ(harness.ended[0].out, "first\n");
  EXPECT_EQ(harness.ended[1].out, "second\n");
  EXPECT_EQ(harness.ended[2].out, "3\n");
  EXPECT_EQ(harness.ended[3].out, "");
  EXPECT_TRUE(harness.ended[0].value.is_null());
}

TEST(ExecutorSleepPrint, KeepsHeadAndTailOfALongMessage) {
  PoolHarness harness;
  harness.bind(kJob, "sleep_print");
  const std::size_t middle = 1000000;
  harness.deal(kJob, {Array{0, "begin" + std::string(middle, '.') + "end"}});
  ASSERT_TRUE(harness.run_until_ended(1));
  const std::string& out = harness.ended[0].out;
  EXPECT_TRUE(out.starts_with("begin"));
  EXPECT_TRUE(out.ends_with("end\n"));
  EXPECT_LT(out.size(), limits::kCaptureHead + limits::kCaptureTail + 100);
  EXPECT_THAT(out,
              HasSubstr(std::to_string(middle + 9 - limits::kCaptureHead - limits::kCaptureTail) +
                        " bytes left out"));
}

TEST(ExecutorSleepPrint, TakesColumnsByName) {
  PoolHarness harness;
  JobSpec spec;
  spec.function = "sleep_print";
  spec.names = {"message", "seconds"};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{"hello", 0}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].out, "hello\n");
}

TEST(ExecutorStop, BeginsNothingFromTheLoweredEndOn) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.05}, Array{1000}});
  harness.deal(kJob, {Array{1000}});
  harness.pool.flush();
  const ExecutorFreed freed = harness.pool.lower_end({0, 1});
  EXPECT_EQ(freed.from, 1U);
  ASSERT_TRUE(harness.run_until([&] { return !harness.stopped.empty(); }));
  EXPECT_THAT(harness.stopped, ElementsAre(1));
  ASSERT_EQ(harness.ended.size(), 1U);

  harness.bind(kJob, "identity");
  harness.deal(kJob, {Array{42}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[1].position, 3U);
  EXPECT_EQ(harness.ended[1].value, Value(42));
  EXPECT_THAT(harness.stopped, ElementsAre(1));
}

// The agent may lower the end again before it has read that the executor stopped.
TEST(ExecutorStop, ComesOnceHoweverOftenTheEndIsLowered) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.05}, Array{1000}, Array{1000}});
  harness.pool.flush();
  harness.pool.lower_end({0, 2});
  harness.pool.lower_end({0, 1});
  ASSERT_TRUE(harness.run_until([&] { return !harness.stopped.empty(); }));
  EXPECT_EQ(harness.pool.lower_end({0, 1}).from, 1U);

  harness.bind(kJob, "identity");
  harness.deal(kJob, {Array{42}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[1].value, Value(42));
  EXPECT_THAT(harness.stopped, ElementsAre(1));
}

// The end is lowered at every moment of a task's beginning. Each position before the stop ends,
// none behind it does, and what the agent saw started is all that it need not wait for: the stop
// itself may be one earlier, where each of them saw the other.
TEST(ExecutorStop, AgreesWithTheAgentAboutEveryTask) {
  PoolHarness harness;
  constexpr std::uint64_t kTasks = 400;
  constexpr int kRounds = 2000;
  std::uint64_t ended = 0;
  int cut_within = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t begin = harness.next;
    harness.bind(kJob, "identity");
    harness.deal_all(kJob, std::vector<Value>(kTasks, Value(Array{1})));
    harness.pool.flush();
    const std::uint64_t end = begin + 1 + static_cast<std::uint64_t>(round) * 7 % (kTasks - 1);
    const auto spin = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 40);
    while (std::chrono::steady_clock::now() < spin) {
    }
    const std::uint64_t freed = harness.pool.lower_end({0, end}).from;
    ASSERT_GE(freed, end);
    ASSERT_LE(freed, begin + kTasks);
    const auto all_ended = [&] { return harness.ended.size() == ended + kTasks; };
    const auto stopped = [&] { return !harness.stopped.empty(); };
    ASSERT_TRUE(harness.run_until([&] { return all_ended() || stopped(); })) << round;
    std::uint64_t stop = begin + kTasks;
    if (stopped()) {
      ++cut_within;
      stop = harness.stopped.back();
      harness.stopped.clear();
      ASSERT_GE(stop, end);
      ASSERT_TRUE(stop == freed || stop + 1 == freed) << stop << " " << freed;
    } else {
      ASSERT_EQ(freed, begin + kTasks);
    }
    ended += stop - begin;
    ASSERT_EQ(harness.ended.size(), ended) << round;
    ASSERT_EQ(harness.ended.back().position, stop - 1);
  }
  EXPECT_GT(cut_within, 0);
}

// Tuples larger than the socket takes at once, with a binding among them that must not revive what
// is void.
TEST(ExecutorStop, IsNotUndoneByFramesThatStillWait) {
  PoolHarness harness;
  constexpr JobId kOther{8};
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.05}, Array{1000}});
  harness.deal(kJob, {Array{std::string(6 * limits::kMiB, 'x')}});
  harness.bind(kOther, "identity");
  harness.deal(kOther, {Array{"void"}});
  harness.pool.flush();
  harness.pool.lower_end({0, 1});
  ASSERT_TRUE(harness.run_until([&] { return !harness.stopped.empty(); }));
  harness.bind(kOther, "identity");
  harness.deal(kOther, {Array{"alive"}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[1].value, Value("alive"));
  EXPECT_EQ(harness.ended[1].position, 4U);
  EXPECT_THAT(harness.stopped, ElementsAre(1));
}

TEST(ExecutorDeath, IsToldWithSignalPageAndOutput) {
  PoolHarness harness;
  harness.bind(kJob, "sleep");
  harness.deal(kJob, {Array{0.0}, Array{1000}, Array{1}});
  ASSERT_TRUE(harness.run_until([&] {
    std::vector<Event> events;
    harness.pool.progress(events);
    return !events.empty() && std::get<ExecutorProgress>(events[0]).started == 2;
  }));
  ::kill(*harness.pool.pid_of(0), SIGSEGV);
  ASSERT_TRUE(harness.run_until([&] { return !harness.died.empty(); }));
  EXPECT_EQ(harness.died[0].signal, SIGSEGV);
  EXPECT_EQ(harness.died[0].started, 2U);
  EXPECT_EQ(harness.died[0].finished, 1U);

  ASSERT_TRUE(harness.pool.start(0));
  harness.next = 0;
  harness.died.clear();
  harness.ended.clear();
  harness.bind(kJob, "identity");
  harness.deal(kJob, {Array{1}});
  EXPECT_TRUE(harness.run_until_ended(1));
}

TEST(ExecutorWork, FailsTasksWhoseTuplesAreMissing) {
  PoolHarness harness;
  harness.bind(kJob, "identity");
  harness.deal_bytes(kJob, "", 1);
  harness.deal(kJob, {Array{1}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kProtocol);
  EXPECT_EQ(harness.ended[1].value, Value(1));
}

TEST(ExecutorPool, CarriesValuesOfManyMegabytesBothWays) {
  PoolHarness harness(2);
  harness.bind(kJob, "identity");
  const std::string large(20 * limits::kMiB, 'z');
  harness.deal(kJob, {Array{large}, Array{1}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].value, Value(large));
}

TEST(ExecutorPool, RefusesAProgramThatIsNotThere) {
  const auto pool = ExecutorPool::make({"/nonexistent/fanmill-executor", 1, false});
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, ErrorCode::kSystem);
  EXPECT_THAT(pool.error().message, HasSubstr("/nonexistent/fanmill-executor"));
}

}  // namespace
}  // namespace fanmill::worker
