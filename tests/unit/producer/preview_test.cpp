// The beginning of an input: all there is to run (--limit), or to look at (--dry-run).
#include "producer/preview.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "producer/limited_source.hpp"
#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kShown = 10;

TEST(Limited, GivesTheFirstTuplesAndNeitherReadsNorWaitsBeyondThem) {
  Pipe pipe("a\nb\n");
  LimitedSource source(combined(streamed(pipe)), 2);
  const Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\"]", "[\"b\"]"));
  EXPECT_EQ(got.supply, Supply::kEnd);
  EXPECT_EQ(source.total(), std::nullopt);
}

TEST(Limited, CountsOnIntoAChunkThatHoldsTuplesAlready) {
  LimitedSource source(opened({.ranges = {"n=1..100"}}), 5);
  EXPECT_EQ(source.total(), 5u);
  ChunkBuilder chunk;
  EXPECT_EQ(*source.fill(chunk, 3), Supply::kMore);
  EXPECT_EQ(*source.fill(chunk, 3), Supply::kMore);
  EXPECT_EQ(chunk.tuples(), 3u);
  EXPECT_EQ(*source.fill(chunk, 100), Supply::kEnd);
  EXPECT_EQ(chunk.tuples(), 5u);
}

TEST(Limited, BeyondTheEndAndOfNothing) {
  LimitedSource beyond(opened({.ranges = {"n=1..3"}}), 100);
  EXPECT_EQ(beyond.total(), 3u);
  EXPECT_EQ(take(beyond).tuples.size(), 3u);
  LimitedSource nothing(opened({.ranges = {"n=1..3"}}), 0);
  EXPECT_THAT(take(nothing).tuples, IsEmpty());
}

TEST(Previewed, ARangeShowsNamedTuplesAndItsNumber) {
  const Preview seen = preview(*opened({.ranges = {"n=1..1000000000000"}}), 2);
  EXPECT_THAT(seen.tuples, ElementsAre("{\"n\":1}", "{\"n\":2}"));
  EXPECT_EQ(seen.total, 1'000'000'000'000u);
}

TEST(Previewed, AFileIsCountedToItsEnd) {
  const TextFile file("a,b\n1,x\n2,y\n3,z\n", ".csv");
  const Preview seen = preview(*opened({.path = file.path()}), 2);
  EXPECT_THAT(seen.tuples, ElementsAre("{\"a\":1,\"b\":\"x\"}", "{\"a\":2,\"b\":\"y\"}"));
  EXPECT_EQ(seen.total, 3u);
  EXPECT_FALSE(seen.error);
}

TEST(Previewed, AMalformedRowBehindWhatIsShownIsFound) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "1\n";
  const TextFile file(text + "oops\n", ".jsonl");
  const Preview seen = preview(*opened({.path = file.path()}), kShown);
  EXPECT_EQ(seen.tuples.size(), kShown);
  ASSERT_TRUE(seen.error);
  EXPECT_THAT(seen.error->message, HasSubstr("line 51"));
}

TEST(Previewed, AnOpenStreamIsReadNoFurtherThanShown) {
  Pipe pipe("a\nb\nc\n");
  const Preview seen = preview(*combined(streamed(pipe)), 2);
  EXPECT_THAT(seen.tuples, ElementsAre("[\"a\"]", "[\"b\"]"));
  EXPECT_EQ(seen.total, std::nullopt);
}

TEST(Previewed, AStreamThatEndsEarlyIsCounted) {
  Pipe pipe("a\nb\n");
  pipe.close_writer();
  const Preview seen = preview(*combined(streamed(pipe)), kShown);
  EXPECT_EQ(seen.total, 2u);
}

TEST(Previewed, AStreamLinkedWithAListIsNotWaitedForEither) {
  Pipe pipe("a\nb\n");
  const Preview seen = preview(*combined(listed({"1", "2", "3"}), streamed(pipe, true)), 2);
  EXPECT_THAT(seen.tuples, ElementsAre("[1,\"a\"]", "[2,\"b\"]"));
  EXPECT_EQ(seen.total, std::nullopt);
}

}  // namespace
}  // namespace fanmill::producer
