// How long jobs are kept, with and without their producer, and the digest of named ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/tuple_digest.hpp"
#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

void set_up(Stage& stage, JobOptions options) {
  stage.add_worker("w", 1);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.submit("p", 1, 0, 1);
  stage.skip();
}

// Time in which the worker is heard.
void live(Stage& stage, nanoseconds time) {
  for (nanoseconds gone{}; gone < time; gone += 2s) {
    stage.pass(2s);
    stage.heartbeat("w");
  }
}

TEST(KeptJobs, LiveWithoutTheirProducer) {
  Stage stage;
  set_up(stage, kept_job());
  stage.goodbye("p");
  live(stage, 2min);
  stage.skip();
  stage.results("w", 1, 0, 1);
  EXPECT_THAT(stage.take({"put-record"}), ::testing::SizeIs(1U));
  EXPECT_EQ(stage.core().view().jobs.at(0).waiting_for, WaitingFor::kProducer);
}

TEST(KeptJobs, AreForgottenAWeekAfterTheirEnd) {
  Stage stage;
  set_up(stage, kept_job());
  stage.close("p", 1, 1);
  stage.results("w", 1, 0, 1);
  stage.gone("w");
  stage.pass(limits::kKeepDefault - 1s);
  EXPECT_THAT(stage.take({"drop-job"}), IsEmpty());
  stage.pass(1s);
  EXPECT_THAT(stage.take({"drop-job"}), ElementsAre("write drop-job 1"));
  EXPECT_TRUE(stage.core().view().jobs.empty());
}

TEST(KeptJobs, AreForgottenWhenTheirOptionsSay) {
  Stage stage;
  JobOptions options = kept_job();
  options.keep_ms = 1000;
  set_up(stage, options);
  stage.pass(3s);
  stage.close("p", 1, 1);
  EXPECT_THAT(stage.take({"drop-job"}), IsEmpty()) << "kept from its end on";
  stage.results("w", 1, 0, 1);
  stage.pass(999ms);
  EXPECT_THAT(stage.take({"drop-job"}), IsEmpty());
  stage.pass(1ms);
  EXPECT_THAT(stage.take({"drop-job"}), ElementsAre("write drop-job 1"));
}

TEST(KeptJobs, MayBeKeptForAsLongAsAClockGoes) {
  Stage stage;
  JobOptions options = kept_job();
  options.keep_ms = ~std::uint64_t{0};
  set_up(stage, options);
  stage.close("p", 1, 1);
  stage.results("w", 1, 0, 1);
  stage.gone("w");
  stage.pass(24h * 365);
  EXPECT_THAT(stage.take({"drop-job"}), IsEmpty());
}

TEST(MapJobs, WhoseProducerIsGoneArePausedAndKept) {
  Stage stage;
  set_up(stage, map_job());
  stage.submit("p", 1, 1, 10);
  stage.gone("p");
  live(stage, 58s);
  EXPECT_NE(stage.core().view().jobs.at(0).waiting_for, WaitingFor::kPaused);
  live(stage, 4s);
  EXPECT_EQ(stage.core().view().jobs.at(0).waiting_for, WaitingFor::kPaused);
  live(stage, 1min);
  ASSERT_EQ(stage.core().view().jobs.size(), 1U);
  stage.add_producer("q");
  stage.gather("q", 1);
  EXPECT_NE(stage.core().view().jobs.at(0).waiting_for, WaitingFor::kPaused) << "q takes it over";
}

TEST(MapJobs, ThatEndedUnreadAreForgottenInTimeButNotWhileTheirOwnerLives) {
  Stage stage;
  JobOptions options = map_job();
  options.keep_ms = 10'000;
  set_up(stage, options);
  stage.close("p", 1, 1);
  stage.results("w", 1, 0, 1);
  stage.pass(59s);
  EXPECT_EQ(stage.core().view().jobs.size(), 1U);
  stage.gone("p");
  stage.pass(60s);
  EXPECT_TRUE(stage.core().view().jobs.empty());
}

TEST(TupleDigest, IsXxh3) {
  TupleDigest digest;
  EXPECT_EQ(digest.value(), 0x2d06800538d394c2U);  // of nothing, by its specification
  digest.update("fan");
  digest.update("mill");
  TupleDigest whole;
  whole.update("fanmill");
  EXPECT_EQ(digest.value(), whole.value());
}

TEST(NamedKeys, TellTheDigestOfWhatIsThere) {
  Stage stage;
  JobOptions options = kept_job();
  options.named_key = true;
  set_up(stage, options);
  stage.push("p", 1, "a", 0, 2);
  stage.push("p", 1, "a", 0, 2);
  stage.skip();
  stage.open("p", "key", options);
  EXPECT_THAT(stage.take(), ElementsAre("after p: opened 1 next=3"));
  TupleDigest digest;
  digest.update(std::string(12, 't'));
  EXPECT_EQ(stage.tuples_digest(), digest.value());
}

TEST(NamedKeys, OfOtherOptionsAreAConflict) {
  Stage stage;
  JobOptions options = kept_job();
  options.named_key = true;
  set_up(stage, options);
  options.spec.names = {"x"};
  stage.open("p", "key", options);
  EXPECT_THAT(stage.take(), ElementsAre(StartsWith("now p: refused conflict")));
}

TEST(UnnamedKeys, HaveNoDigest) {
  Stage stage;
  set_up(stage, kept_job());
  stage.open("p", "key", kept_job());
  EXPECT_EQ(stage.tuples_digest(), 0U);
}

}  // namespace
}  // namespace fanmill::broker
