// Tuples of many for one open job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

void set_up(Stage& stage, std::uint32_t slots = 1) {
  stage.add_worker("w", slots);
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  stage.add_producer("q");
  stage.skip();
}

CoreConfig window_of(std::uint64_t tasks) {
  CoreConfig config;
  config.producer_window_tasks = tasks;
  return config;
}

TEST(Pushes, AreGivenIndexesInTheOrderOfArrival) {
  Stage stage(window_of(100));
  set_up(stage);
  stage.push("p", 1, "a", 0, 10);
  stage.push("q", 1, "b", 0, 5);
  stage.push("p", 1, "a", 1, 1);
  const std::string bytes = std::to_string(limits::kProducerWindowBytes);
  const auto lines = stage.take({"put-chunk", "pushed"});
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[0], "write put-chunk 1 [0,10)");
  EXPECT_THAT(lines[1], StartsWith("after p: pushed 1 a sequence=1 next=10 room=90/"));
  EXPECT_EQ(lines[2], "write put-chunk 1 [10,15)");
  EXPECT_THAT(lines[3], StartsWith("after q: pushed 1 b sequence=1 next=15 room=42/"));
  EXPECT_EQ(lines[4], "write put-chunk 1 [15,16)");
  EXPECT_THAT(lines[5], StartsWith("after p: pushed 1 a sequence=2 next=16 room=42/"));
}

TEST(Pushes, AreAnsweredAfterTheirCommit) {
  Stage stage;
  set_up(stage);
  stage.commits_at_once = false;
  stage.push("p", 1, "a", 0, 1);
  stage.push("p", 1, "a", 0, 1);
  for (const std::string& line : stage.take({"pushed"})) EXPECT_THAT(line, StartsWith("after "));
}

TEST(Pushes, AreTakenOnce) {
  Stage stage;
  set_up(stage);
  stage.push("p", 1, "a", 0, 3);
  stage.skip();
  stage.push("q", 1, "a", 0, 3);  // by whom is no matter
  EXPECT_THAT(stage.take({"put-chunk", "pushed"}),
              ElementsAre(StartsWith("after q: pushed 1 a sequence=1 next=3")));
}

TEST(Pushes, WithAGapBeforeThemAreNotTaken) {
  Stage stage;
  set_up(stage);
  stage.push("p", 1, "a", 1, 3);
  EXPECT_THAT(stage.take({"put-chunk", "pushed"}),
              ElementsAre(StartsWith("after p: pushed 1 a sequence=0 next=0")));
}

TEST(Pushes, OfNothingAskWhereTheKeyStands) {
  Stage stage;
  set_up(stage);
  stage.push("p", 1, "a", 0, 0);
  stage.push("p", 1, "a", 0, 3);
  stage.push("p", 1, "a", 7, 0);
  EXPECT_THAT(
      stage.take({"put-chunk", "pushed"}),
      ElementsAre(StartsWith("after p: pushed 1 a sequence=0 next=0"), "write put-chunk 1 [0,3)",
                  StartsWith("after p: pushed 1 a sequence=1 next=3"),
                  StartsWith("after p: pushed 1 a sequence=1 next=3")));
}

TEST(Pushes, ToAClosedJobAreAConflictButForWhatWasTaken) {
  Stage stage;
  set_up(stage);
  stage.push("q", 1, "a", 0, 1);
  stage.close("p", 1, 1);
  stage.skip();
  stage.push("q", 1, "a", 0, 1);
  EXPECT_THAT(stage.take(), ElementsAre(StartsWith("after q: pushed 1 a sequence=1 next=1")));
  stage.push("q", 1, "a", 1, 1);
  stage.push("q", 1, "b", 0, 0);
  EXPECT_THAT(stage.take(), ElementsAre("now q: refused conflict: job 1-1 is closed",
                                        "now q: refused conflict: job 1-1 is closed"));
}

TEST(Pushes, ToACancelledJobAreAConflict) {
  Stage stage;
  set_up(stage);
  stage.cancel("p", 1, 0);
  stage.skip();
  stage.push("q", 1, "a", 0, 1);
  EXPECT_THAT(stage.take(), ElementsAre("now q: refused conflict: job 1-1 was cancelled"));
}

TEST(Pushes, WithoutAKeyOrToNoJobOrWithWrongSumsAreRefused) {
  Stage stage;
  set_up(stage);
  stage.push("q", 1, "", 0, 1);
  stage.push("q", 2, "a", 0, 1);
  EXPECT_THAT(stage.take(), ElementsAre(StartsWith("now q: refused usage"),
                                        StartsWith("now q: refused not-found")));
  const FakeProducer fake = stage.add_producer("r");
  const Push lying{Stage::job_id(1), "a", 0, 3, {{2, 8}}};
  stage.core().step(
      MessageArrived{fake.peer, {fake.session, FromProducer{lying}}, Blob::copy_of("12345678")},
      stage.now());
  const Duties duties = stage.core().take_duties(stage.now());
  EXPECT_THAT(duties.writes, IsEmpty());
  ASSERT_EQ(duties.send_now.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Refused>(std::get<ToProducer>(duties.send_now[0].message)));
}

TEST(Pushes, HaveSoManyKeysAndNoMore) {
  Stage stage;
  set_up(stage);
  for (std::uint32_t i = 0; i < limits::kPushKeysMax; ++i)
    stage.push("p", 1, "k" + std::to_string(i), 0, 0);
  EXPECT_THAT(stage.take({"refused"}), IsEmpty());
  stage.push("p", 1, "one more", 0, 0);
  EXPECT_THAT(stage.take({"refused"}), ElementsAre(StartsWith("now p: refused limit")));
  stage.push("p", 1, "k5", 0, 1);
  EXPECT_THAT(stage.take({"refused"}), IsEmpty());
}

TEST(PushRoom, IsTheJobsWindowAndGrowsAgain) {
  Stage stage(window_of(16));
  set_up(stage, 16);
  stage.push("p", 1, "a", 0, 16);
  EXPECT_THAT(stage.take({"pushed"}),
              ElementsAre(StartsWith("after p: pushed 1 a sequence=1 next=16 room=0/")));
  stage.push("p", 1, "a", 1, 4);
  EXPECT_THAT(stage.take({"put-chunk", "pushed"}),
              ElementsAre(StartsWith("after p: pushed 1 a sequence=1 next=16 room=0/")))
      << "nothing is taken beyond the window";
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.take({"pushed"}), IsEmpty()) << "too little to be worth a word";
  stage.results("w", 3, 2, 1);
  EXPECT_THAT(stage.take({"pushed"}),
              ElementsAre(StartsWith("after p: pushed 1 a sequence=1 next=16 room=3/")));
  stage.push("p", 1, "a", 1, 4);
  EXPECT_THAT(stage.take({"put-chunk"}), ElementsAre("write put-chunk 1 [16,20)"))
      << "a chunk that begins within the window is taken whole";
}

TEST(PushRoom, IsLeftToThoseWhoPush) {
  Stage stage(window_of(80));
  set_up(stage, 80);
  stage.push("q", 1, "done", 0, 40);
  stage.push("p", 1, "a", 0, 20);
  EXPECT_THAT(stage.take({"pushed"}).back(),
              StartsWith("after p: pushed 1 a sequence=1 next=60 room=10/"));
  for (std::uint64_t task = 0; task < 11; ++task) stage.results("w", task + 1, task, 1);
  stage.push("p", 1, "a", 1, 1);
  stage.skip();
  for (std::uint64_t task = 11; task < 22; ++task) stage.results("w", task + 1, task, 1);
  const auto lines = stage.take({"pushed"});
  EXPECT_THAT(lines,
              ::testing::Contains(StartsWith("after p: pushed 1 a sequence=2 next=61 room=41/")))
      << "nobody was heard under the other key for a whole round";
}

TEST(PushRoom, IsToldAgainWithTheHeartbeat) {
  Stage stage;
  set_up(stage);
  stage.push("q", 1, "a", 0, 1);
  stage.skip();
  const FakeProducer& fake = stage.add_producer("r");
  stage.push("r", 1, "b", 0, 1);
  stage.skip();
  stage.core().step(
      MessageArrived{fake.peer, {fake.session, FromProducer{ProducerHeartbeat{}}}, {}},
      stage.now());
  std::size_t pushed = 0;
  for (const Outgoing& out : stage.core().take_duties(stage.now()).send_after) {
    const auto* message = std::get_if<ToProducer>(&out.message);
    if (message != nullptr && std::holds_alternative<Pushed>(*message)) {
      ++pushed;
      EXPECT_EQ(std::get<Pushed>(*message).key, "b");
    }
  }
  EXPECT_EQ(pushed, 1U);
}

TEST(PushToAJobOfASubmitter, ShiftsItsIndexesAndTellsIt) {
  Stage stage;
  set_up(stage);
  stage.submit("p", 1, 0, 2);
  stage.push("q", 1, "a", 0, 3);
  stage.skip();
  stage.submit("p", 1, 2, 2);
  EXPECT_THAT(stage.take({"put-chunk", "accepted"}), ElementsAre("after p: accepted 1 next=5"));
  stage.submit("p", 1, 5, 2);
  EXPECT_THAT(stage.take({"put-chunk", "accepted"}),
              ElementsAre("write put-chunk 1 [5,7)", "after p: accepted 1 next=7"));
}

TEST(PushersThatLeave, AreToldNothing) {
  Stage stage(window_of(16));
  set_up(stage, 16);
  stage.push("q", 1, "a", 0, 16);
  stage.goodbye("q");
  stage.skip();
  for (std::uint64_t task = 0; task < 8; ++task) stage.results("w", task + 1, task, 1);
  EXPECT_THAT(stage.take({"pushed"}), IsEmpty());
}

}  // namespace
}  // namespace fanmill::broker
