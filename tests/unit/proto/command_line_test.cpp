#include "proto/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<std::vector<std::string>> filled(std::vector<std::string> argv, const Value& tuple,
                                        std::vector<std::string> names = {}) {
  JobSpec spec;
  spec.argv = std::move(argv);
  spec.names = std::move(names);
  std::string bytes;
  append_msgpack(bytes, tuple);
  std::size_t at = 0;
  TupleView view;
  EXPECT_TRUE(cut_tuple(bytes, at, view));
  EXPECT_EQ(at, bytes.size());
  const auto task = TaskText::of(view, spec.names, {41}, 3);
  if (!task) return tl::make_unexpected(task.error());
  return CommandLine(spec).arguments(*task);
}

TEST(CommandLine, PutsElementsWhereThePlaceholdersAre) {
  EXPECT_THAT(*filled({"cp", "{1}", "to/{2}", "{-1}"}, Array{"a", "b", "c"}),
              ElementsAre("cp", "a", "to/b", "c"));
  EXPECT_THAT(*filled({"echo", "<{}>"}, Array{"a", 2, true}),
              ElementsAre("echo", "<a", "2", "true>"));
  EXPECT_THAT(*filled({"echo", "{#}"}, Array{"a"}), ElementsAre("echo", "42"));
  EXPECT_THAT(*filled({"echo", "{%}.", "{%/}"}, Array{"a"}), ElementsAre("echo", "3.", "{%/}"));
}

TEST(CommandLine, AppendsElementsWithoutPlaceholders) {
  EXPECT_THAT(*filled({"echo", "-n"}, Array{"a b", 1}), ElementsAre("echo", "-n", "a b", "1"));
  EXPECT_THAT(*filled({"echo"}, Map{{"x", 1}}), ElementsAre("echo", "1"));
}

TEST(CommandLine, KnowsThePartsOfPaths) {
  const Value tuple = Array{"/a/b.c/d.tar.gz", "plain"};
  EXPECT_THAT(*filled({"{1.}", "{1/}", "{1//}", "{1/.}"}, tuple),
              ElementsAre("/a/b.c/d.tar", "d.tar.gz", "/a/b.c", "d.tar"));
  EXPECT_THAT(*filled({"{2.}", "{2/}", "{2//}", "{2/.}"}, tuple),
              ElementsAre("plain", "plain", ".", "plain"));
  EXPECT_THAT(*filled({"{.}", "{/}"}, Array{"/x/.hidden"}), ElementsAre("/x/", ".hidden"));
  EXPECT_THAT(*filled({"{.}", "{//}"}, Array{"/b.c/d"}), ElementsAre("/b.c/d", "/b.c"));
  EXPECT_THAT(*filled({"{/}", "{//}"}, Array{"a/b//"}), ElementsAre("", "a"));
  EXPECT_THAT(*filled({"{//}", "{//}"}, Array{"//"}), ElementsAre("/", "/"));
  EXPECT_THAT(*filled({"{/}", "{//}"}, Array{"a\nb/c"}), ElementsAre("a\nc", "a\nb"));
}

TEST(CommandLine, FindsElementsByName) {
  EXPECT_THAT(*filled({"run", "--n={n}", "{file/}"}, Array{3, "/x/y"}, {"n", "file"}),
              ElementsAre("run", "--n=3", "y"));
  EXPECT_THAT(*filled({"run", "{b}", "{a}"}, Map{{"a", 1}, {"b", 2}}),
              ElementsAre("run", "2", "1"));
}

TEST(CommandLine, LeavesOtherBracesAlone) {
  EXPECT_THAT(*filled({"awk", "{print $1}", "{print}", "${HOME}", "{{1}}", "{"}, Array{"f"}),
              ElementsAre("awk", "{print $1}", "{print}", "${HOME}", "{f}", "{"));
  EXPECT_THAT(*filled({"awk", "{print}"}, Array{"f"}), ElementsAre("awk", "{print}", "f"));
}

TEST(CommandLine, WritesValuesAsText) {
  EXPECT_THAT(*filled({"e"}, Array{nullptr, false, 2.5, -3, Array{1, "x"}, Bytes{"\x01"}}),
              ElementsAre("e", "", "false", "2.5", "-3", "[1,\"x\"]", "\x01"));
}

TEST(CommandLine, RefusesPositionsThatAreNotThere) {
  const auto refused = filled({"echo", "{3}"}, Array{1, 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kBadArguments);
  EXPECT_EQ(refused.error().message, "the command uses {3}, but the tuple has 2 elements");
  EXPECT_FALSE(filled({"echo", "{-3}"}, Array{1, 2}));
}

TEST(CommandLine, RefusesZeroBytes) {
  const auto refused = filled({"echo"}, Array{std::string("a\0b", 3)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("zero byte"));
}

TEST(TupleView, RefusesWhatIsNoTuple) {
  for (const std::string& bytes : {std::string(), std::string("\x05"), std::string("\x92\x01"),
                                   std::string("\xdc\x00"), std::string("\xdd\xff\xff\xff\xff"),
                                   std::string("\x91\xd9\x05"
                                               "ab"),
                                   std::string("\x91\xc1")}) {
    std::size_t at = 0;
    TupleView view;
    EXPECT_FALSE(cut_tuple(bytes, at, view)) << ::testing::PrintToString(bytes);
    EXPECT_EQ(at, 0U);
  }
}

TEST(TupleView, CutsOneTupleAfterAnother) {
  std::string bytes;
  append_msgpack(bytes, Array{1, -1, 300, 70000, -70000, 1.5, "x", std::string(40, 'y'), nullptr});
  const std::size_t first = bytes.size();
  append_msgpack(bytes, Map{{"k", Array{1, 2}}});
  std::size_t at = 0;
  TupleView view;
  ASSERT_TRUE(cut_tuple(bytes, at, view));
  EXPECT_EQ(at, first);
  EXPECT_EQ(view.elements().size(), 9U);
  ASSERT_TRUE(cut_tuple(bytes, at, view));
  EXPECT_EQ(at, bytes.size());
  EXPECT_TRUE(view.named);
  EXPECT_THAT(view.names(), ElementsAre("k"));
}

}  // namespace
}  // namespace fanmill
