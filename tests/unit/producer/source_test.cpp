// Sources: what text becomes, and how errors name the place.
#include "producer/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "producer/csv_source.hpp"
#include "producer/json_source.hpp"
#include "proto/limits.hpp"
#include "proto/text_value.hpp"
#include "proto/value.hpp"
#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Taken json(const std::string& text) {
  Pipe in(text);
  in.close_writer();
  JsonLinesSource source(in.reader());
  return take(source);
}

Taken csv(const std::string& text, std::vector<std::string>* names = nullptr) {
  Pipe in(text);
  in.close_writer();
  auto source = CsvSource::make(in.reader());
  if (!source) return {.tuples = {}, .supply = Supply::kEnd, .error = source.error().message};
  if (names != nullptr) *names = (*source)->names();
  return take(**source);
}

std::string typed(std::string_view text) {
  std::string bytes;
  append_typed(bytes, text);
  std::string out;
  std::size_t at = 0;
  EXPECT_TRUE(append_json_from_msgpack(out, bytes, at));
  return out;
}

TEST(JsonLines, ArraysArePositionalObjectsNamedScalarsOneTuples) {
  EXPECT_THAT(json("[1,\"x\"]\n{\"a\":1,\"b\":[true,null]}\n7\n\"text\"\nnull\n-2.5\n[]\n").tuples,
              ElementsAre("[1,\"x\"]", "{\"a\":1,\"b\":[true,null]}", "[7]", "[\"text\"]", "[null]",
                          "[-2.5]", "[]"));
}

TEST(JsonLines, BlankLinesCrLfAndAMissingLastLineEndAreFine) {
  EXPECT_THAT(json("1\r\n\n   \n[2]\r\n3").tuples, ElementsAre("[1]", "[2]", "[3]"));
}

TEST(JsonLines, AByteOrderMarkIsPassedOver) {
  EXPECT_THAT(json("\xef\xbb\xbf"
                   "1\n2\n")
                  .tuples,
              ElementsAre("[1]", "[2]"));
}

TEST(JsonLines, IntegersKeepTheirValueUpTo64Bits) {
  EXPECT_THAT(
      json("0\n-1\n999999999999999999\n9223372036854775807\n-9223372036854775808\n"
           "18446744073709551615\n[12345678901234567890]\n")
          .tuples,
      ElementsAre("[0]", "[-1]", "[999999999999999999]", "[9223372036854775807]",
                  "[-9223372036854775808]", "[18446744073709551615]", "[12345678901234567890]"));
}

TEST(JsonLines, EscapesAndUnicodeArriveAsText) {
  EXPECT_THAT(json("[\"a\\n\\\"b\\\"\",\"\\u00e9\\ud83d\\ude00\",\"é\"]\n").tuples,
              ElementsAre("[\"a\\n\\\"b\\\"\",\"é😀\",\"é\"]"));
}

TEST(JsonLines, LongArraysGetALongHead) {
  std::string line = "[";
  for (int i = 0; i < 70000 / 70; ++i) line += (i > 0 ? "," : "") + std::to_string(i % 10);
  line += "]";
  EXPECT_THAT(json(line + "\n[[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7],2]\n").tuples,
              ElementsAre(line, "[[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7],2]"));
}

struct BadLine {
  const char* line;
  const char* reason;
};
class JsonLinesBad : public ::testing::TestWithParam<BadLine> {};

TEST_P(JsonLinesBad, StopsThereAndNamesThePlace) {
  const Taken got = json(std::string("[1]\n\n[2]\n") + GetParam().line + "\n[3]\n");
  EXPECT_THAT(got.tuples, ElementsAre("[1]", "[2]"));
  EXPECT_THAT(got.error, HasSubstr("in, line 4, column "));
  EXPECT_THAT(got.error, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, JsonLinesBad,
    ::testing::Values(BadLine{"[1,]", ""}, BadLine{"[1", "not closed"},
                      BadLine{"[1] [2]", "more than one"}, BadLine{"1 2", "more than one"},
                      BadLine{"{\"a\" 1}", ""}, BadLine{"hello", "double quotes"},
                      BadLine{"007", "leading zeros"}, BadLine{"[007]", "leading zeros"},
                      BadLine{"\"open", "does not end"}, BadLine{"[\"\xff\"]", "UTF-8"},
                      BadLine{"123456789012345678901234", "64 bits"},
                      BadLine{"[123456789012345678901234]", "64 bits"}, BadLine{"1e999", "double"},
                      BadLine{"nul", ""}, BadLine{"truex", ""}, BadLine{"NaN", ""},
                      BadLine{"'a'", ""}, BadLine{"[[[[[[[[[1]]]]]]]]]", "nested too deeply"},
                      BadLine{"[1]]", ""}, BadLine{"-", ""}, BadLine{"{\"a\":1,}", ""},
                      BadLine{"[\"\\q\"]", "escape"}, BadLine{"5,", "more than one"},
                      BadLine{"\"a\"\"b\"", "more than one"}, BadLine{"nullnull", ""}));

TEST(JsonLines, ColumnsPointToTheFault) {
  EXPECT_THAT(json("[1, 2, x]\n").error, HasSubstr("line 1, column 8"));
  EXPECT_THAT(json("\xef\xbb\xbf"
                   "x\n")
                  .error,
              HasSubstr("line 1, column 4"));
}

TEST(JsonLines, SaysWhenThereIsNothingNow) {
  Pipe in("[1]\n[2");
  JsonLinesSource source(in.reader());
  Taken got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[1]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  in.write("2]\n3\n");
  got = take(source);
  EXPECT_THAT(got.tuples, ElementsAre("[22]", "[3]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  in.close_writer();
  EXPECT_EQ(take(source).supply, Supply::kEnd);
}

TEST(JsonLines, StopsAtTheNumberAskedFor) {
  Pipe in("1\n2\n3\n");
  in.close_writer();
  JsonLinesSource source(in.reader());
  ChunkBuilder chunk;
  ASSERT_EQ(*source.fill(chunk, 2), Supply::kMore);
  EXPECT_EQ(chunk.tuples(), 2u);
}

TEST(JsonLines, LinesLongerThanTheBufferAreRead) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("fanmill-long-line-" + std::to_string(getpid()) + ".jsonl");
  const std::string text(3 * limits::kMiB, 'x');
  {
    std::ofstream file(path);
    file << "\"before\"\n\"" << text << "\"\n\"after\"\n";
  }
  auto source = open_source({.path = path.string(), .lists = {}});
  ASSERT_TRUE(source);
  const Taken got = take(**source);
  std::filesystem::remove(path);
  EXPECT_THAT(got.tuples, ElementsAre("[\"before\"]", "[\"" + text + "\"]", "[\"after\"]"));
}

TEST(Csv, TheHeaderNamesThePositionalTuples) {
  std::vector<std::string> names;
  EXPECT_THAT(csv("seconds,message\n1,one\n2.5,two\n", &names).tuples,
              ElementsAre("[1,\"one\"]", "[2.5,\"two\"]"));
  EXPECT_THAT(names, ElementsAre("seconds", "message"));
}

TEST(Csv, QuotesHoldCommasLineEndsAndQuotes) {
  EXPECT_THAT(csv("a,b\n\"x,y\",\"line 1\nline 2\"\n\"say \"\"hi\"\"\",\"\"\n").tuples,
              ElementsAre("[\"x,y\",\"line 1\\nline 2\"]", "[\"say \\\"hi\\\"\",\"\"]"));
}

TEST(Csv, CrLfBlankLinesAndAMissingLastLineEndAreFine) {
  EXPECT_THAT(csv("a,b\r\n1,2\r\n\r\n3,4").tuples, ElementsAre("[1,2]", "[3,4]"));
}

TEST(Csv, SpacesArePartOfAField) {
  EXPECT_THAT(csv("a,b\n x ,y z\n").tuples, ElementsAre("[\" x \",\"y z\"]"));
}

TEST(Csv, ARowOfAnotherLengthIsNamedByItsLine) {
  const Taken got = csv("a,b\n1,\"x\ny\"\n3\n5,6\n");
  EXPECT_THAT(got.tuples, ElementsAre("[1,\"x\\ny\"]"));
  EXPECT_THAT(got.error, HasSubstr("in, line 4: 1 field, but the header names 2"));
}

TEST(Csv, AStrayQuoteIsNamedByLineAndColumn) {
  EXPECT_THAT(csv("a,b\r\n1,2\r\n3,x\"y\r\n").error, HasSubstr("in, line 3, column 4: a quote"));
}

TEST(Csv, AQuoteThatNeverEndsIsNamed) {
  EXPECT_THAT(csv("a,b\n1,\"x\n").error, HasSubstr("does not end"));
}

TEST(Csv, RefusesAHeaderThatNamesNothingOrTheSameTwice) {
  EXPECT_THAT(csv("").error, HasSubstr("empty"));
  EXPECT_THAT(csv("a,b,a\n1,2,3\n").error, HasSubstr("two columns are called \"a\""));
}

TEST(Csv, AHeaderAloneIsAnInputWithoutRows) {
  const Taken got = csv("a,b\n");
  EXPECT_THAT(got.tuples, IsEmpty());
  EXPECT_EQ(got.error, "");
}

TEST(TextAsValue, IsANumberOnlyIfItPrintsBackIdentically) {
  for (const char* number : {"0", "7", "-1", "42", "9223372036854775807", "18446744073709551615",
                             "0.5", "-2.25", "1.0", "3.14159"}) {
    EXPECT_EQ(typed(number), number);
  }
  for (const char* text : {"007", "+3",   "1.50", "-0",   "1e5",
                           "",    " 1",   "1 ",   "0x10", "nan",
                           "inf", "true", "null", "1,5",  "18446744073709551616",
                           ".5",  "5.",   "-",    "--1",  "1_000"}) {
    EXPECT_EQ(typed(text), "\"" + std::string(text) + "\"");
  }
}

TEST(OpenSource, ExplainsWhatItCannotOpen) {
  const auto message = [](const std::string& path) {
    const auto source = open_source({.path = path, .lists = {}});
    EXPECT_FALSE(source);
    return source ? std::string() : source.error().message;
  };
  EXPECT_THAT(message("/no/such/file.jsonl"), HasSubstr("No such file"));
  EXPECT_THAT(message("/tmp"), HasSubstr("directory"));
  EXPECT_THAT(message("/etc/passwd"), HasSubstr(".jsonl"));
  EXPECT_THAT(open_source({}).error().message, HasSubstr("no input"));
}

}  // namespace
}  // namespace fanmill::producer
