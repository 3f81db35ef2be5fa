#include "producer/grouped_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "producer/limited_source.hpp"
#include "proto/limits.hpp"
#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

GroupedSource groups(Source source, std::uint32_t size) { return {std::move(source), size}; }

TEST(Grouped, PutsSoManyValuesTogetherAndTheRestInALastShorterGroup) {
  auto source = groups(opened({.lists = {list({"a", "2", "", "x y", "e"})}}), 2);
  EXPECT_EQ(source.total(), 3u);
  const Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",2]", "[\"\",\"x y\"]", "[\"e\"]"));
  EXPECT_EQ(got.supply, Supply::kEnd);
}

TEST(Grouped, EndsWithAFullGroupWhereTheValuesAreEnough) {
  auto source = groups(opened({.lists = {list({"a", "b", "c", "d"})}}), 2);
  EXPECT_EQ(source.total(), 2u);
  EXPECT_THAT(take(source).tuples, ElementsAre("[\"a\",\"b\"]", "[\"c\",\"d\"]"));
}

TEST(Grouped, OfNothingAreNone) {
  const TextFile empty("");
  auto source = groups(opened({.lists = {files({empty.path()})}}), 3);
  EXPECT_THAT(take(source).tuples, IsEmpty());
}

TEST(Grouped, WaitsForTheRestOfAGroup) {
  Pipe pipe("a\nb\nc\n");
  auto source = groups(combined(streamed(pipe)), 2);
  EXPECT_GE(source.wait_fd(), -1);
  Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",\"b\"]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  pipe.write("d\ne\n");
  got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"c\",\"d\"]"));
  pipe.close_writer();
  got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"e\"]"));
  EXPECT_EQ(got.supply, Supply::kEnd);
}

TEST(Grouped, ReadNoFurtherThanALimitNeeds) {
  Pipe pipe("a\nb\nc\nd\n");
  LimitedSource source(std::make_unique<GroupedSource>(combined(streamed(pipe)), 2), 2);
  const Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",\"b\"]", "[\"c\",\"d\"]"));
  EXPECT_EQ(got.supply, Supply::kEnd);
}

TEST(Grouped, AreFilledOverManyChunks) {
  auto source = groups(opened({.ranges = {"n=1..100000"}}), 3);
  const Taken got = take(source);
  ASSERT_EQ(got.tuples.size(), 33334U);
  EXPECT_EQ(got.tuples[12345], "[37036,37037,37038]");
  EXPECT_EQ(got.tuples.back(), "[100000]");
}

TEST(Grouped, OfManyValuesHaveTheLongHeadOfAnArray) {
  for (const std::uint32_t size : {15U, 16U, 65535U, limits::kTupleElementsMax}) {
    auto source = groups(opened({.ranges = {"n=1..70000"}}), size);
    ChunkBuilder chunk;
    ASSERT_TRUE(source.fill(chunk, 1));
    const auto bytes = chunk.take().bytes;
    std::size_t at = 0;
    const auto value = decode_msgpack(bytes, at);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->as<Array>()->size(), size);
  }
}

TEST(Grouped, TakeSingleValuesAlone) {
  const TextFile file("1\n[2]\n[3,4]\n[5]\n", ".jsonl");
  auto source = groups(opened({.path = file.path()}), 2);
  const Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[1,2]"));
  EXPECT_EQ(got.error, "-N puts single values together, but a tuple of the input has 2 elements");
}

}  // namespace
}  // namespace fanmill::producer
