// How fast a run is at present. Pure.
#pragma once

#include <cstdint>
#include <deque>

#include "proto/clock.hpp"

namespace fanmill::producer {

// The mean rate over the last half of the run, but over no less than the last kRateSpan: short
// enough to follow a change of pace, long enough that tasks which end in bursts do not shake it.
inline constexpr auto kRateSpan = std::chrono::seconds(10);
inline constexpr std::size_t kRateSamplesMax = 128;

class RateWindow {
 public:
  explicit RateWindow(MonoTime began) : began_(began) {}

  void sample(MonoTime now, std::uint64_t done);
  // Tasks a second at the last sample; 0 where none ended within the window.
  double rate() const;

 private:
  struct Sample {
    MonoTime at;
    std::uint64_t done;
  };

  MonoTime began_;
  std::deque<Sample> samples_;  // at rising times, from before the window on
  Sample last_{};
};

}  // namespace fanmill::producer
