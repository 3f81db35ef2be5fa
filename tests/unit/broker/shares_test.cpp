// Who gets the slots, over many leases: a core with a fleet in simulated time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "tests/unit/broker/fleet.hpp"

namespace fanmill::broker {
namespace {

// The largest difference of two jobs' slot time, as a part of what both had, seen at every `step`
// once both had `from_s` seconds together.
double unevenness(Fleet& fleet, std::size_t a, std::size_t b, nanoseconds step, nanoseconds time,
                  double from_s) {
  const double a0 = fleet.used_s(a);
  const double b0 = fleet.used_s(b);
  double worst = 0;
  for (nanoseconds at{}; at < time; at += step) {
    fleet.run_for(step);
    const double used_a = fleet.used_s(a) - a0;
    const double used_b = fleet.used_s(b) - b0;
    if (used_a + used_b < from_s) continue;
    worst = std::max(worst, std::abs(used_a - used_b) / (used_a + used_b));
  }
  return worst;
}

class SharesOfTwoJobs : public ::testing::TestWithParam<std::pair<nanoseconds, nanoseconds>> {};

TEST_P(SharesOfTwoJobs, AreEqualAllAlongWhateverTheirTasksTake) {
  const auto [first, second] = GetParam();
  Fleet fleet;
  fleet.add_worker({.slots = 2});
  fleet.add_worker({.slots = 2});
  const auto tasks = [](nanoseconds each) {
    return static_cast<std::uint64_t>(each < 1ms ? 20'000'000 : 100'000);
  };
  const std::size_t a = fleet.add_job({.tasks = tasks(first), .each = first});
  const std::size_t b = fleet.add_job({.tasks = tasks(second), .each = second});
  fleet.run_for(100ms);
  // As far as whole tasks allow: from when both had eighty of the longest.
  const double longest =
      std::chrono::duration<double>(std::max<nanoseconds>({first, second, 1ms})).count();
  const auto time = std::max<nanoseconds>(
      1s, std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(longest * 40)));
  EXPECT_LT(unevenness(fleet, a, b, time / 50, time, 80 * longest), 0.05);
  EXPECT_GT(fleet.used_s(a) + fleet.used_s(b),
            0.95 * 4 * std::chrono::duration<double>(time).count());
}

INSTANTIATE_TEST_SUITE_P(Lengths, SharesOfTwoJobs,
                         ::testing::Values(std::pair<nanoseconds, nanoseconds>(1us, 1us),
                                           std::pair<nanoseconds, nanoseconds>(1us, 1ms),
                                           std::pair<nanoseconds, nanoseconds>(1us, 100ms),
                                           std::pair<nanoseconds, nanoseconds>(1ms, 100ms),
                                           std::pair<nanoseconds, nanoseconds>(100ms, 100ms)),
                         [](const auto& made) {
                           return std::to_string(made.param.first.count() / 1000) + "us_" +
                                  std::to_string(made.param.second.count() / 1000) + "us";
                         });

TEST(Shares, OfThreeJobsAreThirds) {
  Fleet fleet;
  fleet.add_worker({.slots = 3});
  for (const nanoseconds each : {nanoseconds(10us), nanoseconds(1ms), nanoseconds(30ms)})
    fleet.add_job({.tasks = 2'000'000, .each = each});
  fleet.run_for(5s);
  for (std::size_t job = 0; job < 3; ++job) EXPECT_NEAR(fleet.used_s(job), 5, 0.25) << job;
}

TEST(Shares, OfAJobThatComesLaterBeginWithItAndOweItNothing) {
  Fleet fleet;
  fleet.add_worker({.slots = 2});
  const std::size_t elder = fleet.add_job({.tasks = 5'000'000, .each = 100us});
  fleet.run_for(20s);
  const std::size_t younger = fleet.add_job({.tasks = 5'000'000, .each = 100us});
  fleet.run_for(10ms);
  EXPECT_LT(unevenness(fleet, elder, younger, 20ms, 2s, 0.2), 0.05);
}

TEST(Shares, OfAJobThatResumesAreEqualFromThenOn) {
  Fleet fleet;
  fleet.add_worker({.slots = 2});
  const std::size_t a = fleet.add_job({.tasks = 5'000'000, .each = 100us});
  const std::size_t b = fleet.add_job({.tasks = 5'000'000, .each = 100us});
  fleet.run_for(1s);
  fleet.steer(a, Steering::kPause);
  fleet.run_for(20s);
  fleet.steer(a, Steering::kResume);
  fleet.run_for(10ms);
  EXPECT_LT(unevenness(fleet, a, b, 20ms, 2s, 0.2), 0.05);
}

TEST(Shares, OfAJobThatOnlyOneWorkerCanRunAreWhatThatWorkerHas) {
  Fleet fleet;
  fleet.add_worker({.slots = 1, .offers = {{"f", "()"}, {"g", "()"}}});
  for (int i = 0; i < 3; ++i) fleet.add_worker({.slots = 1});
  const std::size_t f = fleet.add_job({.tasks = 1'000'000, .each = 1ms});
  const std::size_t g = fleet.add_job({.tasks = 1'000'000, .each = 1ms, .function = "g"});
  fleet.run_for(4s);
  EXPECT_NEAR(fleet.used_s(g), 4, 0.2) << "the one worker, as f has three others";
  EXPECT_NEAR(fleet.used_s(f), 12, 0.3);
  // Another job beside f is not owed what g could not take.
  const std::size_t h = fleet.add_job({.tasks = 1'000'000, .each = 1ms});
  fleet.run_for(20ms);
  EXPECT_LT(unevenness(fleet, f, h, 50ms, 2s, 0.5), 0.05);
}

TEST(Shares, OfAJobWithHourLongTasksAreNotAllSlotsBeforeTheFirstHourIsOver) {
  Fleet fleet;
  fleet.add_worker({.slots = 4});
  const std::size_t brief = fleet.add_job({.tasks = 1'000'000, .each = 10ms});
  fleet.run_for(1s);
  const std::size_t hours = fleet.add_job({.tasks = 100, .each = 3600s});
  fleet.run_for(120s);
  const double before = fleet.used_s(brief);
  fleet.run_for(60s);
  EXPECT_GT(fleet.used_s(brief) - before, 0.4 * 240);
  EXPECT_GE(fleet.running(hours), 1U);
}

TEST(Priority, OvertakesWithinOneBatchAlsoWhatIsPrefetched) {
  for (const nanoseconds each : {nanoseconds(1us), nanoseconds(1ms), nanoseconds(100ms)}) {
    Fleet fleet;
    fleet.add_worker({.slots = 2});
    fleet.add_worker({.slots = 2});
    const std::size_t low = fleet.add_job({.tasks = 1'000'000, .each = each});
    fleet.run_for(std::max<nanoseconds>(500ms, 10 * each));
    const std::size_t high = fleet.add_job({.tasks = 100'000, .each = 1ms, .priority = 1});
    // What runs may end; a batch of what is short may be before it.
    fleet.run_for(std::max<nanoseconds>(each, limits::kBatchTime) + 6ms);
    EXPECT_EQ(fleet.running(high), 4U) << each.count();
    const std::uint64_t begun = fleet.begun(low);
    fleet.run_for(3s);
    EXPECT_LE(fleet.begun(low) - begun, 4U) << "strictly first";
    EXPECT_EQ(fleet.running(high), 4U);
  }
}

TEST(Priority, RecallsOnceAndDealsTheLowerJobNothingWhileTheHigherWaits) {
  Fleet fleet;
  fleet.add_worker({.slots = 4});
  fleet.add_job({.tasks = 100'000, .each = 100ms});
  fleet.run_for(1s);
  const std::uint64_t before = fleet.recalls();
  fleet.add_job({.tasks = 100'000, .each = 10ms, .priority = 1});
  fleet.run_for(10s);
  EXPECT_EQ(fleet.recalls() - before, 1U);
}

TEST(Priority, LeavesToLowerJobsTheWorkersThatCannotRunTheHigher) {
  Fleet fleet;
  fleet.add_worker({.slots = 2, .offers = {{"f", "()"}, {"g", "()"}}});
  fleet.add_worker({.slots = 2});
  const std::size_t low = fleet.add_job({.tasks = 100'000, .each = 10ms});
  const std::size_t high =
      fleet.add_job({.tasks = 100'000, .each = 10ms, .priority = 5, .function = "g"});
  fleet.run_for(1s);
  EXPECT_NEAR(fleet.used_s(high), 2, 0.1);
  EXPECT_NEAR(fleet.used_s(low), 2, 0.1);
}

TEST(Priority, LetsLowerJobsFillTheSlotsThatItLeavesIdle) {
  Fleet fleet;
  fleet.add_worker({.slots = 4});
  const std::size_t low = fleet.add_job({.tasks = 100'000, .each = 10ms});
  const std::size_t high = fleet.add_job({.tasks = 40, .each = 100ms, .priority = 1});
  fleet.run_until([&] { return fleet.done(high) == 40; }, 10s);
  EXPECT_EQ(fleet.done(high), 40U);
  EXPECT_LT(fleet.now(), MonoTime(1400ms)) << "ten rounds of 100 ms";
  fleet.run_for(100ms);
  EXPECT_EQ(fleet.running(low), 4U);
}

TEST(Pausing, TakesBackWhatIsNotStartedAndHoldsNoSlotOnceWhatRunsHasEnded) {
  Fleet fleet;
  fleet.add_worker({.slots = 2});
  fleet.add_worker({.slots = 2});
  const std::size_t job = fleet.add_job({.tasks = 1000, .each = 100ms});
  fleet.run_for(1050ms);
  EXPECT_EQ(fleet.running(job), 4U);
  fleet.steer(job, Steering::kPause);
  fleet.run_for(5ms);
  EXPECT_EQ(fleet.at_workers(job), 0U);
  EXPECT_EQ(fleet.running(job), 4U) << "what runs may end";
  fleet.run_for(100ms);
  EXPECT_EQ(fleet.running(job), 0U);
  const std::uint64_t begun = fleet.begun(job);
  fleet.run_for(60s);
  EXPECT_EQ(fleet.begun(job), begun);
  fleet.steer(job, Steering::kResume);
  fleet.run_for(5ms);
  EXPECT_EQ(fleet.running(job), 4U);
  fleet.run_until([&] { return fleet.done(job) == 1000; }, 60s);
  EXPECT_EQ(fleet.done(job), 1000U);
}

TEST(Labels, AreAskedOfTheWorkersThatAJobIsDealtTo) {
  Fleet fleet;
  fleet.add_worker({.slots = 1, .labels = {{"gpu", "no"}, {"zone", "a"}}});
  fleet.add_worker({.slots = 1, .labels = {{"gpu", "yes"}, {"zone", "a"}}});
  const std::size_t job =
      fleet.add_job({.tasks = 1000, .each = 10ms, .where = {{"zone", "a"}, {"gpu", "yes"}}});
  fleet.run_for(1s);
  EXPECT_NEAR(fleet.used_s(job), 1, 0.05);
  fleet.add_worker({.slots = 2, .labels = {{"zone", "a"}, {"gpu", "yes"}}});
  fleet.run_for(1s);
  EXPECT_NEAR(fleet.used_s(job), 4, 0.1);
}

TEST(Labels, AreAskedOfIdleWorkersBeforeAnythingIsRecalledForThem) {
  Fleet fleet;
  fleet.add_worker({.slots = 1, .labels = {{"gpu", "yes"}}});
  fleet.add_job({.tasks = 10, .each = 1s, .where = {{"gpu", "yes"}}});
  fleet.run_for(2500ms);
  fleet.add_worker({.slots = 4});
  fleet.run_for(2s);
  EXPECT_EQ(fleet.recalls(), 0U);
  // One that cannot help does not stand in the way of one that can.
  fleet.add_worker({.slots = 4, .labels = {{"gpu", "yes"}}});
  fleet.run_for(100ms);
  EXPECT_GE(fleet.running(0), 2U);
}

TEST(Signatures, BindAJobToTheOldestWorkersAndTellTheOthersOncePerFunction) {
  Fleet fleet;
  fleet.add_worker({.slots = 1, .offers = {{"f", "(x: int)"}}});
  fleet.run_for(1ms);
  const std::size_t other =
      fleet.add_worker({.slots = 1, .offers = {{"f", "(x: str)"}, {"g", "()"}}});
  const std::size_t silent = fleet.add_worker({.slots = 1, .offers = {{"f", ""}}});
  fleet.run_for(1ms);
  const std::size_t job = fleet.add_job({.tasks = 1000, .each = 10ms});
  fleet.run_for(1s);
  EXPECT_NEAR(fleet.used_s(job), 2, 0.1) << "the oldest, and the one that says nothing";
  ASSERT_EQ(fleet.told(other).size(), 1U);
  EXPECT_THAT(fleet.told(other).front(),
              ::testing::AllOf(::testing::HasSubstr("'f'"), ::testing::HasSubstr("(x: str)"),
                               ::testing::HasSubstr("(x: int)"), ::testing::HasSubstr("w0")));
  EXPECT_TRUE(fleet.told(0).empty());
  EXPECT_TRUE(fleet.told(silent).empty());
}

}  // namespace
}  // namespace fanmill::broker
