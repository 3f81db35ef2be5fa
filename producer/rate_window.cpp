#include "producer/rate_window.hpp"

#include <algorithm>

namespace fanmill::producer {

void RateWindow::sample(MonoTime now, std::uint64_t done) {
  const nanoseconds span = std::max<nanoseconds>(kRateSpan, (now - began_) / 2);
  last_ = {now, done};
  // Evenly enough spaced that the window's begin is hit within two parts in a hundred.
  if (samples_.empty()) samples_.push_back({began_, 0});
  if (now - samples_.back().at >= span / static_cast<int>(kRateSamplesMax / 2)) {
    samples_.push_back(last_);
  }
  while (samples_.size() > 1 &&
         (samples_[1].at <= now - span || samples_.size() > kRateSamplesMax)) {
    samples_.pop_front();
  }
}

double RateWindow::rate() const {
  if (samples_.empty()) return 0;
  const Sample& from = samples_.front();
  const double seconds = std::chrono::duration<double>(last_.at - from.at).count();
  if (seconds <= 0 || last_.done <= from.done) return 0;
  return static_cast<double>(last_.done - from.done) / seconds;
}

}  // namespace fanmill::producer
