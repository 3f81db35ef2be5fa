// While a task runs long, a second thread does what the task's own thread cannot do meanwhile: it
// sends the reports of the tasks before it. Tasks pay next to nothing for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "proto/asymmetric_fence.hpp"

namespace fanmill::worker {

class LongTaskWatch {
 public:
  // `act` runs in the watching thread, and only while a task is between begin() and end(): what it
  // touches, a task must not.
  explicit LongTaskWatch(std::function<void()> act);
  ~LongTaskWatch();
  LongTaskWatch(const LongTaskWatch&) = delete;
  LongTaskWatch& operator=(const LongTaskWatch&) = delete;

  // Around each task, by its thread. `wanted`: there is something to act upon.
  void begin(bool wanted) {
    const std::uint64_t step = step_.load(std::memory_order_relaxed);
    step_.store(step + 1, std::memory_order_release);
    asymmetric::light_fence();
    if (wanted && sleeps_.load(std::memory_order_relaxed)) wake();
  }
  void end() {
    const std::uint64_t step = step_.load(std::memory_order_relaxed);
    step_.store(step + 1, std::memory_order_release);
    asymmetric::light_fence();
    if (acts_.load(std::memory_order_acquire)) acts_.wait(true, std::memory_order_acquire);
  }

 private:
  void wake();  // the thread is made when it is first wanted; without one, nothing is done
  void watch();

  std::function<void()> act_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  // Apart from what only the watching thread changes often.
  alignas(64) std::atomic<std::uint64_t> step_{0};  // odd: a task runs
  alignas(64) std::atomic<bool> sleeps_{true};      // until wake()
  std::atomic<bool> acts_{false};                   // or is about to
};

}  // namespace fanmill::worker
