// What people do to jobs, and the lines about it in the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

json answer(const Stage& stage) { return json::from_msgpack(stage.answer().view()); }

// Two jobs of "p", one task each, and "q" who does things to them.
void set_up(Stage& stage, JobOptions options = kept_job()) {
  stage.add_worker("w", 2);
  stage.add_producer("p");
  for (std::uint64_t job = 1; job <= 2; ++job) {
    stage.open("p", "key" + std::to_string(job), options);
    stage.submit("p", job, 0, 1);
  }
  stage.add_producer("q");
  stage.skip();
}

TEST(Steering, AnswersWithTheJobs) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kPause, {2, 1, 2});
  EXPECT_THAT(stage.take({"answer", "refused"}), ElementsAre("after q: answer #1"));
  const json told = answer(stage);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].at("id"), "1-1");
  EXPECT_EQ(told[0].at("state"), "paused");
  EXPECT_EQ(told[1].at("state"), "paused");
}

TEST(Steering, OfAJobThatIsNotThereDoesNothing) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kCancel, {1, 7});
  EXPECT_THAT(stage.take(), ElementsAre("now q: refused not-found: no job 1-7 at this broker"));
}

TEST(Steering, OfNothingIsAnswered) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kCancel, {});
  EXPECT_EQ(answer(stage), json::array());
}

TEST(Steering, PausesAndResumes) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kPause, {1});
  stage.submit("p", 1, 1, 5);
  EXPECT_THAT(stage.take({"lease"}), IsEmpty());
  stage.steer("q", Steering::kResume, {1});
  stage.steer("q", Steering::kResume, {1});
  EXPECT_FALSE(stage.take({"lease"}).empty());
}

TEST(Steering, CancelsOnceHoweverOftenItIsSaid) {
  Stage stage;
  set_up(stage);
  stage.submit("p", 1, 1, 5);
  stage.skip();
  stage.steer("q", Steering::kCancel, {1}, 700);
  EXPECT_THAT(stage.take({"put-close", "put-record", "answer"}),
              ElementsAre("write put-close 1 total=6", ::testing::HasSubstr("cancelled"),
                          "after q: answer #1"));
  stage.steer("q", Steering::kCancel, {1}, 700);
  EXPECT_THAT(stage.take({"put-close", "put-record", "answer"}), ElementsAre("after q: answer #2"));
  EXPECT_EQ(answer(stage)[0].at("state"), "cancelled");
}

TEST(Steering, LeavesAnEndedJobAsItEnded) {
  Stage stage;
  set_up(stage);
  stage.close("p", 1, 1);
  stage.results("w", 1, 0, 1);
  stage.skip();
  stage.steer("q", Steering::kCancel, {1});
  stage.steer("q", Steering::kPause, {1});
  stage.steer("q", Steering::kClose, {1});
  EXPECT_THAT(stage.take(),
              ElementsAre("after q: answer #1", "after q: answer #2", "after q: answer #3"));
  EXPECT_EQ(answer(stage)[0].at("state"), "done");
}

TEST(Steering, ClosesWhereAJobStands) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kClose, {1});
  EXPECT_THAT(stage.take({"put-close", "accepted"}),
              ElementsAre("write put-close 1 total=1", "after p: accepted 1 next=1 closed"));
  EXPECT_EQ(answer(stage)[0].at("closed"), true);
}

TEST(Steering, ForgetsOnlyWhatHasEnded) {
  Stage stage;
  set_up(stage);
  stage.close("p", 1, 1);
  stage.results("w", 1, 0, 1);
  stage.skip();
  stage.steer("q", Steering::kForget, {1, 2});
  EXPECT_THAT(stage.take(),
              ElementsAre("now q: refused conflict: job 1-2 has not ended: cancel it first"));
  stage.steer("q", Steering::kForget, {1});
  EXPECT_THAT(stage.take(), ElementsAre("write drop-job 1", "after q: answer #2"));
  EXPECT_EQ(answer(stage), json::array());
  EXPECT_THAT(stage.core().view().jobs, SizeIs(1U));
}

TEST(Steering, TakesAJobFromNobody) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kPause, {1});
  stage.steer("q", Steering::kResume, {1});
  stage.skip();
  stage.submit("p", 1, 1, 1);
  EXPECT_THAT(stage.take({"accepted"}), ElementsAre("after p: accepted 1 next=2"));
}

TEST(News, TellsWhoDidWhat) {
  CoreConfig config;
  config.news = true;
  Stage stage(config);
  JobOptions options = map_job();
  options.name = "a\nb";
  stage.add_worker("w", 2);
  stage.add_producer("p");
  stage.add_producer("q");
  stage.open("p", "key", options);
  stage.submit("p", 1, 0, 2);
  stage.gather("p", 1);
  EXPECT_THAT(stage.news(), ElementsAre("job 1-1 'a?b' of f opened by p@h pid 1",
                                        "p@h pid 1 reads job 1-1 'a?b' from 0"));
  stage.steer("q", Steering::kPause, {1});
  stage.steer("q", Steering::kPause, {1});
  stage.steer("q", Steering::kResume, {1});
  EXPECT_THAT(stage.news(), ElementsAre("job 1-1 'a?b' paused by q@h pid 1",
                                        "job 1-1 'a?b' resumed by q@h pid 1"));
  stage.gone("p");
  EXPECT_THAT(stage.news(), ElementsAre("p@h pid 1 reads job 1-1 'a?b' no more"));
  stage.results("w", 1, 0, 1);
  stage.cancel("q", 1, 0);
  stage.results("w", 2, 1, 1);
  EXPECT_THAT(stage.news(), ElementsAre("job 1-1 'a?b' cancelled by q@h pid 1",
                                        "job 1-1 'a?b' ended after 0.0 s: 2 succeeded, 0 failed, 0 "
                                        "dead-lettered, 0 cancelled"));
  stage.open("q", "key", options);
  stage.steer("q", Steering::kForget, {1});
  EXPECT_THAT(stage.news(), ElementsAre("job 1-1 'a?b' forgotten by q@h pid 1"));
}

TEST(News, TellsThatAProducerIsGoneAndWhoTakesOver) {
  CoreConfig config;
  config.news = true;
  Stage stage(config);
  set_up(stage, map_job());
  stage.gone("p");
  stage.news();
  stage.pass(59s);
  EXPECT_THAT(stage.news(), IsEmpty());
  stage.pass(1s);
  EXPECT_THAT(stage.news(), ElementsAre("job 1-1 paused: its producer is gone",
                                        "job 1-2 paused: its producer is gone"));
  stage.add_producer("q");
  stage.gather("q", 1);
  EXPECT_THAT(stage.news(),
              ElementsAre("job 1-1 goes on for q@h pid 1", "q@h pid 1 reads job 1-1 from 0"));
}

TEST(News, IsSilentUnlessItIsAskedFor) {
  Stage stage;
  set_up(stage);
  stage.steer("q", Steering::kPause, {1});
  EXPECT_THAT(stage.news(), IsEmpty());
}

}  // namespace
}  // namespace fanmill::broker
