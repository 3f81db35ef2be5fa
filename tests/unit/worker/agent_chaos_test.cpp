#include "agent_chaos.hpp"

#include <gtest/gtest.h>

namespace fanmill::worker {
namespace {

TEST(AgentChaos, NoSeedBreaksThePromises) {
  ChaosResult sum;
  for (const std::uint64_t seed : {3, 6, 7, 8, 13}) {
    const ChaosResult result = run_chaos(seed);
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    sum.tasks_done += result.tasks_done;
    sum.crashes += result.crashes;
    sum.returned += result.returned;
    sum.sessions += result.sessions;
  }
  // It was an afternoon worth the name.
  EXPECT_GT(sum.tasks_done, 1'000u);
  EXPECT_GT(sum.crashes, 50u);
  EXPECT_GT(sum.returned, 100u);
  EXPECT_GT(sum.sessions, 10u);
}

}  // namespace
}  // namespace fanmill::worker
