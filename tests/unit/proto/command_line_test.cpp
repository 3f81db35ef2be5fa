#include "proto/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/shell_quote.hpp"

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

TaskText task_of(std::vector<std::string> values) {
  return {.values = std::move(values), .names = {"x"}, .number = 42, .slot = 3};
}
JobSpec shell_command(std::string line) {
  JobSpec spec;
  spec.shell = "/bin/sh";
  spec.argv = {std::move(line)};
  return spec;
}
JobSpec groups_of_two(std::vector<std::string> argv) {
  JobSpec spec;
  spec.argv = std::move(argv);
  spec.group = 2;
  return spec;
}

TEST(ShellQuoted, LeavesHarmlessWordsBare) {
  EXPECT_EQ(shell_line({"a-b_c.d/e+f", "", "a b", "it's", "'", "''", "a'", "$x", "\\", "ü"}),
            "a-b_c.d/e+f '' 'a b' 'it'\"'\"'s' \"'\" \"'\"''\"'\" 'a'\"'\" '$x' '\\' 'ü'");
}

TEST(CommandLine, GivesAShellItsWordsAsALineWithQuotedValues) {
  JobSpec spec = shell_command("echo {} >{1}.out");
  spec.argv.emplace_back("'{x}' {#} {%}");
  EXPECT_THAT(*CommandLine(spec).arguments(task_of({"a b", "c"})),
              ElementsAre("/bin/sh", "-c", "echo 'a b' c >'a b'.out ''a b'' 42 3"));
  EXPECT_EQ(*CommandLine(spec).line(task_of({"d"})), "echo d >d.out 'd' 42 3");
}

TEST(CommandLine, QuotesNothingForAShellWhereAValueIsTheCommand) {
  for (const char* const line : {"{}", "{1} -v {2}", "my_{.} {}", "{#}{1}"}) {
    EXPECT_EQ(CommandLine(shell_command(line)).line(task_of({"a b", "c;d"}))->find('\''),
              std::string::npos);
  }
  for (const char* const line : {" {}", "A={} b", "x {}", "\t{}"}) {
    EXPECT_NE(CommandLine(shell_command(line)).line(task_of({"a b", "c;d"}))->find('\''),
              std::string::npos);
  }
}

TEST(CommandLine, AppendsQuotedValuesToAShellLine) {
  EXPECT_EQ(*CommandLine(shell_command("cat | wc")).line(task_of({"a b", ""})),
            "cat | wc 'a b' ''");
}

TEST(CommandLine, ShowsAnArgumentVectorAsALineOfAShell) {
  JobSpec spec;
  spec.argv = {"echo", "x{}y", "", "{%}"};
  EXPECT_EQ(*CommandLine(spec).line(task_of({"a b", "c"})), "echo 'xa b' cy '' 3");
  TaskText unknown = task_of({"a"});
  unknown.slot = 0;
  EXPECT_EQ(*CommandLine(spec).line(unknown), "echo xay '' '{%}'");
}

TEST(CommandLine, RepeatsWordsForTheValuesOfAGroup) {
  EXPECT_THAT(
      *CommandLine(groups_of_two({"e", "x{}y{1}", "a {.}-{/} b"})).arguments(task_of({"u", "v"})),
      ElementsAre("e", "xuyu", "xvyu", "a u-u", "v-v b"));
  JobSpec line = shell_command("e <{}> '{}'  {2}");
  line.group = 2;
  EXPECT_EQ(*CommandLine(line).line(task_of({"u", "v w"})), "e <u> <'v w'> 'u' ''v w''  'v w'");
}

TEST(CommandLine, PutsNothingForWhatAShortGroupDoesNotHave) {
  EXPECT_THAT(
      *CommandLine(groups_of_two({"e", "{1}", "{2}", "{2//}", "{-2}"})).arguments(task_of({"u"})),
      ElementsAre("e", "u", "", "", ""));
  EXPECT_FALSE(CommandLine(groups_of_two({"e", "{3}"})).arguments(task_of({"u", "v"})));
}

TEST(CommandLine, AppendsNothingWhereAnotherTemplateTakesTheValues) {
  for (int which = 0; which < 4; ++which) {
    JobSpec spec;
    spec.argv = {"cat"};
    if (which == 0) spec.input = {"{1}"};
    if (which == 1) spec.chdir = "{}";
    if (which == 2) spec.env = {{"A", "{x}", true}};
    if (which == 3) spec.env = {{"A", "{x}", false}};
    EXPECT_EQ(CommandLine(spec).arguments(task_of({"v"}))->size(), which == 3 ? 2U : 1U) << which;
  }
}

TEST(TextTemplate, JoinsValuesWithSpacesAndQuotesNothing) {
  EXPECT_EQ(*TextTemplate("<{}> {2}\n{print}", 0).text(task_of({"a b", "c'"})),
            "<a b c'> c'\n{print}");
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
