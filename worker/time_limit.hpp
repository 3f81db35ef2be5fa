// How long a task of a job may run: a time of its own, a share of the median of those before it, or
// the shorter of both.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "worker/run_times.hpp"

namespace fanmill::worker {

// A share of the median is never less: what starts a process at times takes a while itself.
inline constexpr nanoseconds kShareOfMedianMin = std::chrono::milliseconds(100);
// Longer limits are none that anybody waits for.
inline constexpr std::uint64_t kTimeLimitMaxMs = 1'000ull * 3600 * 24 * 3650;

struct TimeLimit {
  nanoseconds limit{};
  std::uint32_t percent{};  // of the median; 0: the limit is the job's own
  nanoseconds median{};
};

inline bool has_time_limit(const JobSpec& spec) {
  return spec.time_limit_ms != 0 || spec.time_limit_percent != 0;
}

// Nothing: as long as it takes, for now.
inline std::optional<TimeLimit> time_limit_of(const JobSpec& spec, const RunTimes& run_times) {
  std::optional<TimeLimit> limit;
  if (spec.time_limit_ms != 0) {
    limit.emplace();
    limit->limit = std::chrono::milliseconds(std::min(spec.time_limit_ms, kTimeLimitMaxMs));
  }
  if (spec.time_limit_percent == 0) return limit;
  const auto median = run_times.median();
  if (!median) return limit;
  const double share = static_cast<double>(median->count()) * spec.time_limit_percent / 100;
  const double longest = static_cast<double>(kTimeLimitMaxMs) * 1e6;
  const auto of_median =
      std::max(kShareOfMedianMin, nanoseconds(static_cast<std::int64_t>(std::min(share, longest))));
  if (limit && limit->limit <= of_median) return limit;
  return TimeLimit{.limit = of_median, .percent = spec.time_limit_percent, .median = *median};
}

}  // namespace fanmill::worker
