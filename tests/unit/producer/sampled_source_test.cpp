#include "producer/sampled_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "producer/json_source.hpp"
#include "producer/limited_source.hpp"
#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

Source sampled(const char* share, std::uint64_t seed, const std::string& range) {
  const auto parsed = parse_share(share);
  EXPECT_TRUE(parsed) << share;
  return std::make_unique<SampledSource>(opened({.ranges = {range}}), *parsed, seed);
}

TEST(Share, IsReadExactly) {
  EXPECT_EQ(parse_share("50%")->threshold, std::uint64_t{1} << 63);
  EXPECT_EQ(parse_share("25.0%")->threshold, std::uint64_t{1} << 62);
  EXPECT_EQ(parse_share("0%"), (Share{}));
  EXPECT_EQ(parse_share("100%"), (Share{.all = true}));
  EXPECT_EQ(parse_share("100.000000000000000%"), (Share{.all = true}));
  EXPECT_EQ(parse_share("0.000000000000001%")->threshold, 184U);
  EXPECT_EQ(parse_share("99.999999999999999%")->threshold, UINT64_MAX - 184U);
}

TEST(Share, RefusesWhatIsNone) {
  for (const char* const text :
       {"", "%", "10", "-1%", "101%", "100.1%", "1e1%", ".5%", "5.%", "1.1.1%", "10%%", " 10%",
        "0.0000000000000001%", "99999999999999999999999%"}) {
    const auto share = parse_share(text);
    ASSERT_FALSE(share) << text;
    EXPECT_EQ(share.error().code, ErrorCode::kUsage);
  }
}

TEST(Sample, IsOfThePublishedHash) {
  // SplitMix64 from state 0 gives e220a8397b1dcdaf first.
  // With i = mix(seed), mix(mix(seed) ^ i) is mix(0); and mix(0) is also the mix of seed 0.
  constexpr std::uint64_t kMixOfZero = 0xe220a8397b1dcdafU;
  EXPECT_FALSE(is_kept({.threshold = kMixOfZero}, 0, kMixOfZero));
  EXPECT_TRUE(is_kept({.threshold = kMixOfZero + 1}, 0, kMixOfZero));
}

TEST(Sample, KeepsTheShareOfEveryInputWithinChance) {
  for (const std::uint64_t seed : {0U, 1U, 2U, 77U}) {
    const std::size_t kept = take(*sampled("10%", seed, "n=1..100000"), 200000).tuples.size();
    EXPECT_NEAR(static_cast<double>(kept), 10000, 5 * 95);  // five standard deviations
  }
}

TEST(Sample, IsTheSameAtEveryRunAndAnotherForAnotherSeed) {
  const auto once = take(*sampled("20%", 3, "n=1..1000")).tuples;
  EXPECT_EQ(take(*sampled("20%", 3, "n=1..1000")).tuples, once);
  EXPECT_NE(take(*sampled("20%", 4, "n=1..1000")).tuples, once);
  EXPECT_THAT(once, IsSubsetOf(take(*sampled("30%", 3, "n=1..1000")).tuples));
}

TEST(Sample, OfNothingReadsNothingAndOfAllIsTheSource) {
  auto none = sampled("0%", 0, "n=1..1000");
  EXPECT_EQ(none->total(), 0U);
  EXPECT_THAT(take(*none).tuples, IsEmpty());
  auto all = sampled("100%", 0, "n=1..3");
  EXPECT_EQ(all->total(), 3U);
  EXPECT_THAT(take(*all).tuples, ElementsAre("[1]", "[2]", "[3]"));
  EXPECT_FALSE(sampled("50%", 0, "n=1..3")->total());
}

TEST(Sample, IsLimitedToWhatIsLeft) {
  const auto all = take(*sampled("1%", 0, "n=1..100000")).tuples;
  LimitedSource limited(sampled("1%", 0, "n=1..100000"), 5);
  EXPECT_EQ(take(limited).tuples, (Words{all.begin(), all.begin() + 5}));
}

TEST(Sample, OfASmallShareComesBackFromTimeToTime) {
  auto source = sampled("0.000000000000001%", 0, "n=1..1000000000000");
  ChunkBuilder chunk;
  const auto supply = source->fill(chunk, 64);
  ASSERT_TRUE(supply);
  EXPECT_EQ(*supply, Supply::kMore);
  EXPECT_TRUE(chunk.empty());
}

TEST(Sample, StreamsAndHandsErrorsOnBehindWhatCameBefore) {
  Pipe in("1\n2\n");
  SampledSource source(std::make_unique<JsonLinesSource>(in.reader()),
                       *parse_share("99.999999999999%"), 0);
  Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[1]", "[2]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  in.write("3\noops\n");
  got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[3]"));
  EXPECT_NE(got.error.find("line 4"), std::string::npos);
  EXPECT_NE(take(source).error.find("line 4"), std::string::npos);
}

TEST(Sample, HandsTheSignatureOn) {
  SampledSource source(opened({.lists = {list({"007"})}}), *parse_share("100%"), 0);
  source.set_signature(*parse_signature("(s: str)"));
  EXPECT_THAT(take(source).tuples, ElementsAre("[\"007\"]"));
}

}  // namespace
}  // namespace fanmill::producer
