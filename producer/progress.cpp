#include "producer/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace fanmill::producer {
namespace {

constexpr auto kRateEvery = std::chrono::milliseconds(500);
constexpr double kRateWeight = 0.3;  // of the latest half second

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string waiting_text(const JobStatus& status) {
  switch (status.waiting_for) {
    case WaitingFor::kReader:
      return "waiting for the reader";
    case WaitingFor::kSlowTask:
      return fmt::format("waiting for task {}", status.waiting_index.value);
    case WaitingFor::kWorkers:
      return "waiting for workers";
    case WaitingFor::kPaused:
      return "paused";
    case WaitingFor::kNothing:
    case WaitingFor::kProducer:
      return {};
  }
  return {};
}

std::string blocks(double part, std::size_t width) {
  const auto full = static_cast<std::size_t>(std::lround(part * static_cast<double>(width)));
  std::string out;
  for (std::size_t i = 0; i < width; ++i) out += i < full ? "━" : "─";
  return out;
}

}  // namespace

void Progress::rows(std::uint64_t done, std::uint64_t failed) {
  rows_done_ = done;
  rows_failed_ = failed;
}

std::uint64_t Progress::done() const {
  return std::max(rows_done_, status_ ? status_->counts.terminal() : 0);
}

std::string Progress::text(MonoTime now, std::size_t columns) {
  const std::uint64_t finished = done();
  if (now - rated_at_ >= kRateEvery) {
    const double latest =
        static_cast<double>(finished - std::min(finished, rated_done_)) / seconds(now - rated_at_);
    rate_ = rated_done_ == 0 ? latest : rate_ + kRateWeight * (latest - rate_);
    rated_at_ = now;
    rated_done_ = finished;
  }
  std::string out;
  const auto at = std::back_inserter(out);
  if (total_ && *total_ > 0) {
    const double part = static_cast<double>(finished) / static_cast<double>(*total_);
    if (columns >= 80) out += blocks(part, 20) + " ";
    fmt::format_to(at, "{:.0f}% {}/{}", std::floor(part * 100), finished, *total_);
  } else {
    fmt::format_to(at, "{} done", finished);
  }
  if (rate_ > 0) fmt::format_to(at, " · {}/s", short_count(rate_));
  if (total_ && rate_ > 0 && *total_ > finished) {
    const double left = static_cast<double>(*total_ - finished) / rate_;
    if (left < 1e7) {
      fmt::format_to(
          at, " · {} left",
          clock_text(std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(left))));
    }
  } else {
    fmt::format_to(at, " · {}", clock_text(elapsed(now)));
  }
  const std::uint64_t failed =
      std::max(rows_failed_, status_ ? status_->counts.failed + status_->counts.dead_lettered : 0);
  if (failed > 0) fmt::format_to(at, " · {} failed", failed);
  if (!connected_) {
    out += " · waiting for the broker";
  } else if (status_) {
    if (const std::string waiting = waiting_text(*status_); !waiting.empty())
      out += " · " + waiting;
  }
  return out;
}

std::string clock_text(nanoseconds time) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(time).count();
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string short_count(double count) {
  if (count < 10) return fmt::format("{:.1f}", count);
  if (count < 1000) return fmt::format("{:.0f}", count);
  if (count < 1e6) return fmt::format("{:.1f}k", count / 1e3);
  return fmt::format("{:.1f}M", count / 1e6);
}

}  // namespace fanmill::producer
