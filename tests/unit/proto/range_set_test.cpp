#include "proto/range_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace fanmill {
namespace {

using Ranges = std::vector<IndexRange>;

TEST(RangeSetAdd, MergesWhatTouchesOrOverlaps) {
  RangeSet set;
  set.add({{10}, 5});
  set.add({{20}, 5});
  EXPECT_EQ(set.ranges(), (Ranges{{{10}, 5}, {{20}, 5}}));
  set.add({{15}, 5});
  EXPECT_EQ(set.ranges(), (Ranges{{{10}, 15}}));
  set.add({{0}, 10});
  EXPECT_EQ(set.ranges(), (Ranges{{{0}, 25}}));
  EXPECT_EQ(set.count(), 25u);
}
TEST(RangeSetRemove, SplitsARange) {
  RangeSet set(IndexRange{{0}, 10});
  set.remove({{3}, 4});
  EXPECT_EQ(set.ranges(), (Ranges{{{0}, 3}, {{7}, 3}}));
  EXPECT_EQ(set.count(), 6u);
  EXPECT_FALSE(set.contains(TaskIndex{3}));
  EXPECT_TRUE(set.contains(TaskIndex{7}));
}
TEST(RangeSetEmptyRange, ChangesNothing) {
  RangeSet set(IndexRange{{5}, 2});
  set.add({{100}, 0});
  set.remove({{5}, 0});
  EXPECT_EQ(set.ranges(), (Ranges{{{5}, 2}}));
  EXPECT_TRUE(set.contains(IndexRange{{100}, 0}));
  EXPECT_TRUE(set.intersection({{5}, 0}).empty());
}

void expect_same(const RangeSet& set, const std::set<std::uint64_t>& model) {
  std::set<std::uint64_t> members;
  std::uint64_t last_end = 0;
  bool first = true;
  for (const IndexRange& range : set.ranges()) {
    ASSERT_GT(range.count, 0u);
    ASSERT_TRUE(first || range.first.value > last_end) << "sorted, disjoint, not adjacent";
    first = false;
    last_end = range.end().value;
    for (std::uint64_t i = 0; i < range.count; ++i) members.insert(range.first.value + i);
  }
  ASSERT_EQ(members, model);
  ASSERT_EQ(set.count(), model.size());
}

TEST(RangeSetRandomOperations, AgreeWithAPlainSet) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    RangeSet set;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 200; ++step) {
      const IndexRange range{{random() % 64}, random() % 12};
      const bool adds = random() % 2 == 0;
      adds ? set.add(range) : set.remove(range);
      for (std::uint64_t i = range.first.value; i < range.end().value; ++i) {
        adds ? static_cast<void>(model.insert(i)) : static_cast<void>(model.erase(i));
      }
      expect_same(set, model);

      const IndexRange asked{{random() % 64}, random() % 12};
      RangeSet part;
      std::uint64_t expected = 0;
      for (const IndexRange& piece : set.intersection(asked)) part.add(piece);
      for (std::uint64_t i = asked.first.value; i < asked.end().value; ++i) {
        const bool in_model = model.contains(i);
        expected += in_model;
        ASSERT_EQ(set.contains(TaskIndex{i}), in_model);
        ASSERT_EQ(part.contains(TaskIndex{i}), in_model);
      }
      ASSERT_EQ(part.count(), expected);
      ASSERT_EQ(set.contains(asked), expected == asked.count);
    }
  }
}

}  // namespace
}  // namespace fanmill
