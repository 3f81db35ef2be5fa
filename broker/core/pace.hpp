// How many tasks of a job go out at once, and how many belong at each slot. Nobody tunes a chunk
// size: batches grow from one task to about limits::kBatchTime of work by what the reports say.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "broker/core/job.hpp"

namespace fanmill::broker {

struct Pace {
  std::uint64_t batch = 1;
  std::uint64_t per_slot = 2;
};

inline Pace pace_of(const Job& job) {
  if (!job.measured) return {};
  const auto tasks_in = [&job](std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(static_cast<double>(time.count()) / job.mean_ns);
  };
  Pace pace;
  pace.batch = std::clamp<std::uint64_t>(tasks_in(limits::kBatchTime), 1, job.batch_limit);
  const std::uint64_t ahead =
      std::clamp<std::uint64_t>(tasks_in(limits::kPrefetchTime), 1, 2 * pace.batch);
  pace.per_slot = pace.batch + ahead;
  return pace;
}

}  // namespace fanmill::broker
