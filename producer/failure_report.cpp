#include "producer/failure_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "producer/row_batch.hpp"
#include "proto/limits.hpp"
#include "proto/result_batch.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kTupleCharsMax = 120;
constexpr int kTailLinesMax = 10;

}  // namespace

std::string tuple_text(std::string_view tuple, std::size_t chars_max) {
  std::string json;
  std::size_t at = 0;
  if (tuple.empty() || !append_json_from_msgpack(json, tuple, at)) return {};
  if (json.front() == '[') {
    json.front() = '(';
    json.back() = ')';
  } else {
    json = "(" + json + ")";
  }
  if (json.size() > chars_max) {
    std::size_t cut = chars_max;
    while (cut > 0 && (static_cast<unsigned char>(json[cut]) & 0xc0U) == 0x80) --cut;
    json.resize(cut);
    json += "…)";
  }
  return json;
}

namespace {

std::string_view verb_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSucceeded:
      return "succeeded";
    case Outcome::kFailed:
    case Outcome::kTimeLimit:
      return "failed";
    case Outcome::kCrashed:
      return "crashed";
    case Outcome::kWorkerLost:
      return "was lost with its worker";
    case Outcome::kCancelled:
      return "was cancelled";
  }
  return "ended";
}

void append_tail(std::string& out, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return;
  std::size_t from = text.size();
  for (int lines = 0; lines < kTailLinesMax && from != std::string_view::npos && from > 0;
       ++lines) {
    from = text.rfind('\n', from - 1);
  }
  if (from == std::string_view::npos || from == 0) {
    from = 0;
  } else {
    out += "    …\n";
    ++from;
  }
  text.remove_prefix(from);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "    ";
    out += text.substr(0, end);
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::string failure_text(const FailureText& failure) {
  std::string out = fmt::format("fanmill: task {}", failure.index);
  if (const std::string tuple = tuple_text(failure.tuple, kTupleCharsMax); !tuple.empty())
    out += " " + tuple;
  out += ' ';
  out += verb_of(failure.outcome);
  if (!failure.message.empty()) {
    out += ": ";
    out += failure.message;
  }
  const auto at = std::back_inserter(out);
  if (failure.limit > 0) {
    fmt::format_to(at, ", attempt {} of {}", failure.attempt, failure.limit);
  } else if (failure.attempt > 1) {
    fmt::format_to(at, ", attempt {}", failure.attempt);
  }
  if (failure.dead_lettered) {
    out += "; given up";
  } else if (failure.again) {
    out += "; it runs again";
  }
  out += '\n';
  append_tail(out, failure.error_tail);
  return out;
}

FailureReport::FailureReport(Console& console, bool quiet, std::uint64_t told_max)
    : console_(console), quiet_(quiet), told_max_(told_max) {}

void FailureReport::tell(const std::string& text) {
  if (quiet_ || told_ > told_max_) return;
  if (told_++ == told_max_) {
    console_.note("further failures are counted, not shown; --format jsonl or csv has them all");
    return;
  }
  console_.write(text);
}

void FailureReport::event(const JobEvent& event, std::string_view blob) {
  const auto columns = decode_columns(blob);
  FailureText text{.index = event.index.value,
                   .tuple = {},
                   .outcome = event.outcome,
                   .message = {},
                   .attempt = event.attempt,
                   .limit = event.limit,
                   .error_tail = {},
                   .again = true};
  if (columns && !columns->failures.empty()) {
    text.tuple = columns->failures.front().tuple;
    text.message = columns->failures.front().message;
  }
  if (columns && !columns->outputs.empty()) text.error_tail = columns->outputs.front().err;
  const std::lock_guard lock(mutex_);
  tell(failure_text(text));
}

void FailureReport::rows(const Rows& rows, std::string_view blob) {
  const std::lock_guard lock(mutex_);
  counts_[rows.outcome] += rows.count;
  if (rows.outcome == Outcome::kSucceeded || rows.outcome == Outcome::kCancelled) return;
  if (quiet_ || told_ > told_max_) return;
  auto batch = RowBatch::make(rows, blob);
  if (!batch) return;
  // The CLI leaves the limit of crashes as it is.
  const bool crashed_out = rows.dead_lettered && rows.outcome == Outcome::kCrashed;
  const std::uint32_t limit =
      crashed_out && rows.attempt <= limits::kCrashLimit ? limits::kCrashLimit : 0;
  Row row;
  while (told_ <= told_max_) {
    const auto more = batch->next(row);
    if (!more || !*more) return;
    tell(failure_text(
        {.index = row.index.value,
         .tuple = row.failure != nullptr && !row.failure->tuple.empty()
                      ? std::string_view(row.failure->tuple)
                      : row.tuple,
         .outcome = rows.outcome,
         .message = row.failure != nullptr ? std::string_view(row.failure->message) : "",
         .attempt = rows.attempt,
         .limit = limit,
         .error_tail = row.output != nullptr ? std::string_view(row.output->err) : "",
         .dead_lettered = rows.dead_lettered}));
  }
}

std::map<Outcome, std::uint64_t> FailureReport::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::uint64_t FailureReport::failed() const {
  std::uint64_t failed = 0;
  for (const auto& [outcome, count] : counts()) {
    if (outcome != Outcome::kSucceeded && outcome != Outcome::kCancelled) failed += count;
  }
  return failed;
}

}  // namespace fanmill::producer
