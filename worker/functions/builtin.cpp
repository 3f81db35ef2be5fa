// The functions every worker offers: enough for the first five minutes and the benchmarks.
#include <errno.h>
#include <time.h>

#include <cmath>
#include <cstdio>

#include "worker/functions/arguments.hpp"
#include "worker/functions/function.hpp"

namespace fanmill::worker {
namespace {

constexpr char kNil = static_cast<char>(0xc0);

void sleep_for(double seconds) {
  if (seconds <= 0) return;
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const double whole = std::floor(seconds);
  until.tv_sec += static_cast<time_t>(whole);
  until.tv_nsec += static_cast<long>(std::llround((seconds - whole) * 1e9));
  if (until.tv_nsec >= 1'000'000'000) {
    until.tv_nsec -= 1'000'000'000;
    ++until.tv_sec;
  }
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

class Sleep : public Function {
 public:
  explicit Sleep(const JobSpec& spec) : arguments_("sleep", {"seconds"}, spec.names) {}
  tl::expected<void, Failure> call(Call& call) override {
    auto values = arguments_.take(call.tuple);
    if (!values) return tl::make_unexpected(std::move(values.error()));
    const auto seconds = arguments_.duration(*values, 0);
    if (!seconds) return tl::make_unexpected(seconds.error());
    sleep_for(*seconds);
    call.values->push_back(kNil);
    return {};
  }

 private:
  Arguments arguments_;
};

class SleepPrint : public Function {
 public:
  explicit SleepPrint(const JobSpec& spec)
      : arguments_("sleep_print", {"seconds", "message"}, spec.names) {}
  tl::expected<void, Failure> call(Call& call) override {
    auto values = arguments_.take(call.tuple);
    if (!values) return tl::make_unexpected(std::move(values.error()));
    const auto seconds = arguments_.duration(*values, 0);
    if (!seconds) return tl::make_unexpected(seconds.error());
    std::string line = text_of((*values)[1]);
    sleep_for(*seconds);
    line.push_back('\n');
    std::fwrite(line.data(), 1, line.size(), stdout);
    call.values->push_back(kNil);
    return {};
  }

 private:
  Arguments arguments_;
};

// The tuple itself, as an array, or as a map if it is named.
class Echo : public Function {
 public:
  tl::expected<void, Failure> call(Call& call) override {
    call.values->append(call.tuple.bytes);
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
      call.values->append(tuple.bytes);
    } else if (tuple.named) {
      call.values->append(tuple.elements().front());
    } else {
      call.values->append(tuple.body);
    }
    return {};
  }
};

}  // namespace

void add_builtin_functions(Registry& registry) {
  registry.add({"sleep", "(seconds: float) -> null"},
               [](const JobSpec& spec) { return std::make_unique<Sleep>(spec); });
  registry.add({"sleep_print", "(seconds: float, message: str) -> null"},
               [](const JobSpec& spec) { return std::make_unique<SleepPrint>(spec); });
  registry.add({"echo", "(...) -> array"}, [](const JobSpec&) { return std::make_unique<Echo>(); });
  registry.add({"identity", "(value) -> any"},
               [](const JobSpec&) { return std::make_unique<Identity>(); });
}

}  // namespace fanmill::worker
