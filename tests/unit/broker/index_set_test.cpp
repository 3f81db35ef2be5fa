#include "broker/core/index_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace fanmill::broker {
namespace {

constexpr std::uint64_t kHigh = (std::uint64_t{1} << 32) - 70000;

IndexRange range(std::uint64_t first, std::uint64_t count) { return {{first}, count}; }

// What next_run promises, by hand.
IndexRange run_of(const std::set<std::uint64_t>& model, std::uint64_t from, std::uint64_t longest) {
  auto it = model.lower_bound(from);
  if (it == model.end()) return {};
  IndexRange run = range(*it, 0);
  while (it != model.end() && *it == run.end().value && run.count < longest) {
    ++run.count;
    ++it;
  }
  return run;
}

TEST(IndexSet, AgreesWithASetOfNumbers) {
  for (std::uint64_t base : {std::uint64_t{0}, std::uint64_t{65000}, kHigh}) {
    std::mt19937_64 random(base + 7);
    IndexSet set;
    std::set<std::uint64_t> model;
    for (int round = 0; round < 400; ++round) {
      const std::uint64_t width = round % 3 == 0 ? 3000 : 40;
      const IndexRange change = range(base + random() % 140000, random() % width);
      if (random() % 3 != 0) {
        set.add(change);
        for (std::uint64_t i = 0; i < change.count; ++i) model.insert(change.first.value + i);
      } else {
        set.remove(change);
        model.erase(model.lower_bound(change.first.value), model.lower_bound(change.end().value));
      }
      ASSERT_EQ(set.count(), model.size());
      ASSERT_EQ(set.empty(), model.empty());
      const std::uint64_t from = base + random() % 140000;
      const IndexRange asked = range(from, random() % 5000);
      const auto within = static_cast<std::uint64_t>(
          std::distance(model.lower_bound(from), model.lower_bound(asked.end().value)));
      ASSERT_EQ(set.count(asked), within);
      ASSERT_EQ(set.contains(asked), within == asked.count);
      ASSERT_EQ(set.contains(TaskIndex{from}), model.count(from) == 1);
      const std::uint64_t longest = 1 + random() % 4000;
      const IndexRange expected = run_of(model, from, longest);
      const IndexRange actual = set.next_run({from}, longest);
      ASSERT_EQ(actual.count, expected.count);
      if (!expected.empty()) {
        ASSERT_EQ(actual.first, expected.first);
      }
      std::uint64_t absent = from;
      while (model.count(absent) == 1) ++absent;
      ASSERT_EQ(set.next_absent({from}).value, absent);
      std::uint64_t sum = 0;
      for (const IndexRange& run : set.present(asked)) {
        sum += run.count;
        ASSERT_TRUE(set.contains(run));
      }
      for (const IndexRange& gap : set.absent(asked)) {
        sum += gap.count;
        ASSERT_EQ(set.count(gap), 0U);
      }
      ASSERT_EQ(sum, asked.count);
    }
  }
}

TEST(IndexSet, ARunGoesOverTheHighWord) {
  IndexSet set;
  set.add(range((std::uint64_t{1} << 32) - 10, 20));
  EXPECT_EQ(set.count(), 20U);
  EXPECT_EQ(set.next_run({0}, 100), range((std::uint64_t{1} << 32) - 10, 20));
  set.remove(range(std::uint64_t{1} << 32, 1));
  EXPECT_EQ(set.next_run({0}, 100), range((std::uint64_t{1} << 32) - 10, 10));
  EXPECT_EQ(set.next_run({std::uint64_t{1} << 32}, 100), range((std::uint64_t{1} << 32) + 1, 9));
}

TEST(IndexSet, AnEmptyRangeChangesNothing) {
  IndexSet set;
  set.add(range(5, 0));
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.next_run({0}, 10).empty());
  set.add(range(5, 2));
  set.remove(range(5, 0));
  EXPECT_EQ(set.count(), 2U);
}

}  // namespace
}  // namespace fanmill::broker
