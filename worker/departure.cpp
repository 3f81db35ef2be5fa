#include "worker/departure.hpp"

namespace fanmill::worker {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds kFarewellMost = 2s;
// Of the time limit, kept free for the last reports.
constexpr int kFarewellShare = 20;

}  // namespace

Departure::Departure(std::optional<nanoseconds> idle_timeout, std::optional<nanoseconds> time_limit,
                     MonoTime now)
    : idle_timeout_(idle_timeout) {
  if (!time_limit) return;
  farewell_ = std::min(kFarewellMost, *time_limit / kFarewellShare);
  ends_at_ = now + *time_limit - farewell_;
}

// What was decided stays: a draining worker takes nothing more, whatever else happens.
Departure::Leave Departure::at(Facts facts, MonoTime now) {
  wake_at_.reset();
  if (!facts.idle) {
    idle_since_.reset();
  } else if (!idle_since_) {
    idle_since_ = now;
  }
  if (ends_at_ && now >= *ends_at_) {
    if (!is_over(now)) wake_at_ = *ends_at_ + farewell_;
    return decided_ = Leave::kAtOnce;
  }
  if (decided_ != Leave::kNotYet) {
    wake_at_ = ends_at_;
    return decided_;
  }
  std::optional<MonoTime> drain_at;
  if (ends_at_) drain_at = *ends_at_ - facts.a_task_takes;
  if (drain_at && now >= *drain_at) {
    wake_at_ = ends_at_;
    return decided_ = Leave::kInTime;
  }
  wake_at_ = drain_at;
  if (idle_timeout_ && idle_since_) {
    const MonoTime leaves_at = *idle_since_ + *idle_timeout_;
    if (now >= leaves_at) return decided_ = Leave::kIdle;
    if (!wake_at_ || leaves_at < *wake_at_) wake_at_ = leaves_at;
  }
  return Leave::kNotYet;
}

std::string_view Departure::reason(Leave leave) {
  switch (leave) {
    case Leave::kNotYet:
      return {};
    case Leave::kIdle:
      return "nothing to do for so long (--idle-timeout): leaves";
    case Leave::kInTime:
      return "another task would not end in time (--time-limit): finishes what runs, gives back "
             "the rest";
    case Leave::kAtOnce:
      return "the time is over (--time-limit): kills what runs, gives all of it back";
  }
  return {};
}

}  // namespace fanmill::worker
