// Time as the protocol sees it. The core is given a MonoTime with every event and never asks for
// one; only loops call mono_now().
#pragma once

#include <chrono>
#include <cstdint>

namespace fanmill {

// A clock that runs through suspends and never jumps (CLOCK_BOOTTIME). Not to be compared between
// hosts.
struct MonoClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};
using MonoTime = MonoClock::time_point;
using std::chrono::nanoseconds;

MonoTime mono_now();

// Wall clock, microseconds since 1970, for reports only: no decision reads it.
std::int64_t unix_now_us();

}  // namespace fanmill
