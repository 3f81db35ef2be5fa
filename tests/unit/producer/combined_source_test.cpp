// Lists and files on the command line: what they combine to, and what is refused.
#include "producer/combined_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "source_probe.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Product, CrossesItsListsTheLastOneFastest) {
  const Source source = opened({.lists = {list({"a", "b"}), list({"1", "2", "3"})}});
  EXPECT_EQ(source->total(), 6u);
  EXPECT_THAT(take(*source).tuples, ElementsAre("[\"a\",1]", "[\"a\",2]", "[\"a\",3]", "[\"b\",1]",
                                                "[\"b\",2]", "[\"b\",3]"));
}

TEST(Product, IsLazy) {
  const auto many = list(Words(1000, "x"));
  const Source source = opened({.lists = {many, many, many, many}});
  EXPECT_EQ(source->total(), 1'000'000'000'000u);
  ChunkBuilder chunk;
  EXPECT_EQ(*source->fill(chunk, 10), Supply::kMore);
  EXPECT_EQ(chunk.tuples(), 10u);
}

TEST(Product, AnEmptyListIsAUsageError) {
  EXPECT_THAT(refusal({.lists = {list({"a"}), list({})}}), HasSubstr("list number 2, has no val"));
  EXPECT_THAT(refusal({.lists = {files({})}}), HasSubstr("`::::`, list number 1, names no file"));
}

TEST(Product, MoreTuplesThanCanBeCountedAreRefused) {
  EXPECT_THAT(refusal({.ranges = {"a=1..10000000000", "b=1..10000000000"}}),
              HasSubstr("than can be counted"));
}

TEST(Linked, GoesInStepAndEndsWithTheShorter) {
  for (const auto& lists : {std::vector{list({"a", "b", "c"}), linked({"1", "2"})},
                            std::vector{list({"a", "b"}), linked({"1", "2", "3"})}}) {
    const Source source = opened({.lists = lists});
    EXPECT_EQ(source->total(), 2u);
    EXPECT_THAT(take(*source).tuples, ElementsAre("[\"a\",1]", "[\"b\",2]"));
  }
}

// What `parallel -k echo ::: a b c :::+ 1 2 3 ::: X Y :::+ 11 22` prints.
TEST(Linked, PairsAreCrossedWithPairsAsInGnuParallel) {
  EXPECT_THAT(tuples({.lists = {list({"a", "b", "c"}), linked({"1", "2", "3"}), list({"X", "Y"}),
                                linked({"11", "22"})}}),
              ElementsAre("[\"a\",1,\"X\",11]", "[\"a\",1,\"Y\",22]", "[\"b\",2,\"X\",11]",
                          "[\"b\",2,\"Y\",22]", "[\"c\",3,\"X\",11]", "[\"c\",3,\"Y\",22]"));
}

TEST(Linked, ThreeGoInStep) {
  EXPECT_THAT(tuples({.lists = {list({"a", "b"}), linked({"1", "2"}), linked({"p", "q", "r"})}}),
              ElementsAre("[\"a\",1,\"p\"]", "[\"b\",2,\"q\"]"));
}

TEST(Linked, NeedsASourceBeforeIt) {
  EXPECT_THAT(refusal({.lists = {linked({"a"})}}), HasSubstr("the first one is `:::`"));
  EXPECT_THAT(refusal({.lists = {linked_files({"-"})}}), HasSubstr("the first one is `::::`"));
}

TEST(ValuesOfFiles, AreTheirLinesWithTheTypesOfListedValues) {
  const TextFile file("x\n7\n007\n\n a b \nlast");
  EXPECT_THAT(tuples({.lists = {files({file.path()})}}),
              ElementsAre("[\"x\"]", "[7]", "[\"007\"]", "[\"\"]", "[\" a b \"]", "[\"last\"]"));
}

TEST(ValuesOfFiles, EachFileIsASourceOfItsOwn) {
  const TextFile letters("x\ny\n");
  const TextFile numbers("1\n2\n");
  EXPECT_THAT(tuples({.lists = {files({letters.path(), numbers.path()})}}),
              ElementsAre("[\"x\",1]", "[\"x\",2]", "[\"y\",1]", "[\"y\",2]"));
  EXPECT_THAT(
      tuples({.lists = {list({"a", "b", "c"}), linked_files({letters.path(), numbers.path()})}}),
      ElementsAre("[\"a\",\"x\",1]", "[\"b\",\"y\",2]"));
}

TEST(ValuesOfFiles, MixWithListsOnEitherSide) {
  const TextFile file("x\ny\n");
  EXPECT_THAT(tuples({.lists = {list({"1", "2"}), files({file.path()})}}),
              ElementsAre("[1,\"x\"]", "[1,\"y\"]", "[2,\"x\"]", "[2,\"y\"]"));
  EXPECT_THAT(tuples({.lists = {files({file.path()}), list({"1", "2"})}}),
              ElementsAre("[\"x\",1]", "[\"x\",2]", "[\"y\",1]", "[\"y\",2]"));
}

TEST(ValuesOfFiles, ALongerLinkedFileStartsAgainWithEveryPass) {
  const TextFile shorter("x\ny\n");
  const TextFile longer("1\n2\n3\n4\n");
  EXPECT_THAT(
      tuples({.lists = {list({"a", "b"}), files({longer.path()}), linked_files({shorter.path()})}}),
      ElementsAre("[\"a\",1,\"x\"]", "[\"a\",2,\"y\"]", "[\"b\",1,\"x\"]", "[\"b\",2,\"y\"]"));
}

TEST(ValuesOfFiles, AnEmptyFileMakesNoTuples) {
  const TextFile empty("");
  EXPECT_THAT(tuples({.lists = {list({"a", "b"}), files({empty.path()})}}), IsEmpty());
  EXPECT_THAT(tuples({.lists = {files({empty.path()}), list({"a", "b"})}}), IsEmpty());
  EXPECT_THAT(tuples({.lists = {list({"a", "b"}), linked_files({empty.path()})}}), IsEmpty());
}

TEST(ValuesOfFiles, WhatCannotBeOpenedIsNamed) {
  EXPECT_THAT(refusal({.lists = {files({"/no/such/file"})}}), HasSubstr("/no/such/file"));
  EXPECT_THAT(refusal({.lists = {files({"/tmp"})}}), HasSubstr("directory"));
  EXPECT_THAT(refusal({.lists = {files({"-"}), linked_files({"-"})}}), HasSubstr("named twice"));
}

TEST(StreamedValues, ComeOneByOneAndSayWhatTheyWaitFor) {
  Pipe pipe("a\nb");
  const Source source = combined(streamed(pipe), listed({"1", "2"}));
  Taken got = take(*source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",1]", "[\"a\",2]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  EXPECT_GE(source->wait_fd(), 0);
  EXPECT_FALSE(source->is_bounded());
  pipe.write("b\n");
  got = take(*source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"bb\",1]", "[\"bb\",2]"));
  pipe.close_writer();
  EXPECT_EQ(take(*source).supply, Supply::kEnd);
  EXPECT_EQ(take(*source).supply, Supply::kEnd);
}

TEST(StreamedValues, BehindAListAreKeptForItsFurtherValues) {
  Pipe pipe("x\n");
  const Source source = combined(listed({"a", "b"}), streamed(pipe));
  Taken got = take(*source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",\"x\"]"));
  EXPECT_EQ(got.supply, Supply::kNothingNow);
  pipe.write("y\n");
  pipe.close_writer();
  got = take(*source);
  EXPECT_THAT(got.tuples, ElementsAre("[\"a\",\"y\"]", "[\"b\",\"x\"]", "[\"b\",\"y\"]"));
  EXPECT_EQ(got.supply, Supply::kEnd);
}

TEST(StreamedValues, TwoThatAreLinkedWaitForEachOther) {
  Pipe first("a\nb\n");
  Pipe second("1\n");
  const Source source = combined(streamed(first), streamed(second, true));
  EXPECT_THAT(take(*source).tuples, ElementsAre("[\"a\",\"1\"]"));
  second.write("2\n3\n");
  EXPECT_THAT(take(*source).tuples, ElementsAre("[\"b\",\"2\"]"));
  first.close_writer();
  EXPECT_EQ(take(*source).supply, Supply::kEnd);
}

TEST(Lines, AreTextAsTheyAre) {
  const TextFile file("7\n[1,2]\n\n \"quoted\" \ncr\r\nlast");
  EXPECT_THAT(tuples({.path = file.path(), .lines = true}),
              ElementsAre("[\"7\"]", "[\"[1,2]\"]", "[\"\"]", "[\" \\\"quoted\\\" \"]",
                          "[\"cr\\r\"]", "[\"last\"]"));
}

TEST(Lines, LongerThanTheBufferAreRead) {
  const std::string text(300'000, 'x');
  const TextFile file("a\n" + text + "\nb\n");
  EXPECT_THAT(tuples({.path = file.path(), .lines = true}),
              ElementsAre("[\"a\"]", "[\"" + text + "\"]", "[\"b\"]"));
}

TEST(Lines, DoNotGoWithOtherSources) {
  EXPECT_THAT(refusal({.lines = true, .lists = {list({"a"})}}), HasSubstr("behind `::::`"));
  EXPECT_THAT(refusal({.lines = true, .ranges = {"n=1..2"}}), HasSubstr("--lines and --range"));
  EXPECT_THAT(refusal({.path = "in.csv", .ranges = {"n=1..2"}}), HasSubstr("--range"));
  EXPECT_THAT(refusal({.path = "in.csv", .lists = {list({"a"})}}), HasSubstr("in.csv"));
}

}  // namespace
}  // namespace fanmill::producer
