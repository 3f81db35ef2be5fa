// Ranges: their numbers, their names, and what is refused.
#include "producer/range.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Ranges, IncludeBothEnds) {
  const Source source = opened({.ranges = {"n=1..4"}});
  EXPECT_EQ(source->total(), 4u);
  EXPECT_THAT(source->names(), ElementsAre("n"));
  EXPECT_THAT(take(*source).tuples, ElementsAre("[1]", "[2]", "[3]", "[4]"));
  EXPECT_THAT(tuples({.ranges = {"n=-1..-1"}}), ElementsAre("[-1]"));
}

TEST(Ranges, AStepThatMissesTheEndStopsBeforeIt) {
  EXPECT_THAT(tuples({.ranges = {"n=1..10..4"}}), ElementsAre("[1]", "[5]", "[9]"));
  EXPECT_THAT(tuples({.ranges = {"n=3..0..-2"}}), ElementsAre("[3]", "[1]"));
}

TEST(Ranges, DecimalsAreWhatTheSameTextGives) {
  EXPECT_THAT(tuples({.ranges = {"x=0..0.7..0.1"}}),
              ElementsAre("[0.0]", "[0.1]", "[0.2]", "[0.3]", "[0.4]", "[0.5]", "[0.6]", "[0.7]"));
  EXPECT_THAT(tuples({.ranges = {"x=1.0..3"}}), ElementsAre("[1.0]", "[2.0]", "[3.0]"));
  EXPECT_THAT(tuples({.ranges = {"x=0.5..-0.25..-0.25"}}),
              ElementsAre("[0.5]", "[0.25]", "[0.0]", "[-0.25]"));
  const auto range = parse_range("x=0..1..0.001");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->count, 1001u);
}

TEST(Ranges, ReachTheEdgesOf64Bits) {
  EXPECT_THAT(tuples({.ranges = {"n=9223372036854775806..9223372036854775807"}}),
              ElementsAre("[9223372036854775806]", "[9223372036854775807]"));
  EXPECT_THAT(
      tuples({.ranges = {"n=-9223372036854775808..9223372036854775807..9223372036854775807"}}),
      ElementsAre("[-9223372036854775808]", "[-1]", "[9223372036854775806]"));
}

TEST(Ranges, SeveralMakeTheProductAndListsFollow) {
  const Source source = opened({.ranges = {"a=1..2", "b=0..0.5..0.5"}, .lists = {list({"x"})}});
  EXPECT_THAT(source->names(), ElementsAre("a", "b", "arg3"));
  EXPECT_THAT(take(*source).tuples,
              ElementsAre("[1,0.0,\"x\"]", "[1,0.5,\"x\"]", "[2,0.0,\"x\"]", "[2,0.5,\"x\"]"));
}

TEST(Ranges, AListMayGoInStepWithOne) {
  EXPECT_THAT(tuples({.ranges = {"n=1..1000000000000"}, .lists = {linked({"a", "b"})}}),
              ElementsAre("[1,\"a\"]", "[2,\"b\"]"));
}

TEST(Ranges, ALargeOneIsNotKeptInMemory) {
  const Source source = opened({.ranges = {"a=1..2", "n=1..1000000000000"}});
  EXPECT_EQ(source->total(), 2'000'000'000'000u);
  EXPECT_EQ(take(*source, 10).tuples.size(), 10u);
}

struct BadRange {
  const char* text;
  const char* reason;
};
class RangesBad : public ::testing::TestWithParam<BadRange> {};

TEST_P(RangesBad, AreRefusedWithTheSentenceThatHelps) {
  const std::string told = refusal({.ranges = {GetParam().text}});
  EXPECT_THAT(told, HasSubstr(std::string("--range ") + GetParam().text + ": "));
  EXPECT_THAT(told, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, RangesBad,
    ::testing::Values(
        BadRange{"n=1..", "without an end would never finish; give it one (n=1..100)"},
        BadRange{"n=1", "without an end"}, BadRange{"n=", "without an end"},
        BadRange{"1..10", "has no name"}, BadRange{"=1..10", "has no name"},
        BadRange{"n=..10", "\"\" is no number"}, BadRange{"n=1..x", "\"x\" is no nu"},
        BadRange{"n=1...5", "\".5\" is no number"}, BadRange{"n=1..1e9", "\"1e9\" is no number"},
        BadRange{"n=1..10..", "\"\" is no number"}, BadRange{"n=1..10:2", "NAME=FIRST..LAST..STEP"},
        BadRange{"n=1..2..3..4", "write --range"}, BadRange{"n=1..10..0", "step is 0"},
        BadRange{"n=1..10..-1", "change its sign"}, BadRange{"n=10..1", "n=10..1..-1"},
        BadRange{"n=+1..2", "\"+1\""}, BadRange{"n=--1..2", "\"--1\""},
        BadRange{"n=1..99999999999999999999", "64"},
        BadRange{"n=0..0.0000000000000001", "15 decimals"},
        BadRange{"n=0.000000000001..100000000", "digits"},
        BadRange{"n=-9223372036854775808..9223372036854775807", "counted"}));

TEST(Ranges, NamesAreToldApart) {
  EXPECT_THAT(refusal({.ranges = {"n=1..2", "n=1..3"}}), HasSubstr("two parameters are called"));
  EXPECT_THAT(refusal({.ranges = {"arg2=1..2"}, .lists = {list({"x"})}}), HasSubstr("\"arg2\""));
  EXPECT_THAT(refusal({.ranges = {std::string(300, 'n') + "=1..2"}}), HasSubstr("too long"));
}

}  // namespace
}  // namespace fanmill::producer
