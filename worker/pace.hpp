// How long the tasks of a job take, and what follows for dealing: how many go to an executor at
// once, and how many such sub-batches wait behind the running one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/clock.hpp"
#include "proto/limits.hpp"

namespace fanmill::worker {

class JobPace {
 public:
  // `count` tasks took `run_ns` together.
  void report(std::uint64_t count, std::uint64_t run_ns) {
    const double each = std::max(1.0, static_cast<double>(run_ns) / static_cast<double>(count));
    // One slow task among fast ones must not make the rest be dealt singly for long, so a report
    // moves the mean by a bounded factor; many slow ones in a row still get there.
    mean_ns_ =
        known() ? mean_ns_ + (std::min(each, std::max(8 * mean_ns_, 1e5)) - mean_ns_) / 8 : each;
    limit_ = std::min(limit_ * 2, aim());
  }

  bool known() const { return mean_ns_ > 0; }
  // Tasks in the next sub-batch: from 1 on doubling with every report, up to 1 ms of work.
  std::uint64_t batch() const { return limit_; }
  // Sub-batches at an executor, the running one included.
  std::size_t depth() const {
    if (!known() || mean_ns_ >= kAimNs) return 1;
    return mean_ns_ < kAimNs / 10 ? 3 : 2;
  }
  nanoseconds expected(std::uint64_t count) const {
    return nanoseconds(
        static_cast<std::int64_t>(std::min(mean_ns_ * static_cast<double>(count), 1e15)));
  }

 private:
  static constexpr double kAimNs = 1e6;
  std::uint64_t aim() const {
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(kAimNs / mean_ns_), 1,
                                     limits::kChunkTuplesMax);
  }

  double mean_ns_ = 0;  // 0: nothing known
  std::uint64_t limit_ = 1;
};

}  // namespace fanmill::worker
