// The command line's pure parts: how words are cut, quantities, exit codes, progress.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "producer/commands/argument_line.hpp"
#include "producer/exit_code.hpp"
#include "producer/quantities.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

ValueSpec list(Words words) { return {.words = std::move(words)}; }

TEST(MapLine, EverythingBehindTheFirstListIsValues) {
  const auto line = cut_map_line({"-j", "4", "f", ":::", "1", "--", "-x", ":::", "a"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->words, ElementsAre("-j", "4", "f"));
  EXPECT_THAT(line->lists, ElementsAre(list({"1", "--", "-x"}), list({"a"})));
}

TEST(MapLine, WithoutListsAllWordsArePassedOn) {
  const auto line = cut_map_line({"f", "-"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->words, ElementsAre("f", "-"));
  EXPECT_THAT(line->lists, IsEmpty());
}

TEST(ExecLine, InputThenCommand) {
  const auto line = cut_exec_line({"-j2", "in.csv", "--", "echo", "{}", "--", "x"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->words, ElementsAre("-j2", "in.csv"));
  EXPECT_THAT(line->command, ElementsAre("echo", "{}", "--", "x"));
  EXPECT_THAT(line->lists, IsEmpty());
}

TEST(ExecLine, ListsThenCommand) {
  const auto line = cut_exec_line({":::", "a", "b", ":::", "1", "--", "gzip", "-{2}", "{1}"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->words, IsEmpty());
  EXPECT_THAT(line->lists, ElementsAre(list({"a", "b"}), list({"1"})));
  EXPECT_THAT(line->command, ElementsAre("gzip", "-{2}", "{1}"));
}

TEST(ExecLine, CommandThenLists) {
  const auto line = cut_exec_line({"-j", "2", "gzip", "-k", ":::", "a", "b"});
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->has_command);
  EXPECT_THAT(line->words, ElementsAre("-j", "2", "gzip", "-k"));
  EXPECT_THAT(line->lists, ElementsAre(list({"a", "b"})));
}

TEST(ExecLine, ACommandBehindDashesMayHaveItsListsBehindIt) {
  const auto line = cut_exec_line({"--", "grep", "x", ":::", "a"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->command, ElementsAre("grep", "x"));
  EXPECT_THAT(line->lists, ElementsAre(list({"a"})));
}

TEST(ExecLine, NothingBehindTheDashesIsAUsageError) {
  const auto line = cut_exec_line({":::", "a", "--"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::kUsage);
  EXPECT_THAT(line.error().message, HasSubstr("no command behind `--`"));
}

TEST(ArgumentLine, EveryMarkBeginsAListOfItsKind) {
  const auto line =
      cut_exec_line({":::", "a", ":::+", "1", "::::", "f", "g", "::::+", "-", "--", "echo"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->lists, ElementsAre(list({"a"}), ValueSpec{.linked = true, .words = {"1"}},
                                       ValueSpec{.files = true, .words = {"f", "g"}},
                                       ValueSpec{.files = true, .linked = true, .words = {"-"}}));
  EXPECT_THAT(line->command, ElementsAre("echo"));
}

TEST(ArgumentLine, TheFirstMarkMayBeOfAnyKind) {
  EXPECT_THAT(cut_map_line({"f", "::::", "in.txt"})->lists,
              ElementsAre(ValueSpec{.files = true, .words = {"in.txt"}}));
  EXPECT_THAT(cut_exec_line({"echo", ":::+", "1"})->words, ElementsAre("echo"));
}

TEST(Quantities, Durations) {
  EXPECT_EQ(*parse_duration("90s"), 90s);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("1h 30m"), 90min);
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("5"), 5s);
  EXPECT_EQ(*parse_duration("2d"), 48h);
  for (const char* bad : {"", "x", "5x", "-1s", "1h30q", "s", "1e99d", "nan"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Quantities, Sizes) {
  EXPECT_EQ(*parse_size("64MiB"), 64u << 20);
  EXPECT_EQ(*parse_size("10MB"), 10'000'000u);
  EXPECT_EQ(*parse_size("512k"), 512u << 10);
  EXPECT_EQ(*parse_size("1G"), 1u << 30);
  EXPECT_EQ(*parse_size("100"), 100u);
  for (const char* bad : {"", "x", "5x", "-1", "1MiBs", "9e30", "99999999999TB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(ExitCode, FollowsTheManual) {
  const Error refused{ErrorCode::kUnknownFunction, "x"};
  const Error gone{ErrorCode::kUnreachable, "x"};
  const Error row{ErrorCode::kMalformedInput, "x"};
  EXPECT_EQ(exit_code_of(RunEnd{}), 0);
  EXPECT_EQ(exit_code_of(RunEnd{.not_ok = 2}), 1);
  EXPECT_EQ(exit_code_of(RunEnd{.error = refused}), 2);
  EXPECT_EQ(exit_code_of(RunEnd{.input_error = row, .not_ok = 2}), 2);
  EXPECT_EQ(exit_code_of(RunEnd{.error = gone, .not_ok = 2}), 3);
  EXPECT_EQ(exit_code_of(RunEnd{.interrupted = true, .error = gone, .not_ok = 2}), 130);
  EXPECT_EQ(exit_code_of(RunEnd{.reader_gone = true, .interrupted = true, .not_ok = 1}), 0);
}

}  // namespace
}  // namespace fanmill::producer
