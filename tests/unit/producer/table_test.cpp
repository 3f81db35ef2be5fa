// Tables for people, and text that cannot harm their terminal.
#include "producer/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "producer/visible_text.hpp"

namespace fanmill::producer {
namespace {

TEST(VisibleText, ControlCharactersAreShownNotSent) {
  EXPECT_EQ(visible("plain ä 漢 🎈"), "plain ä 漢 🎈");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(visible("\x1b[2J\n\t\r\x7f"), "\\x1b[2J\\x0a\\x09\\x0d\\x7f");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\x9b31m")
      << "a control character of two bytes";
  EXPECT_EQ(visible("a\xe2\x80\xae"
                    "b"),
            "a\\u202eb")
      << "turns the direction of writing";
}

TEST(VisibleText, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(visible("a\xff"
                    "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(visible("\xc0\x9b"), "\xef\xbf\xbd\xef\xbf\xbd") << "overlong";
  EXPECT_EQ(visible("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
  EXPECT_EQ(visible("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd") << "cut short";
  EXPECT_EQ(visible("\xf4\x90\x80\x80").find('\xf4'), std::string::npos) << "beyond Unicode";
}

TEST(VisibleText, CutsByColumnsNotBytes) {
  EXPECT_EQ(columns_of("aä漢"), 4u);
  EXPECT_EQ(columns_of("e\xcc\x81"), 1u) << "a combining accent";
  EXPECT_EQ(cut_to_columns("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to_columns("abcdef", 5), "abcd…");
  EXPECT_EQ(cut_to_columns("漢漢漢", 4), "漢…");
  EXPECT_EQ(cut_to_columns("ab", 1), "…");
  EXPECT_EQ(cut_to_columns("ab", 0), "");
}

const std::vector<TableColumn> kColumns{{.heading = "ID"},
                                        {.heading = "NAME", .least = 6},
                                        {.heading = "N", .right = true},
                                        {.heading = "AGE", .right = true, .leaves = 1},
                                        {.heading = "WHO", .leaves = 2}};
const std::vector<std::vector<TableCell>> kRows{
    {{"1"}, {"a long enough name"}, {"5"}, {"3m12s"}, {"me@here"}},
    {{"22"}, {"b"}, {"1000"}, {"1s"}, {""}}};

TEST(Table, IsAlignedWithoutBlanksAtTheEndsOfLines) {
  EXPECT_EQ(table_text(kColumns, kRows, {}),
            "ID  NAME                   N    AGE  WHO\n"
            "1   a long enough name     5  3m12s  me@here\n"
            "22  b                   1000     1s\n");
}

TEST(Table, FitsItsTerminalByShrinkingFirstAndLeavingThen) {
  EXPECT_EQ(table_text(kColumns, kRows, {.columns = 40}),
            "ID  NAME               N    AGE  WHO\n"
            "1   a long enough…     5  3m12s  me@here\n"
            "22  b               1000     1s\n");
  EXPECT_EQ(table_text(kColumns, kRows, {.columns = 28}),
            "ID  NAME       N    AGE\n"
            "1   a lon…     5  3m12s\n"
            "22  b       1000     1s\n");
  EXPECT_EQ(table_text(kColumns, kRows, {.columns = 16}),
            "ID  NAME       N\n"
            "1   a lon…     5\n"
            "22  b       1000\n");
}

TEST(Table, NoLineIsWiderThanItsTerminalWhileColumnsCanLeave) {
  for (std::size_t width = 16; width < 60; ++width) {
    std::istringstream lines(table_text(kColumns, kRows, {.columns = width}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(columns_of(line), width) << line;
  }
}

TEST(Table, WithoutRowsThereIsNothing) { EXPECT_EQ(table_text(kColumns, {}, {}), ""); }

TEST(Table, AColumnWithoutTextLeaves) {
  EXPECT_EQ(table_text({{.heading = "A"}, {.heading = "B"}, {.heading = "C"}},
                       {{{"1"}, {""}, {"3"}}}, {}),
            "A  C\n1  3\n");
}

TEST(Table, ColoursAreThereOnlyWhereTheyAreWanted) {
  const std::vector<std::vector<TableCell>> rows{{{"1", Colour::kRed}}};
  EXPECT_EQ(table_text({{.heading = "A"}}, rows, {}), "A\n1\n");
  EXPECT_EQ(table_text({{.heading = "A"}}, rows, {.colours = true}),
            "\x1b[1mA\x1b[0m\n\x1b[31m1\x1b[0m\n");
}

}  // namespace
}  // namespace fanmill::producer
