// The progress bar's text. Pure; producer/console.hpp draws it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/clock.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

class Progress {
 public:
  explicit Progress(MonoTime now) : began_(now), rated_at_(now) {}

  void status(const JobStatus& status) { status_ = status; }
  void rows(std::uint64_t done, std::uint64_t failed);
  void total(std::uint64_t total) { total_ = total; }
  void connected(bool connected) { connected_ = connected; }

  // ━━━━━──── 41% 410/1000 · 99.8/s · 0:06 left · 2 failed · waiting for task 17
  std::string text(MonoTime now, std::size_t columns);

  std::uint64_t done() const;
  nanoseconds elapsed(MonoTime now) const { return now - began_; }

 private:
  MonoTime began_;
  std::optional<JobStatus> status_;
  std::optional<std::uint64_t> total_;
  std::uint64_t rows_done_ = 0;
  std::uint64_t rows_failed_ = 0;
  bool connected_ = true;

  MonoTime rated_at_;
  std::uint64_t rated_done_ = 0;
  double rate_ = 0;  // tasks a second, smoothed over some seconds
};

// 0:07, 12:05, 3:00:00
std::string clock_text(nanoseconds time);
// 950, 12.3k, 4.1M
std::string short_count(double count);

}  // namespace fanmill::producer
