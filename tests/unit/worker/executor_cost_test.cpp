// What an executor adds to a task that does nothing. Printed, and held only to a bound that a busy
// machine and a debug build keep.
#include <gtest/gtest.h>

#include "tests/unit/worker/pool_harness.hpp"

namespace fanmill::worker {
namespace {

using namespace testing;

TEST(ExecutorCost, OfATaskThatDoesNothingIsNanoseconds) {
  ExecutorPool pool = ExecutorPool::make({executor_path(), 1, false}).value();
  ASSERT_TRUE(pool.start(0));
  JobSpec spec;
  spec.function = "identity";
  constexpr JobId kJob{1};
  pool.bind({0, {kJob, spec}});
  constexpr std::uint64_t kTasks = 16384;
  constexpr std::uint64_t kRounds = 60;
  std::string tuples;
  for (std::uint64_t i = 0; i < kTasks; ++i) {
    append_msgpack(tuples, Array{static_cast<std::int64_t>(i)});
  }
  const Blob blob = Blob::from(tuples);
  std::uint64_t done = 0;
  std::uint64_t run_ns = 0;
  std::uint64_t dealt = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (done < kTasks * kRounds) {
    while (dealt < kTasks * kRounds && dealt < done + 3 * kTasks) {
      DealWork work;
      work.work.job = kJob;
      work.work.position = dealt;
      work.work.count = kTasks;
      work.blob = blob;
      dealt += kTasks;
      work.end = dealt;
      pool.deal(work);
    }
    pool.flush();
    pollfd watched{pool.poll_fd(), POLLIN, 0};
    ASSERT_GT(poll(&watched, 1, 20000), 0);
    std::vector<Event> events;
    pool.take_events(events);
    for (const Event& event : events) {
      if (const auto* one = std::get_if<ExecutorDone>(&event)) {
        done += one->done.count;
        run_ns += one->done.run_ns;
      }
    }
  }
  const auto wall = std::chrono::steady_clock::now() - begin;
  std::printf("identity: %.1f ns a task in the executor, %.1f ns of wall time\n",
              static_cast<double>(run_ns) / static_cast<double>(done),
              static_cast<double>(wall.count()) / static_cast<double>(done));
  EXPECT_LT(run_ns / done, 5000U);
}

TEST(ExecutorCost, OfACommandIsThatOfItsProcess) {
  PoolHarness harness(2);
  JobSpec spec;
  spec.function = kCommandFunction;
  spec.argv = {"/bin/true"};
  constexpr JobId kJob{1};
  constexpr int kTasks = 400;
  const std::vector<Value> tuples(kTasks, Value(Array{1}));
  const auto begin = std::chrono::steady_clock::now();
  for (const std::uint32_t slot : {0U, 1U}) {
    harness.bind(kJob, spec, slot);
    harness.next = 0;
    harness.deal_all(kJob, tuples, slot);
  }
  ASSERT_TRUE(harness.run_until_ended(2 * kTasks));
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::printf("/bin/true: %.0f commands a second in 2 slots\n", 2 * kTasks / wall.count());
  for (const Ended& one : harness.ended) ASSERT_EQ(one.outcome, Outcome::kSucceeded);
}

}  // namespace
}  // namespace fanmill::worker
