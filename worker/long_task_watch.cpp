#include "worker/long_task_watch.hpp"

#include <pthread.h>
#include <signal.h>

#include <exception>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::worker {

LongTaskWatch::LongTaskWatch(std::function<void()> act) : act_(std::move(act)) {}

LongTaskWatch::~LongTaskWatch() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  sleeps_.store(false);
  sleeps_.notify_one();
  thread_.join();
}

void LongTaskWatch::wake() {
  sleeps_.store(false, std::memory_order_relaxed);
  if (thread_.joinable()) {
    sleeps_.notify_one();
    return;
  }
  if (!asymmetric::register_for_own_threads()) return;
  // Signals are for the tasks' thread: a handler here would interrupt nothing that it should.
  sigset_t every;
  sigset_t before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  try {
    thread_ = std::thread([this] { watch(); });
  } catch (const std::exception&) {
    // Short of threads: reports leave when their task's thread is back.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LongTaskWatch::watch() {
  while (true) {
    sleeps_.wait(true, std::memory_order_relaxed);
    if (stop_.load()) return;
    const std::uint64_t seen = step_.load(std::memory_order_relaxed);
    std::this_thread::sleep_for(limits::kResultFlushTime);
    if (step_.load(std::memory_order_relaxed) != seen) continue;

    // Behind the fence either this thread sees that a task runs, and the task's end waits; or the
    // next task's beginning sees that this thread sleeps.
    acts_.store(true, std::memory_order_relaxed);
    sleeps_.store(true, std::memory_order_relaxed);
    const bool fenced = asymmetric::heavy_fence_for_own_threads();
    if (fenced && step_.load(std::memory_order_acquire) % 2 == 1) act_();
    acts_.store(false, std::memory_order_release);
    acts_.notify_one();
  }
}

}  // namespace fanmill::worker
