#include "proto/part_series.hpp"

#include <gtest/gtest.h>

namespace fanmill {
namespace {

using namespace std::chrono_literals;

constexpr PeerId kPeer{1};
const MonoTime kNow{1000s};

TEST(PartSeries, PutsTheBlobTogether) {
  PartSeries series;
  EXPECT_TRUE(series.add_part(kPeer, part_header(6), "ab", kNow));
  EXPECT_TRUE(series.add_part(kPeer, part_header(4), "cd", kNow));
  const auto blob = series.finish(kPeer, Blob::copy_of("ef"));
  ASSERT_TRUE(blob);
  EXPECT_EQ(blob->view(), "abcdef");
  EXPECT_TRUE(series.empty());
}
TEST(PartSeries, LeavesMessagesOfOtherPeersAlone) {
  PartSeries series;
  EXPECT_TRUE(series.add_part(kPeer, part_header(4), "ab", kNow));
  EXPECT_EQ(series.finish(PeerId{2}, Blob::copy_of("x"))->view(), "x");
  EXPECT_EQ(series.finish(kPeer, Blob::copy_of("cd"))->view(), "abcd");
}
TEST(PartSeries, DropsABrokenSeriesWhole) {
  PartSeries series;
  EXPECT_TRUE(series.add_part(kPeer, part_header(9), "ab", kNow));
  EXPECT_FALSE(series.add_part(kPeer, part_header(6), "cd", kNow)) << "one is missing";
  EXPECT_TRUE(series.empty());
  EXPECT_TRUE(series.add_part(kPeer, part_header(9), "ab", kNow));
  EXPECT_FALSE(series.finish(kPeer, Blob::copy_of("too long a tail")));
  EXPECT_TRUE(series.empty());
}
TEST(PartSeries, RefusesMalformedAndOverlongParts) {
  PartSeries series;
  EXPECT_FALSE(series.add_part(kPeer, part_header(2), "ab", kNow)) << "a last part is no part";
  EXPECT_FALSE(series.add_part(kPeer, part_header(2), "", kNow));
  EXPECT_FALSE(series.add_part(kPeer, part_header(9) + "x", "ab", kNow));
  EXPECT_FALSE(series.add_part(kPeer, kPartMagic, "ab", kNow));
  EXPECT_FALSE(series.add_part(kPeer, part_header(limits::kBlobBytesMax + 1), "ab", kNow));
  const std::string long_part(limits::kPartBytesMax + 1, 'x');
  EXPECT_FALSE(series.add_part(kPeer, part_header(1u << 20), long_part, kNow));
  EXPECT_TRUE(series.empty());
  EXPECT_TRUE(series.add_part(kPeer, part_header(limits::kBlobBytesMax), "ab", kNow));
}
TEST(PartSeries, BoundsHowManyAreOpenButForgetsTheAbandoned) {
  PartSeries series;
  for (std::uint64_t peer = 1; peer <= 8; ++peer) {
    EXPECT_TRUE(series.add_part(PeerId{peer}, part_header(9), "ab", kNow));
  }
  EXPECT_FALSE(series.add_part(PeerId{9}, part_header(9), "ab", kNow + 1s));
  EXPECT_TRUE(series.add_part(PeerId{8}, part_header(7), "cd", kNow + 4s));
  EXPECT_TRUE(series.add_part(PeerId{9}, part_header(9), "ab", kNow + 6s));
  EXPECT_EQ(series.finish(PeerId{8}, Blob::copy_of("efghi"))->view(), "abcdefghi");
}

}  // namespace
}  // namespace fanmill
