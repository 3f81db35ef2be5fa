// How many of something happened per second, over the last ten seconds. Counted per batch; the
// memory is one number for each of those seconds.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "proto/clock.hpp"

namespace fanmill::broker {

class MovingRate {
 public:
  static constexpr std::int64_t kSeconds = 10;

  // What is counted can happen from `begin` on.
  explicit MovingRate(MonoTime begin = {}) : begin_(begin) {}

  void count(MonoTime now, std::uint64_t more) {
    const std::int64_t second = second_of(now);
    Second& slot = seconds_[static_cast<std::size_t>(second) % seconds_.size()];
    if (slot.second != second) slot = {second, 0};
    slot.count += more;
  }

  double per_second(MonoTime now) const {
    const std::int64_t from = second_of(now) - kSeconds;  // its ten whole seconds, and this one
    std::uint64_t count = 0;
    for (const Second& slot : seconds_)
      if (slot.second >= from && slot.second <= from + kSeconds) count += slot.count;
    const MonoTime since = std::max(begin_, MonoTime(std::chrono::seconds(from)));
    const double seconds = std::chrono::duration<double>(now - since).count();
    return static_cast<double>(count) / std::max(seconds, kShortest);
  }

 private:
  static constexpr double kShortest = 0.1;  // of what just began
  static std::int64_t second_of(MonoTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  struct Second {
    std::int64_t second = -1;
    std::uint64_t count = 0;
  };
  std::array<Second, kSeconds + 1> seconds_{};
  MonoTime begin_;
};

}  // namespace fanmill::broker
