// What is acted upon while a task runs, and that a task never runs into it.
#include "worker/long_task_watch.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <future>

namespace fanmill::worker {
namespace {

using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

TEST(LongTaskWatch, ActsWhileATaskRuns) {
  std::promise<void> acted;
  LongTaskWatch watch([&] { acted.set_value(); });
  watch.begin(true);
  EXPECT_EQ(acted.get_future().wait_for(kDeadline), std::future_status::ready);
  watch.end();
}

TEST(LongTaskWatch, ActsAgainForALaterTask) {
  std::atomic<int> times{0};
  LongTaskWatch watch([&] {
    ++times;
    times.notify_one();
  });
  for (int task = 0; task < 3; ++task) {
    watch.begin(true);
    times.wait(task);
    watch.end();
    EXPECT_EQ(times.load(), task + 1);
  }
}

TEST(LongTaskWatch, LetsAloneATaskThatLeavesNothingToDo) {
  int times = 0;
  {
    LongTaskWatch watch([&] { ++times; });
    watch.begin(false);
    std::this_thread::sleep_for(20ms);  // nothing may come: no fact to wait for
    watch.end();
  }
  EXPECT_EQ(times, 0);
}

TEST(LongTaskWatch, LeavesSignalsToTheThreadOfTheTasks) {
  std::promise<bool> blocked;
  LongTaskWatch watch([&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked.set_value(sigismember(&mask, SIGTERM) == 1);
  });
  watch.begin(true);
  EXPECT_TRUE(blocked.get_future().get());
  watch.end();
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

// Both threads change what no lock guards: a lost step or a torn one would show in the sum.
TEST(LongTaskWatch, NeverActsBetweenTasks) {
  std::uint64_t waiting = 0;
  std::uint64_t taken = 0;
  int acts = 0;
  std::uint64_t put = 0;
  {
    LongTaskWatch watch([&] {
      taken += waiting;
      waiting = 0;
      ++acts;
    });
    const auto until = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < until) {
      for (int quick = 0; quick < 1000; ++quick) {
        watch.begin(waiting > 0);
        watch.end();
        ++waiting;
        ++put;
      }
      // Long enough, at times, to be acted behind; its end meets the act at every moment of it.
      const auto end =
          std::chrono::steady_clock::now() + std::chrono::microseconds(put / 1000 % 3000);
      watch.begin(waiting > 0);
      while (std::chrono::steady_clock::now() < end) {
      }
      watch.end();
      ++waiting;
      ++put;
    }
  }
  EXPECT_EQ(taken + waiting, put);
  EXPECT_GT(acts, 0);
}

}  // namespace
}  // namespace fanmill::worker
