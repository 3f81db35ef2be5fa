// When a worker leaves by itself: after it was idle for long enough, or before its time is over, as
// a batch system gives it. Pure, and asked once per turn.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "proto/clock.hpp"

namespace fanmill::worker {

class Departure {
 public:
  enum class Leave {
    kNotYet,
    kIdle,    // drain: there was nothing to do for so long
    kInTime,  // drain: a further task would not end in time
    kAtOnce,  // the time is over
  };
  struct Facts {
    bool idle{};                 // nothing held, nothing to report
    nanoseconds a_task_takes{};  // of the jobs in hand, the longest mean; 0: not known
  };

  Departure(std::optional<nanoseconds> idle_timeout, std::optional<nanoseconds> time_limit,
            MonoTime now);

  bool ever() const { return idle_timeout_ || ends_at_; }
  Leave at(Facts facts, MonoTime now);
  // Not even the last reports are waited for any more.
  bool is_over(MonoTime now) const { return ends_at_ && now >= *ends_at_ + farewell_; }
  // When asking again may give another answer, though nothing happens until then.
  std::optional<MonoTime> wake_at() const { return wake_at_; }
  static std::string_view reason(Leave leave);

 private:
  std::optional<nanoseconds> idle_timeout_;
  std::optional<MonoTime> ends_at_;
  nanoseconds farewell_{};  // the last reports take a moment
  std::optional<MonoTime> idle_since_;
  std::optional<MonoTime> wake_at_;
  Leave decided_ = Leave::kNotYet;
};

}  // namespace fanmill::worker
