// How far a run is: what is known of it, and that as a bar's text, as a line and as JSON. Pure;
// producer/progress_output.hpp says when and where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "producer/rate_window.hpp"
#include "proto/clock.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

// The schema of json(); README has its fields. It rises when one is renamed, removed or changes its
// meaning, not when one is added.
inline constexpr int kProgressSchema = 1;

class Progress {
 public:
  explicit Progress(MonoTime now) : began_(now), rate_(now) {}

  void status(const JobStatus& status) { status_ = status; }
  void rows(std::uint64_t done, std::uint64_t failed);
  void total(std::uint64_t total) { total_ = total; }
  void slots(std::uint32_t slots) { slots_ = slots; }  // where no status tells
  void connected(bool connected) { connected_ = connected; }

  // ━━━━━──── 41% 410/1000 · 99.8/s · 0:06 left · 2 failed · waiting for task 17
  std::string bar(MonoTime now, std::size_t columns);
  // The same without blocks.
  std::string line(MonoTime now);
  // {"fanmill_progress":1,"state":"running",…}, without a line end. `exit_code` only at the end.
  std::string json(MonoTime now, std::string_view state, std::optional<int> exit_code);
  // Equal as long as nothing but time went on.
  std::string mark() const;

  std::uint64_t done() const;
  std::uint64_t failed() const;
  std::uint32_t slots() const;  // of all workers that run this job's function; 0: not known
  nanoseconds elapsed(MonoTime now) const { return now - began_; }

 private:
  void append_facts(std::string& out, MonoTime now);
  std::optional<double> seconds_left(MonoTime now);

  MonoTime began_;
  std::optional<JobStatus> status_;
  std::optional<std::uint64_t> total_;
  std::uint64_t rows_done_ = 0;
  std::uint64_t rows_failed_ = 0;
  std::uint32_t slots_ = 0;
  bool connected_ = true;
  RateWindow rate_;
};

// 0:07, 12:05, 3:00:00
std::string clock_text(nanoseconds time);
// 950, 12.3k, 4.1M
std::string short_count(double count);

}  // namespace fanmill::producer
