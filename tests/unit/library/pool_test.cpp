// Pool, Job, Row and Future with a private run of real executors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fanmill/fanmill.hpp>
#include <map>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/unit/library/processes.hpp"

namespace {

using namespace std::chrono_literals;
using fanmill::Cause;
using fanmill::Pool;

struct Named {
  std::int64_t n = 0;
  std::string text;
};
FANMILL_FIELDS(Named, n, text);

bool appears(const std::string& path) {
  return wait_until([&] { return access(path.c_str(), F_OK) == 0; });
}

class LibraryPool : public testing::Test {
 protected:
  Pool pool_{{.slots = 2}};
};

TEST_F(LibraryPool, RowsComeInInputOrder) {
  std::uint64_t next = 0;
  for (auto& row :
       pool_.map<std::uint64_t>("identity", std::views::iota(std::uint64_t{0}, 300'000u))) {
    ASSERT_TRUE(row) << row.error().text();
    ASSERT_EQ(row.index(), next);
    ASSERT_EQ(*row, next++);
    ASSERT_EQ(row.attempt(), 1u);
  }
  EXPECT_EQ(next, 300'000u);
}

TEST_F(LibraryPool, AsCompletedGivesTheQuickOneFirst) {
  std::vector<std::uint64_t> order;
  for (auto& row : pool_.map<void>("sleep", std::vector{0.4, 0.01}).as_completed()) {
    ASSERT_TRUE(row) << row.error().text();
    order.push_back(row.index());
    EXPECT_GE(row.run_time(), row.index() == 0 ? 390ms : 9ms);
  }
  EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 0}));
}

TEST_F(LibraryPool, TuplesStructsMapsListsAndScalarsAreParameters) {
  using Two = std::tuple<std::int64_t, std::string>;
  const std::vector<Two> tuples{{1, "a"}, {2, "b"}};
  EXPECT_EQ(pool_.starmap<Two>("echo", tuples).values().value(), tuples);
  EXPECT_EQ(pool_.starmap<Two>("echo", std::vector<fanmill::Array>{{1, "a"}}).values().value(),
            (std::vector<Two>{{1, "a"}}));
  EXPECT_EQ(pool_.starmap<int>("identity", std::vector{5, 6}).values().value(),
            (std::vector{5, 6}));
  const std::vector<std::map<std::string, double>> named{{{"seconds", 0.0}}};
  EXPECT_TRUE(pool_.starmap<void>("sleep", named).values());
  // In map() the element is one parameter, whatever it is.
  const std::vector<std::vector<int>> lists{{1, 2}, {}};
  EXPECT_EQ(pool_.map<std::vector<int>>("identity", lists).values().value(), lists);
  const auto back = pool_.map<Named>("identity", std::vector<Named>{{3, "x"}}).values();
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->front().text, "x");
}

TEST_F(LibraryPool, RangesOfEveryKindAreRead) {
  const std::vector<bool> bits{true, false};
  EXPECT_EQ(pool_.map<bool>("identity", bits).values().value(), bits);
  int made = 0;
  auto generator = [&]() -> std::optional<int> {
    return made < 3 ? std::optional(made++) : std::nullopt;
  };
  EXPECT_EQ(pool_.map<int>("identity", generator).values().value(), (std::vector{0, 1, 2}));
  auto odd = std::views::iota(0, 7) | std::views::filter([](int i) { return i % 2 == 1; });
  EXPECT_EQ(pool_.map<int>("identity", odd).values().value(), (std::vector{1, 3, 5}));
  EXPECT_EQ(pool_.map<int>("identity", std::vector<int>{}).values().value().size(), 0u);
  std::string words = "a bc";
  auto split = words | std::views::split(' ') | std::views::transform([](auto word) {
                 return std::string(word.begin(), word.end());
               });
  EXPECT_EQ(pool_.map<std::string>("identity", split).values().value(),
            (std::vector<std::string>{"a", "bc"}));
}

TEST_F(LibraryPool, LeavingTheLoopCancelsAnEndlessJobAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t seen = 0;
  for (auto& row : pool_.map<std::int64_t>("identity", std::views::iota(std::int64_t{0}))) {
    ASSERT_TRUE(row);
    if (++seen == 100'000) break;
  }
  // What runs is killed, not waited for.
  for (auto& row : pool_.map<void>("sleep", std::vector{0.0, 60.0, 60.0})) {
    ASSERT_TRUE(row);
    break;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(pool_.submit<int>("identity", 7).get().value(), 7);
}

TEST_F(LibraryPool, ReadAheadBoundsWhatIsTakenFromTheRange) {
  std::uint64_t taken = 0;
  auto counted = std::views::iota(std::uint64_t{0}) | std::views::transform([&](std::uint64_t i) {
                   ++taken;
                   return i;
                 });
  for (auto& row : pool_.map<std::uint64_t>("identity", counted, {.read_ahead = 10})) {
    ASSERT_LE(taken, row.index() + 10 + 1);
    if (row.index() == 1000) break;
  }
}

TEST_F(LibraryPool, ASlowRangeIsNotWaitedForUntilAChunkIsFull) {
  // Every tuple but the first waits for a file that the task of the one before makes: were it kept
  // back until others join it, that file would never come.
  const std::string base = testing::TempDir() + "fanmill-slow-" + std::to_string(getpid()) + "-";
  int made = 0;
  auto slow = [&]() -> std::optional<std::string> {
    if (made > 0 && !appears(base + std::to_string(made - 1))) return {};
    if (made == 20) return {};
    return base + std::to_string(made++);
  };
  const auto all = pool_.exec({"touch", "{}"}, slow).values();
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(all->size(), 20u);
  for (int i = 0; i < 20; ++i) unlink((base + std::to_string(i)).c_str());
}

TEST_F(LibraryPool, ABurstIsNotKeptBackByTheTupleBehindIt) {
  // As above, but the tuples come four at once.
  const std::string base = testing::TempDir() + "fanmill-burst-" + std::to_string(getpid()) + "-";
  int made = 0;
  auto bursts = [&]() -> std::optional<std::string> {
    if (made > 0 && made % 4 == 0 && !appears(base + std::to_string(made - 1))) return {};
    if (made == 20) return {};
    return base + std::to_string(made++);
  };
  const auto all = pool_.exec({"touch", "{}"}, bursts, {.read_ahead = 7}).values();
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(all->size(), 20u);
  for (int i = 0; i < 20; ++i) unlink((base + std::to_string(i)).c_str());
}

TEST_F(LibraryPool, FailedTasksAreRowsBesideTheOthers) {
  std::vector<std::string> lines;
  auto job = pool_.exec({"sh", "-c", "echo out {}; echo err >&2; exit {}"}, std::vector{0, 3});
  for (auto& row : job) {
    if (row) {
      lines.push_back(*row);
      EXPECT_EQ(row.err(), "err\n");
      continue;
    }
    EXPECT_EQ(row.error().cause, Cause::kError);
    EXPECT_EQ(row.error().status, fanmill::Status::kFailed);
    EXPECT_EQ(row.error().exit_code, 3);
    EXPECT_EQ(row.error().index, 1u);
    EXPECT_EQ(row.error().err, "err\n");
    EXPECT_EQ(row.error().tuple, fanmill::Value(fanmill::Array{3}));
    EXPECT_THROW(row.value(), fanmill::BadAccess);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"out 0\n"}));
  ASSERT_TRUE(job.counts());
  EXPECT_EQ(job.counts()->succeeded, 1u);
  EXPECT_EQ(job.counts()->failed, 1u);
}

TEST_F(LibraryPool, AResultOfAnotherTypeNamesTaskExpectationAndFind) {
  std::vector<std::string> texts;
  std::int64_t sum = 0;
  const std::vector<fanmill::Value> values{1, "x", 2};
  for (auto& row : pool_.map<std::int64_t>("identity", values)) {
    row ? static_cast<void>(sum += *row) : texts.push_back(row.error().text());
  }
  EXPECT_EQ(sum, 3);
  EXPECT_EQ(texts,
            (std::vector<std::string>{"task 1 gave another type: expected int, found str \"x\""}));
}

TEST_F(LibraryPool, AnUnknownFunctionIsTheOnlyRow) {
  std::uint64_t rows = 0;
  auto job = pool_.map<int>("identiy", std::views::iota(0, 10));
  for (auto& row : job) {
    ++rows;
    ASSERT_FALSE(row);
    EXPECT_EQ(row.index(), fanmill::Row<int>::kNoTask);
    EXPECT_EQ(row.error().cause, Cause::kUnknownFunction);
    EXPECT_NE(row.error().message.find("identity"), std::string::npos) << row.error().message;
  }
  EXPECT_EQ(rows, 1u);
  EXPECT_FALSE(job.counts());
  EXPECT_FALSE(pool_.map<int>("identiy", std::views::iota(0, 10)).values());
}

TEST_F(LibraryPool, RowsCarryTheirTuplesWhereAsked) {
  for (auto& row : pool_.map<int>("identity", std::views::iota(5, 6), {.with_tuples = true})) {
    EXPECT_EQ(row.tuple(), fanmill::Value(fanmill::Array{5}));
  }
}

TEST_F(LibraryPool, ForEachTellsWhatTheJobCameTo) {
  std::int64_t sum = 0;
  const auto counts =
      pool_.map<int>("identity", std::views::iota(0, 100)).for_each([&](fanmill::Row<int>& row) {
        sum += *row;
      });
  ASSERT_TRUE(counts) << counts.error().text();
  EXPECT_EQ(counts->succeeded, 100u);
  EXPECT_EQ(sum, 4950);
  int seen = 0;
  const auto stopped =
      pool_.map<int>("identity", std::views::iota(0)).for_each([&](fanmill::Row<int>&) {
        return ++seen < 5;
      });
  EXPECT_TRUE(stopped);
  EXPECT_EQ(seen, 5);
}

TEST_F(LibraryPool, CancelFromAnotherThreadEndsTheRows) {
  const auto begin = std::chrono::steady_clock::now();
  auto job = pool_.map<void>("sleep", std::vector{0.0, 60.0, 60.0, 60.0});
  std::thread canceller;
  std::uint64_t cancelled = 0;
  for (auto& row : job) {
    if (row.index() == 0) canceller = std::thread([&] { job.cancel(); });
    if (!row && row.error().cause == Cause::kCancelled) ++cancelled;
  }
  canceller.join();
  EXPECT_EQ(cancelled, 3u);
  ASSERT_TRUE(job.counts());
  EXPECT_EQ(job.counts()->cancelled, cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(LibraryPool, WhatARangeThrowsPassesThroughAndThePoolLivesOn) {
  auto bad = std::views::iota(0) | std::views::transform([](int i) {
               if (i == 1000) throw std::runtime_error("no more");
               return i;
             });
  auto job = pool_.map<int>("identity", bad);
  EXPECT_THROW(
      {
        for (auto& row : job) static_cast<void>(row);
      },
      std::runtime_error);
  EXPECT_EQ(pool_.submit<int>("identity", 1).get().value(), 1);
}

TEST_F(LibraryPool, FuturesComeEachWithItsOwnResult) {
  std::vector<fanmill::Future<std::int64_t>> futures;
  for (std::int64_t i = 0; i < 20'000; ++i) {
    futures.push_back(pool_.submit<std::int64_t>("identity", i));
  }
  for (std::int64_t i = 19'999; i >= 0; --i) {
    auto result = futures[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(result) << result.error().text();
    ASSERT_EQ(*result, i);
  }
  EXPECT_FALSE(futures.front().valid());
  EXPECT_THROW(static_cast<void>(futures.front().get()), fanmill::BadAccess);
}

TEST_F(LibraryPool, FuturesCanBeWaitedForAndFail) {
  const auto sleep = pool_.function<void>("sleep", {.time_limit = 100ms});
  auto quick = sleep(0.0);
  auto late = sleep(30.0);
  EXPECT_TRUE(quick.get());
  EXPECT_FALSE(late.wait_for(1ms));
  EXPECT_TRUE(late.wait_for(20s));
  EXPECT_EQ(late.get().error().cause, Cause::kTimeLimit);
  EXPECT_EQ(pool_.submit<int>("no_such", 1).get().error().cause, Cause::kUnknownFunction);
  EXPECT_EQ(pool_.submit<int>("identity", "x").get().error().cause, Cause::kWrongType);
  EXPECT_EQ(pool_.submit<int>("sleep", 1, 2, 3).get().error().cause, Cause::kBadArguments);
  EXPECT_EQ((pool_.function<std::pair<int, int>>("echo").apply(std::pair(1, 2)).get().value()),
            std::pair(1, 2));
}

TEST_F(LibraryPool, SeveralJobsGoOnAtATime) {
  auto a = pool_.map<int>("identity", std::views::iota(0, 1000));
  auto b = pool_.map<int>("identity", std::views::iota(1000, 2000));
  auto at_b = b.begin();
  for (auto& row : a) {
    ASSERT_EQ(*row + 1000, **at_b);
    ++at_b;
  }
  EXPECT_TRUE(at_b == b.end());
}

TEST_F(LibraryPool, AnyThreadMayUseIt) {
  std::vector<std::thread> threads;
  std::vector<std::int64_t> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto identity = pool_.function<std::int64_t>("identity");
      std::vector<fanmill::Future<std::int64_t>> futures;
      for (int i = 0; i < 500; ++i) futures.push_back(identity(i));
      for (auto& row : pool_.map<std::int64_t>("identity", std::views::iota(0, 5000))) {
        sums[t] += *row;
      }
      for (auto& future : futures) sums[t] += future.get().value();
    });
  }
  for (auto& thread : threads) thread.join();
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, 4999 * 2500 + 499 * 250);
}

}  // namespace
