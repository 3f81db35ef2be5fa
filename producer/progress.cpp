#include "producer/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace fanmill::producer {
namespace {

constexpr std::size_t kBlocks = 20;
constexpr std::size_t kBlocksFrom = 80;  // columns; a narrower terminal has the figures alone
constexpr double kSecondsLeftMax = 1e7;  // further off than that is no estimate

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

std::string_view waiting_name(WaitingFor what) {
  switch (what) {
    case WaitingFor::kNothing:
      return "null";
    case WaitingFor::kReader:
      return "\"reader\"";
    case WaitingFor::kSlowTask:
      return "\"task\"";
    case WaitingFor::kWorkers:
      return "\"workers\"";
    case WaitingFor::kProducer:
      return "\"input\"";
    case WaitingFor::kPaused:
      return "\"pause\"";
  }
  return "null";
}

std::string blocks(double part) {
  const auto full = static_cast<std::size_t>(std::lround(part * double{kBlocks}));
  std::string out;
  for (std::size_t i = 0; i < kBlocks; ++i) out += i < full ? "━" : "─";
  return out;
}

std::string number_or_null(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

}  // namespace

void Progress::rows(std::uint64_t done, std::uint64_t failed) {
  rows_done_ = done;
  rows_failed_ = failed;
}

std::uint64_t Progress::done() const {
  return std::max(rows_done_, status_ ? status_->counts.terminal() : 0);
}

std::uint64_t Progress::failed() const {
  return std::max(rows_failed_,
                  status_ ? status_->counts.failed + status_->counts.dead_lettered : 0);
}

std::uint32_t Progress::slots() const { return status_ ? status_->slots : slots_; }

std::optional<double> Progress::seconds_left(MonoTime now) {
  rate_.sample(now, done());
  const double rate = rate_.rate();
  if (!total_ || rate <= 0) return {};
  const double left = static_cast<double>(*total_ - std::min(*total_, done())) / rate;
  if (left >= kSecondsLeftMax) return {};
  return left;
}

std::string Progress::bar(MonoTime now, std::size_t columns) {
  std::string out;
  if (total_ && *total_ > 0 && columns >= kBlocksFrom) {
    out = blocks(static_cast<double>(done()) / static_cast<double>(*total_)) + " ";
  }
  append_facts(out, now);
  return out;
}

std::string Progress::line(MonoTime now) {
  std::string out;
  append_facts(out, now);
  return out;
}

void Progress::append_facts(std::string& out, MonoTime now) {
  const auto at = std::back_inserter(out);
  const auto left = seconds_left(now);
  if (total_ && *total_ > 0) {
    const double part = static_cast<double>(done()) / static_cast<double>(*total_);
    fmt::format_to(at, "{:.0f}% {}/{}", std::floor(part * 100), done(), *total_);
  } else {
    fmt::format_to(at, "{} done", done());
  }
  if (rate_.rate() > 0) fmt::format_to(at, " · {}/s", short_count(rate_.rate()));
  if (left && *left > 0) {
    fmt::format_to(
        at, " · {} left",
        clock_text(std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(*left))));
  } else {
    fmt::format_to(at, " · {}", clock_text(elapsed(now)));
  }
  if (failed() > 0) fmt::format_to(at, " · {} failed", failed());
  if (!connected_) {
    out += " · waiting for the broker";
  } else if (status_) {
    if (const std::string waiting = waiting_text(*status_); !waiting.empty())
      out += " · " + waiting;
  }
}

std::string Progress::json(MonoTime now, std::string_view state, std::optional<int> exit_code) {
  const auto left = seconds_left(now);
  const double elapsed_s = seconds(elapsed(now));
  // At the end what counts is the whole run.
  double rate = rate_.rate();
  if (exit_code) rate = elapsed_s > 0 ? static_cast<double>(done()) / elapsed_s : 0;
  std::string out = fmt::format(
      "{{\"fanmill_progress\":{},\"state\":\"{}\",\"exit_code\":{},\"elapsed_s\":{:.3f},\"total\":"
      "{},\"done\":{},\"failed\":{},\"running\":{},\"rate\":{:.3f},\"eta_s\":",
      kProgressSchema, state, exit_code ? std::to_string(*exit_code) : "null", elapsed_s,
      number_or_null(total_), done(), failed(), exit_code || !status_ ? 0 : status_->counts.running,
      rate);
  const auto at = std::back_inserter(out);
  if (left && !exit_code) {
    fmt::format_to(at, "{:.1f}", *left);
  } else {
    out += "null";
  }
  const WaitingFor waiting = status_ && !exit_code ? status_->waiting_for : WaitingFor::kNothing;
  fmt::format_to(
      at, ",\"waiting_for\":{},\"waiting_task\":{},\"workers\":{},\"slots\":{}}}",
      connected_ || exit_code ? waiting_name(waiting) : "\"broker\"",
      waiting == WaitingFor::kSlowTask ? std::to_string(status_->waiting_index.value) : "null",
      status_ ? status_->workers : 0, slots());
  return out;
}

std::string Progress::mark() const {
  std::string out =
      fmt::format("{} {} {} {}", done(), failed(), number_or_null(total_), connected_);
  if (status_) {
    fmt::format_to(std::back_inserter(out), " {} {} {} {} {}", status_->counts.running,
                   status_->workers, status_->slots, static_cast<int>(status_->waiting_for),
                   status_->waiting_index.value);
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
