// Several readers of one job, what is recorded now, and who a job belongs to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// Job 1 of "p" with this many tasks, each of them at worker "w" in a lease of its own.
void set_up(Stage& stage, std::uint32_t tasks, JobOptions options = kept_job()) {
  stage.add_worker("w", tasks);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.submit("p", 1, 0, tasks);
  stage.add_producer("q");
  stage.skip();
}

TEST(Readers, EachHaveACursorOfTheirOwn) {
  Stage stage;
  set_up(stage, 2);
  stage.gather("p", 1);
  stage.results("w", 1, 0, 1);
  stage.gather("q", 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=0 [0,1) succeeded",
                                                "after q: rows 1 at=0 [0,1) succeeded"));
  stage.ack("p", 1, 1);
  stage.close("p", 1, 2);
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after p: rows 1 at=1 [1,2) succeeded",
                                                "after q: rows 1 at=1 [1,2) succeeded"));
  stage.ack("p", 1, 2);
  EXPECT_THAT(stage.take({"ended"}), ElementsAre("after p: ended 1 2/2"));
  stage.ack("q", 1, 2);
  EXPECT_THAT(stage.take({"ended", "drop-record"}), ElementsAre("after q: ended 1 2/2"));
}

TEST(Readers, MayReadInDifferentOrders) {
  Stage stage;
  set_up(stage, 2);
  stage.gather("p", 1);
  stage.gather("q", 1, 0, RowOrder::kAsCompleted);
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=0 [1,2) succeeded"));
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows"}),
              ::testing::UnorderedElementsAre("after p: rows 1 at=0 [0,1) succeeded",
                                              "after p: rows 1 at=1 [1,2) succeeded",
                                              "after q: rows 1 at=1 [0,1) succeeded"));
}

TEST(Readers, ThatDoNotReadSlowNobodyElse) {
  Stage stage;
  set_up(stage, 3);
  stage.gather("q", 1, 0, RowOrder::kInput, 1);  // a window of one row, never acknowledged
  stage.gather("p", 1);
  for (std::uint64_t task = 0; task < 3; ++task) stage.results("w", task + 1, task, 1);
  std::size_t to_p = 0;
  std::size_t to_q = 0;
  for (const std::string& line : stage.take({"rows"}))
    ++(line.rfind("after p", 0) == 0 ? to_p : to_q);
  EXPECT_EQ(to_p, 3U);
  EXPECT_EQ(to_q, 1U);
  stage.ack("q", 1, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=1 [1,2) succeeded"));
}

TEST(Readers, OfAKeptJobHoldUpNoDealing) {
  CoreConfig config;
  config.results_cap = 1;
  config.unread_batches_max = 1;
  Stage stage(config);
  set_up(stage, 1);
  stage.gather("q", 1, 0, RowOrder::kInput, 1);
  stage.submit("p", 1, 1, 100);
  for (std::uint64_t task = 0; task < 5; ++task) stage.results("w", task + 1, task, 1);
  EXPECT_THAT(stage.take({"lease"}), SizeIs(::testing::Ge(5U)));
}

TEST(Readers, ThatLeaveAreForgotten) {
  Stage stage;
  set_up(stage, 1);
  stage.gather("q", 1);
  stage.goodbye("q");
  stage.skip();
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows"}), IsEmpty());
}

TEST(Readers, AreSoManyAndNoMore) {
  Stage stage;
  set_up(stage, 1);
  for (std::uint32_t i = 0; i < limits::kReadersMax; ++i) {
    stage.add_producer("r" + std::to_string(i));
    stage.gather("r" + std::to_string(i), 1);
  }
  EXPECT_THAT(stage.take({"refused"}), IsEmpty());
  stage.gather("q", 1);
  EXPECT_THAT(stage.take({"refused"}), ElementsAre(StartsWith("now q: refused limit")));
  stage.gather("r7", 1);
  EXPECT_THAT(stage.take({"refused"}), IsEmpty()) << "who reads already may ask again";
}

TEST(Readers, MaySkipAheadAndGoBackWhereRowsAreKept) {
  Stage stage;
  set_up(stage, 3);
  for (std::uint64_t task = 0; task < 3; ++task) stage.results("w", task + 1, task, 1);
  stage.gather("q", 1, 2);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=2 [2,3) succeeded"));
  stage.gather("q", 1, 1);
  stage.gather("q", 1, 2);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=1 [1,2) succeeded",
                                                "after q: rows 1 at=2 [2,3) succeeded",
                                                "after q: rows 1 at=2 [2,3) succeeded"));
}

TEST(Readers, AreToldOfProgressAndOfCrashes) {
  Stage stage;
  set_up(stage, 1);
  stage.gather("p", 1);
  stage.gather("q", 1);
  stage.results("w", 1, 0, 1, Outcome::kCrashed);
  EXPECT_THAT(stage.take({"event"}), SizeIs(2U));
  stage.pass(250ms);
  EXPECT_THAT(stage.take({"status"}), SizeIs(2U));
}

TEST(ReadersOfAMapJob, AreItsOwnerAlone) {
  Stage stage;
  set_up(stage, 1, map_job());
  stage.gather("q", 1);
  EXPECT_THAT(stage.take(),
              ElementsAre("now q: refused conflict: the rows of this job are read by p@h pid 1, "
                          "who opened it, and forgotten once read"));
  stage.gone("p");
  stage.gather("q", 1);
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows", "refused"}), ElementsAre("after q: rows 1 at=0 [0,1) succeeded"));
}

TEST(ReadersOfAMapJob, ChangeWhenItIsOpenedAgain) {
  Stage stage;
  set_up(stage, 1, map_job());
  stage.gather("p", 1);
  stage.open("q", "key", map_job());
  stage.skip();
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows"}), IsEmpty()) << "its first owner reads no more";
  stage.gather("q", 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=0 [0,1) succeeded"));
}

TEST(ReadersOfAMapJob, CannotPassOverGaps) {
  Stage stage;
  set_up(stage, 1, map_job());
  stage.gather("p", 1, 0, RowOrder::kRecorded);
  EXPECT_THAT(stage.take({"refused"}), ElementsAre(StartsWith("now p: refused conflict")));
}

TEST(Gathering, TakesNoJobFromItsSubmitter) {
  Stage stage;
  set_up(stage, 1);
  stage.gather("q", 1);
  stage.skip();
  stage.submit("p", 1, 1, 1);
  EXPECT_THAT(stage.take({"accepted"}), ElementsAre("after p: accepted 1 next=2"));
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=0 [0,1) succeeded"));
}

TEST(Closing, OfAJobOfAnotherIsAnsweredAndTakesItFromNobody) {
  Stage stage;
  set_up(stage, 1);
  stage.close("q", 1, 1);
  EXPECT_THAT(stage.take({"accepted"}),
              ::testing::UnorderedElementsAre("after p: accepted 1 next=1 closed",
                                              "after q: accepted 1 next=1 closed"));
}

TEST(GatheringRecorded, PassesOverGapsAndEnds) {
  Stage stage;
  set_up(stage, 4);
  stage.results("w", 2, 1, 1);
  stage.results("w", 4, 3, 1);
  stage.skip();
  stage.gather("q", 1, 0, RowOrder::kRecorded);
  EXPECT_THAT(
      stage.take({"rows", "rows-ended"}),
      ElementsAre("after q: rows 1 at=0 [1,2) succeeded", "after q: rows 1 at=2 [3,4) succeeded"));
  stage.ack("q", 1, 2);
  EXPECT_THAT(stage.take({"rows-ended"}), IsEmpty());
  stage.ack("q", 1, 4);
  EXPECT_THAT(stage.take({"rows-ended"}), ElementsAre("after q: rows-ended 1 at=4 2/4 running 2"));
  stage.ack("q", 1, 4);
  EXPECT_THAT(stage.take({"rows-ended"}), SizeIs(1U)) << "the word of it may have been lost";
}

TEST(GatheringRecorded, OfNothingEndsAtOnce) {
  Stage stage;
  set_up(stage, 1);
  stage.gather("q", 1, 0, RowOrder::kRecorded);
  EXPECT_THAT(stage.take({"rows", "rows-ended"}),
              ElementsAre("after q: rows-ended 1 at=0 0/1 running 1"));
}

TEST(GatheringRecorded, EndsWhereItEndedWhenItWasAsked) {
  Stage stage;
  set_up(stage, 3);
  stage.results("w", 1, 0, 1);
  stage.gather("q", 1, 0, RowOrder::kRecorded);
  stage.skip();
  stage.results("w", 2, 1, 1);
  stage.ack("q", 1, 1);
  EXPECT_THAT(stage.take({"rows", "rows-ended"}), ElementsAre(HasSubstr("rows-ended 1 at=1")));
  stage.gather("q", 1, 1, RowOrder::kRecorded);  // a fresh look from its cursor
  EXPECT_THAT(stage.take({"rows", "rows-ended"}),
              ElementsAre("after q: rows 1 at=1 [1,2) succeeded"));
}

TEST(GatheringRecorded, KeepsToItsWindow) {
  Stage stage;
  set_up(stage, 3);
  stage.results("w", 1, 0, 1);
  stage.results("w", 3, 2, 1);
  stage.skip();
  stage.gather("q", 1, 0, RowOrder::kRecorded, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=0 [0,1) succeeded"));
  stage.ack("q", 1, 1);
  EXPECT_THAT(stage.take({"rows"}), ElementsAre("after q: rows 1 at=1 [2,3) succeeded"));
}

}  // namespace
}  // namespace fanmill::broker
