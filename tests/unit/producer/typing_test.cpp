// Text becomes what a function takes, and every tuple is held against its signature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "producer/csv_source.hpp"
#include "producer/json_source.hpp"
#include "producer/limited_source.hpp"
#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kNorm = "(x: float, y: float, label: str = \"a\") -> float";

Taken typed(TupleSource& source, const std::string& signature) {
  const auto parsed = parse_signature(signature);
  EXPECT_TRUE(parsed) << signature;
  source.set_signature(*parsed);
  return take(source);
}
Taken csv(const std::string& signature, const std::string& text) {
  Pipe in(text);
  in.close_writer();
  auto source = CsvSource::make(in.reader());
  EXPECT_TRUE(source) << source.error().message;
  return typed(**source, signature);
}
Taken json(const std::string& signature, const std::string& text) {
  Pipe in(text);
  in.close_writer();
  JsonLinesSource source(in.reader());
  return typed(source, signature);
}
Taken values(const std::string& signature, const InputSpec& spec) {
  return typed(*opened(spec), signature);
}

TEST(TypedCsv, FieldsBecomeWhatTheirParametersTake) {
  EXPECT_THAT(csv("(s: str, i: int, f: float, b: bool, a)",
                  "s,i,f,b,a\n007,007,1.50,true,007\n"
                  "42,42,3,False,42\n")
                  .tuples,
              ElementsAre(R"(["007",7,1.5,true,"007"])", R"(["42",42,3,false,42])"));
}

TEST(TypedCsv, AnEmptyFieldIsNullWhereNullIsTaken) {
  EXPECT_THAT(csv("(s: str?, i: int?, t: str)", "s,i,t\n,,\n\"\",1,x\n").tuples,
              ElementsAre(R"([null,null,""])", R"([null,1,"x"])"));
}

TEST(TypedCsv, ListsAndMapsAreJson) {
  EXPECT_THAT(
      csv("(l: list[int], m: map)", "l,m\n\"[1, 2]\",\"{\"\"a\"\": [\"\"x\"\"]}\"\n").tuples,
      ElementsAre(R"([[1,2],{"a":["x"]}])"));
  EXPECT_THAT(csv("(l: list[int])", "l\n\"[1, true]\"\n").error,
              HasSubstr("l should be a list[int], not \"[1, true]\""));
  EXPECT_THAT(csv("(l: list[int])", "l\n[1\n").error, HasSubstr("not \"[1\""));
}

TEST(TypedCsv, ColumnsGoToParametersByName) {
  const Taken got = csv("(n: int, s: str)", "s,n\n1,2\n");
  EXPECT_THAT(got.tuples, ElementsAre(R"(["1",2])"));
}

TEST(TypedCsv, LinesAreCountedWhateverEndsThem) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    EXPECT_THAT(csv("(a: int)", "a" + end + "1" + end + end + "2" + end + "x" + end).error,
                HasSubstr("line 5, "));
  }
}

TEST(TypedCsv, AByteOrderMarkMayStandBeforeAQuote) {
  EXPECT_THAT(csv("(a, b)", "\xef\xbb\xbf\"b\",a\n1,2\n").tuples, ElementsAre("[1,2]"));
  EXPECT_THAT(csv("(a, b)",
                  "\xef\xbb\xbf"
                  "b,a\n1,2\n")
                  .tuples,
              ElementsAre("[1,2]"));
}

TEST(Csv, AHeaderThatBeginsAsAByteOrderMarkDoesIsKept) {
  Pipe in("\xef\xbb\xbc,b\n1,2\n");
  in.close_writer();
  const auto source = CsvSource::make(in.reader());
  ASSERT_TRUE(source);
  EXPECT_THAT((*source)->names(), ElementsAre("\xef\xbb\xbc", "b"));
}

TEST(TypedCsv, AMisfitNamesLineColumnHeaderTypeAndText) {
  const Taken got = csv(kNorm, "x,y,label\n1,2,\"a\nb\"\n3,\"4\n\",c\n5,abc,d\n");
  EXPECT_THAT(got.tuples, ElementsAre("[1,2,\"a\\nb\"]"));
  EXPECT_EQ(got.error, "in, line 4, column 2 (\"y\"): y should be a float, not \"4\\n\"");
  EXPECT_EQ(csv(kNorm, "left,right\n1,x\n").error,
            "in, line 2, column 2 (\"right\"): y should be a float, not \"x\"");
}

TEST(TypedCsv, AHeaderThatDoesNotFitIsNamedBeforeAnyRow) {
  EXPECT_THAT(csv(kNorm, "x,label\n1,a\n").error,
              HasSubstr("in, line 1: the header does not fit: the parameter `y` is missing"));
  EXPECT_THAT(csv(kNorm, "x,y,lable\n1,2,a\n").error, HasSubstr("did you mean `label`?"));
  EXPECT_THAT(csv(kNorm, "a\n1\n").error, HasSubstr("1 parameter, but 2 to 3 are taken"));
  EXPECT_THAT(csv(kNorm, "a\n1\n").tuples, IsEmpty());
}

TEST(TypedCsv, MissingDefaultsAreFine) {
  EXPECT_THAT(csv(kNorm, "y,x\n1,2\n").tuples, ElementsAre("[1,2]"));
}

TEST(TypedJson, RowsAreChecked) {
  const Taken got = json(kNorm, "[1,2]\n{\"y\":1,\"x\":2.5}\n[1,2,\"b\"]\n[1,\"2\"]\n[1,2]\n");
  EXPECT_THAT(got.tuples, ElementsAre("[1,2]", "{\"y\":1,\"x\":2.5}", "[1,2,\"b\"]"));
  EXPECT_EQ(got.error, "in, line 4: y should be a float, not \"2\"");
  EXPECT_THAT(json(kNorm, "7\n").error, HasSubstr("in, line 1: 1 parameter, but 2 to 3 are taken"));
  EXPECT_THAT(json(kNorm, "{\"x\":1,\"lable\":2}\n").error,
              HasSubstr("there is no parameter `lable`; did you mean `label`?"));
}

TEST(TypedLists, AreWhatTheirParametersTake) {
  EXPECT_THAT(
      values("(s: str, f: float)", {.lists = {list({"007", "7"}), list({"1", "1.50"})}}).tuples,
      ElementsAre("[\"007\",1]", "[\"007\",1.5]", "[\"7\",1]", "[\"7\",1.5]"));
}

TEST(TypedLists, AMisfitIsNamedBeforeAnythingIsFed) {
  const Taken got = values("(x: float)", {.lists = {list({"1", "2", "abc"})}});
  EXPECT_THAT(got.tuples, IsEmpty());
  EXPECT_EQ(got.error, "x should be a float, not \"abc\" (value 3 behind its `:::`)");
}

TEST(TypedLists, TooManyAndTooFewShowTheSignature) {
  EXPECT_EQ(values("(a, b) -> int", {.lists = {list({"1"})}}).error,
            "the input does not fit the function: 1 parameter, but 2 are taken; the function takes "
            "(a, b) -> int");
  EXPECT_THAT(values("()", {.lists = {list({"1"})}}).error,
              HasSubstr("1 parameter, but 0 are taken"));
}

TEST(TypedLines, OfAFileAreNamedByTheirLine) {
  const TextFile file("1\n2\nx\n");
  const Taken got = values("(n: int)", {.lists = {files({file.path()})}});
  EXPECT_THAT(got.tuples, ElementsAre("[1]", "[2]"));
  EXPECT_THAT(got.error, HasSubstr(file.path() + ", line 3: n should be an int, not \"x\""));
}

TEST(TypedLines, AreTextUnlessAParameterSaysOtherwise) {
  const TextFile file("1\n007\n");
  EXPECT_THAT(values("(v)", {.path = file.path(), .lines = true}).tuples,
              ElementsAre("[\"1\"]", "[\"007\"]"));
  EXPECT_THAT(values("(v: any?)", {.path = file.path(), .lines = true}).tuples,
              ElementsAre("[\"1\"]", "[\"007\"]"));
  EXPECT_THAT(values("(v: int)", {.path = file.path(), .lines = true}).tuples,
              ElementsAre("[1]", "[7]"));
}

TEST(TypedRanges, AreChecked) {
  EXPECT_THAT(values("(n: float)", {.ranges = {"n=1..2"}}).tuples, ElementsAre("[1]", "[2]"));
  EXPECT_EQ(values("(n: str)", {.ranges = {"n=1..2"}}).error,
            "--range n=...: n should be a str, but a range gives integers");
  EXPECT_THAT(values("(n: int)", {.ranges = {"n=0..1..0.5"}}).error,
              HasSubstr("n should be an int, but a range gives decimals"));
}

TEST(TypedRanges, NamesThatCoverOnlySomeParametersAreRefused) {
  EXPECT_THAT(values(kNorm, {.ranges = {"x=1..2"}}).error, HasSubstr("parameter `y` is missing"));
  EXPECT_THAT(values(kNorm, {.ranges = {"x=1..2", "z=1..2"}}).error,
              HasSubstr("there is no parameter `z`"));
}

TEST(TypedRanges, LeaveOtherListsTheParametersThatAreLeft) {
  EXPECT_THAT(values("(s: str, n: int)", {.ranges = {"n=1..2"}, .lists = {list({"7"})}}).tuples,
              ElementsAre("[1,\"7\"]", "[2,\"7\"]"));
}

TEST(TypedLimit, HandsTheSignatureOn) {
  LimitedSource source(opened({.lists = {list({"007", "7"})}}), 1);
  EXPECT_THAT(typed(source, "(s: str)").tuples, ElementsAre("[\"007\"]"));
}

TEST(Untyped, TrivialSignaturesChangeNothing) {
  EXPECT_THAT(csv("(...)", "a,b\n007,7\n").tuples, ElementsAre("[\"007\",7]"));
  EXPECT_THAT(json("(...)", "[1,2]\n{}\n[]\n").tuples, ElementsAre("[1,2]", "{}", "[]"));
  EXPECT_THAT(values("(...)", {.lists = {list({"007", "7"})}}).tuples,
              ElementsAre("[\"007\"]", "[7]"));
}

TEST(NullEndedLines, HoldLineEnds) {
  const TextFile file(std::string("a b\0c\nd\0\0last", 13));
  EXPECT_THAT(tuples({.path = file.path(), .lines = true, .line_end = '\0'}),
              ElementsAre("[\"a b\"]", "[\"c\\nd\"]", "[\"\"]", "[\"last\"]"));
  EXPECT_THAT(tuples({.lists = {files({file.path()})}, .line_end = '\0'}),
              ElementsAre("[\"a b\"]", "[\"c\\nd\"]", "[\"\"]", "[\"last\"]"));
}

TEST(UnclosedJson, NamesWhereTheInnermostOneBegan) {
  EXPECT_EQ(json("(...)", "[0, [1, {\"]\": 2}\n").error,
            "in, line 1, column 17: the array that begins in column 5 is not closed");
  EXPECT_THAT(json("(...)", "[1, {\"a\": [2], \"b\\\"\": 3\n").error,
              HasSubstr("the object that begins in column 5 is not closed"));
  EXPECT_EQ(json("(...)", "[1, 2}\n").error,
            "in, line 1, column 6: a `}`, but the array that begins in column 1 is to be closed");
  EXPECT_EQ(json("(...)", "[\"a\", \"b, \\\"c]\n").error,
            "in, line 1, column 7: a string that does not end");
}

}  // namespace
}  // namespace fanmill::producer
