// The median of how long tasks ran, over the last ones; for time limits that are a share of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "proto/clock.hpp"

namespace fanmill::worker {

class RunTimes {
 public:
  // From so many on there is a median, as with GNU parallel.
  static constexpr std::size_t kLeast = 3;
  // The last so many count. Adding one moves at most as many numbers.
  static constexpr std::size_t kKept = 999;

  void add(std::uint64_t run_ns) {
    if (latest_.size() < kKept) {
      latest_.push_back(run_ns);
    } else {
      const std::uint64_t oldest = std::exchange(latest_[next_], run_ns);
      next_ = (next_ + 1) % kKept;
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), oldest));
    }
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), run_ns), run_ns);
  }

  // Of an even number, the lower of the two in the middle.
  std::optional<nanoseconds> median() const {
    if (sorted_.size() < kLeast) return {};
    return nanoseconds(static_cast<std::int64_t>(sorted_[(sorted_.size() - 1) / 2]));
  }

 private:
  std::vector<std::uint64_t> latest_;  // a ring, once it is full
  std::size_t next_ = 0;
  std::vector<std::uint64_t> sorted_;
};

}  // namespace fanmill::worker
