#include "worker/executor_report.hpp"

#include <stdio.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "proto/executor_frames.hpp"
#include "proto/limits.hpp"
#include "worker/captured.hpp"
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace fanmill::worker {
namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kValuesWorthSending = 64 * limits::kKiB;
constexpr auto kReadClockAfter = 4us;     // reading it more often would cost more than it says
constexpr auto kLookAtFilesAfter = 10us;  // the same of the printed files
constexpr std::uint64_t kRunTimesFrom = 100'000;  // ns of mean run time, for a column of its own

std::uint64_t ns_between(Steady::time_point from, Steady::time_point to) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<nanoseconds>(to - from).count()));
}

// A clock that costs a few cycles: ticks of an unknown rate that may jump between cores, so it only
// hints that reading the real one is worth it.
std::uint64_t cheap_ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks = 0;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return static_cast<std::uint64_t>(Steady::now().time_since_epoch().count());
#endif
}

std::uint64_t ticks_in(std::chrono::nanoseconds time) {
  // Measured over a moment at the start of the process; a hint need not be exact.
  const auto begin = Steady::now();
  const std::uint64_t first = cheap_ticks();
  auto now = begin;
  while (now - begin < 20us) now = Steady::now();
  const std::uint64_t ticks = cheap_ticks() - first;
  return ticks * static_cast<std::uint64_t>(time.count()) /
         std::max<std::uint64_t>(1, ns_between(begin, now));
}

std::string take_printed(int fd) {
  struct stat status{};
  if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0) return {};
  std::string text = read_head_tail(fd);
  static_cast<void>(!ftruncate(fd, 0));
  return text;
}

}  // namespace

Reporter::Reporter(PrintedFiles printed)
    : printed_(printed), ticks_worth_reading_(ticks_in(kReadClockAfter)) {
  last_sent_ = Steady::now();
}

void Reporter::begin(std::uint64_t position) {
  position_ = position;
  last_read_ = Steady::now();
  last_ticks_ = cheap_ticks();
  unread_tasks_ = 0;
  if (frames_.empty()) last_sent_ = last_read_;
}

[[gnu::always_inline]] inline void Reporter::ended(Outcome outcome, std::string& out,
                                                   std::string& err) {
  if (count_ == 0) {
    outcome_ = outcome;
  }
  ++count_;
  ++unread_tasks_;
  if (!out.empty() || !err.empty()) {
    add_output(static_cast<std::uint32_t>(count_ - 1), std::move(out), std::move(err));
    out.clear();
    err.clear();
  }
  if (has_printed_ || __fpending(stdout) > 0) collect_printed();
  if (cheap_ticks() - last_ticks_ > ticks_worth_reading_) read_clock();
  if (values_.size() + output_bytes_ >= kValuesWorthSending) due_ = true;
}

void Reporter::succeeded(std::string& value, std::string& out, std::string& err) {
  if (count_ > 0 && outcome_ != Outcome::kSucceeded) make_frame();
  if (values_.empty()) {
    values_.swap(value);
  } else {
    values_.append(value);
  }
  value.clear();
  ended(Outcome::kSucceeded, out, err);
}

void Reporter::failed(Failure failure, std::string& out, std::string& err) {
  if (count_ > 0 && outcome_ != Outcome::kFailed) make_frame();
  if (failure.message.size() > limits::kFailureMessageMax) {
    failure.message.resize(limits::kFailureMessageMax);
  }
  columns_.failures.push_back(std::move(failure));
  ended(Outcome::kFailed, out, err);
}

void Reporter::read_clock() {
  if (unread_tasks_ == 0) return;
  const auto now = Steady::now();
  last_ticks_ = cheap_ticks();
  const std::uint64_t ns = ns_between(last_read_, now);
  const auto mean = std::chrono::nanoseconds(ns / unread_tasks_);
  segments_.push_back({unread_tasks_, ns});
  run_ns_ += ns;
  last_read_ = now;
  unread_tasks_ = 0;
  if (mean >= kLookAtFilesAfter) {
    collect_printed();
    last_read_ = Steady::now();  // that was ours, not the next task's
  }
  if (now - last_sent_ >= limits::kResultFlushTime) due_ = true;
}

void Reporter::collect_printed() {
  if (printed_.out < 0 && printed_.err < 0) return;
  has_printed_ = false;
  fflush(stdout);
  std::string out = take_printed(printed_.out);
  std::string err = take_printed(printed_.err);
  if (out.empty() && err.empty()) return;
  add_output(static_cast<std::uint32_t>(count_ - 1), std::move(out), std::move(err));
}

void Reporter::add_output(std::uint32_t offset, std::string out, std::string err) {
  output_bytes_ += out.size() + err.size();
  if (!columns_.outputs.empty() && columns_.outputs.back().offset == offset) {
    columns_.outputs.back().out += out;
    columns_.outputs.back().err += err;
    return;
  }
  columns_.outputs.push_back({offset, std::move(out), std::move(err)});
}

bool Reporter::due() const { return due_; }

void Reporter::close() {
  if (count_ == 0) return;
  read_clock();
  collect_printed();
  make_frame();
}

void Reporter::close_behind_a_task() {
  if (count_ > 0) make_frame();
}

void Reporter::written() {
  frames_.clear();
  if (frames_.capacity() > limits::kMiB) frames_.shrink_to_fit();
  last_sent_ = last_read_;
  due_ = false;
}

// It may be called while the next task runs, or has ended and is not yet counted: its time and its
// output must stay where they are. The tasks before it that no reading of the clock has covered
// took no time worth one.
void Reporter::make_frame() {
  if (unread_tasks_ > 0) segments_.push_back({unread_tasks_, 0});
  unread_tasks_ = 0;
  if (run_ns_ / count_ >= kRunTimesFrom) {
    columns_.run_ns.reserve(static_cast<std::size_t>(count_));
    for (const Segment& segment : segments_) {
      columns_.run_ns.insert(columns_.run_ns.end(), segment.tasks, segment.ns / segment.tasks);
    }
  }
  // The batch ended at the last reading of the clock, and began its run time before that.
  const auto ended_us =
      unix_now_us() - static_cast<std::int64_t>(ns_between(last_read_, Steady::now()) / 1000);
  columns_.start_unix_us = ended_us - static_cast<std::int64_t>(run_ns_ / 1000);
  const std::size_t values_bytes = values_.size();
  append_columns(values_, columns_);
  executor::Done done;
  done.position = position_;
  done.count = count_;
  done.outcome = outcome_;
  done.values_bytes = values_bytes;
  done.run_ns = run_ns_;
  done.blob = values_;
  executor::append_frame_head(frames_, done);
  frames_ += values_;

  position_ += count_;
  count_ = 0;
  if (values_.capacity() > limits::kMiB) std::string().swap(values_);
  values_.clear();
  output_bytes_ = 0;
  run_ns_ = 0;
  segments_.clear();
  columns_ = {};
}

}  // namespace fanmill::worker
