// The functions every worker offers: enough for the first five minutes and the benchmarks.
#include <errno.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "proto/task_text.hpp"
#include "worker/functions/arguments.hpp"
#include "worker/functions/function.hpp"

namespace fanmill::worker {
namespace {

constexpr char kNil = static_cast<char>(0xc0);
constexpr const char* kSleep = "(seconds: float) -> null";
constexpr const char* kSleepPrint = "(seconds: float, message: str) -> null";

// Exact to a few microseconds: a process that sleeps is woken late by some tens, so it asks to be
// woken earlier by what it lately was late, and waits out the rest awake.
class ExactSleeper {
 public:
  void sleep(double seconds) {
    if (seconds <= 0) return;
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(seconds));
    const auto wake = until - late_;
    const auto since_epoch = wake.time_since_epoch();
    const auto whole = std::chrono::floor<std::chrono::seconds>(since_epoch);
    const timespec at{whole.count(), std::chrono::nanoseconds(since_epoch - whole).count()};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
    const auto now = Clock::now();
    // One far too late was kept from its core, which says nothing about the next.
    late_ += (std::clamp<Clock::duration>(now - wake, {}, kLateMost) - late_) / 8;
    while (Clock::now() < until) {
    }
  }

 private:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
  static constexpr Clock::duration kLateMost = std::chrono::microseconds(30);
  Clock::duration late_{};
};

void sleep_for(double seconds) {
  static ExactSleeper sleeper;  // an executor has one thread
  sleeper.sleep(seconds);
}

class Sleep : public Function {
 public:
  explicit Sleep(const JobSpec& spec) : arguments_("sleep", kSleep, spec.names) {}
  tl::expected<void, Failure> call(Call& call) override {
    auto values = arguments_.take(call.tuple);
    if (!values) return tl::make_unexpected(std::move(values.error()));
    const auto seconds = arguments_.duration(*values, 0);
    if (!seconds) return tl::make_unexpected(seconds.error());
    sleep_for(*seconds);
    call.value->push_back(kNil);
    return {};
  }

 private:
  Arguments arguments_;
};

class SleepPrint : public Function {
 public:
  explicit SleepPrint(const JobSpec& spec) : arguments_("sleep_print", kSleepPrint, spec.names) {}
  tl::expected<void, Failure> call(Call& call) override {
    auto values = arguments_.take(call.tuple);
    if (!values) return tl::make_unexpected(std::move(values.error()));
    const auto seconds = arguments_.duration(*values, 0);
    if (!seconds) return tl::make_unexpected(seconds.error());
    std::string line = text_of((*values)[1]);
    sleep_for(*seconds);
    line.push_back('\n');
    std::fwrite(line.data(), 1, line.size(), stdout);
    call.value->push_back(kNil);
    return {};
  }

 private:
  Arguments arguments_;
};

// The tuple itself, as an array, or as a map if it is named.
class Echo : public Function {
 public:
  tl::expected<void, Failure> call(Call& call) override {
    call.value->append(call.tuple.bytes);
    return {};
  }
};

// The only argument as it is; of several, what echo gives.
class Identity : public Function {
 public:
  tl::expected<void, Failure> call(Call& call) override {
    const TupleView& tuple = call.tuple;
    if (tuple.count == 0) {
      return tl::make_unexpected(bad_arguments("identity", "(value)", "the tuple is empty"));
    }
    if (tuple.count > 1) {
      call.value->append(tuple.bytes);
    } else if (tuple.named) {
      call.value->append(tuple.elements().front());
    } else {
      call.value->append(tuple.body);
    }
    return {};
  }
};

}  // namespace

void add_builtin_functions(Registry& registry) {
  registry.add({"sleep", kSleep},
               [](const JobSpec& spec) { return std::make_unique<Sleep>(spec); });
  registry.add({"sleep_print", kSleepPrint},
               [](const JobSpec& spec) { return std::make_unique<SleepPrint>(spec); });
  registry.add({"echo", "(...) -> any"}, [](const JobSpec&) { return std::make_unique<Echo>(); });
  registry.add({"identity", "(...) -> any"},
               [](const JobSpec&) { return std::make_unique<Identity>(); });
}

}  // namespace fanmill::worker
