#include "producer/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "producer/failure_report.hpp"
#include "producer/progress.hpp"

namespace fanmill::producer {
namespace {

constexpr std::uint64_t kRateFrom = 100;                    // tasks; of fewer a rate says little
constexpr std::size_t kTupleChars = 40;                     // of a slow task's parameters
constexpr auto kBusyFrom = std::chrono::milliseconds(100);  // start-up is most of a shorter run

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string first_line(const Summary& summary) {
  std::uint64_t all = 0;
  for (const auto& [outcome, count] : summary.counts) all += count;
  const auto count_of = [&](Outcome outcome) {
    const auto it = summary.counts.find(outcome);
    return it == summary.counts.end() ? 0 : it->second;
  };
  std::string line =
      fmt::format("{} of {} task{} done", count_of(Outcome::kSucceeded), all, all == 1 ? "" : "s");
  const auto at = std::back_inserter(line);
  const auto add = [&](std::uint64_t count, std::string_view words) {
    if (count > 0) fmt::format_to(at, ", {} {}", count, words);
  };
  add(count_of(Outcome::kFailed), "failed");
  add(count_of(Outcome::kCrashed), "crashed");
  add(count_of(Outcome::kTimeLimit), "over the time limit");
  add(count_of(Outcome::kWorkerLost), "lost with their workers");
  add(count_of(Outcome::kCancelled), "cancelled");
  add(summary.further_attempts,
      summary.further_attempts == 1 ? "further attempt" : "further attempts");
  fmt::format_to(at, ", in {:.2f} s", seconds(summary.elapsed));
  if (seconds(summary.elapsed) > 0 && all > kRateFrom) {
    fmt::format_to(at, " ({} a second)",
                   short_count(static_cast<double>(all) / seconds(summary.elapsed)));
  }
  return line;
}

std::string second_line(const Summary& summary) {
  std::string line;
  const auto at = std::back_inserter(line);
  if (summary.slots > 0 && summary.elapsed >= kBusyFrom) {
    const double share = 100 * seconds(summary.busy) / (seconds(summary.elapsed) * summary.slots);
    fmt::format_to(at, "{} slot{}, {:.0f} % busy", summary.slots, summary.slots == 1 ? "" : "s",
                   std::min(share, 100.0));
  }
  if (summary.slowest.empty()) return line;
  line += line.empty() ? "slowest:" : "; slowest:";
  std::string_view between = " ";
  for (const SlowTask& task : summary.slowest) {
    fmt::format_to(at, "{}task {}", between, task.index);
    if (const std::string tuple = tuple_text(task.tuple, kTupleChars); !tuple.empty()) {
      line += " " + tuple;
    }
    line += " " + duration_text(task.run);
    between = ", ";
  }
  return line;
}

}  // namespace

std::vector<std::string> summary_lines(const Summary& summary) {
  std::vector<std::string> lines{first_line(summary)};
  if (std::string line = second_line(summary); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string duration_text(nanoseconds time) {
  const double s = seconds(time);
  if (s < 1) return fmt::format("{:.1f} ms", s * 1e3);
  if (s < 100) return fmt::format("{:.2f} s", s);
  return clock_text(time);
}

}  // namespace fanmill::producer
