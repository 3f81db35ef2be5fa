#include "worker/failure_report.hpp"

#include <array>
#include <csignal>
#include <utility>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::worker {
namespace {

std::string_view name_of_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      return "Hangup";
    case SIGINT:
      return "Interrupt";
    case SIGQUIT:
      return "Quit";
    case SIGILL:
      return "Illegal instruction";
    case SIGTRAP:
      return "Trace/breakpoint trap";
    case SIGABRT:
      return "Aborted";
    case SIGBUS:
      return "Bus error";
    case SIGFPE:
      return "Floating point exception";
    case SIGKILL:
      return "Killed";
    case SIGSEGV:
      return "Segmentation fault";
    case SIGPIPE:
      return "Broken pipe";
    case SIGTERM:
      return "Terminated";
    case SIGXCPU:
      return "CPU time limit exceeded";
    case SIGXFSZ:
      return "File size limit exceeded";
    case SIGSYS:
      return "Bad system call";
    default:
      return "";
  }
}

// Calls `take` with the bytes of each tuple; stops where they are not msgpack.
template <class Take>
void for_each_tuple(const Piece& piece, Take take) {
  const TupleSlice slice = piece.lease->tuples(piece.tasks);
  const std::string_view bytes = slice.blob.view();
  std::size_t at = 0;
  if (!skip_msgpack(bytes, at, slice.skip)) return;
  for (std::uint64_t i = 0; i < piece.tasks.count; ++i) {
    const std::size_t begin = at;
    if (!skip_msgpack(bytes, at, 1)) return;
    take(i, bytes.substr(begin, at - begin));
  }
}

void fill_tuples(std::vector<Failure>& failures, const Piece& piece) {
  for_each_tuple(piece, [&](std::uint64_t i, std::string_view tuple) {
    if (tuple.size() <= limits::kFailureTupleMax) failures[i].tuple = tuple;
  });
}

Blob blob_of(const ResultColumns& columns) {
  std::string bytes;
  append_columns(bytes, columns);
  return Blob::from(std::move(bytes));
}

}  // namespace

Blob with_tuples(const Blob& blob, std::uint64_t values_bytes, Piece tasks, std::uint32_t slot) {
  auto decoded = decode_columns(blob.view().substr(values_bytes));
  ResultColumns columns;
  if (decoded) columns = std::move(*decoded);
  if (columns.failures.size() != tasks.tasks.count) {
    columns.failures.assign(tasks.tasks.count,
                            {.code = ErrorCode::kFunctionFailed,
                             .message = "the task failed, and its executor did not say why",
                             .exit_code = -1,
                             .signal = 0,
                             .tuple = {}});
  }
  columns.slot = slot;
  fill_tuples(columns.failures, tasks);
  return blob_of(columns);
}

Blob death_report(Failure failure, const ExecutorDied& died, Piece task, nanoseconds ran,
                  std::uint32_t slot) {
  ResultColumns columns;
  columns.slot = slot;
  // Whoever was killed cannot say when it began.
  if (died.at_unix_us > 0) columns.start_unix_us = died.at_unix_us - ran.count() / 1000;
  if (!died.output_tail.empty() || !died.error_tail.empty()) {
    columns.outputs.push_back({.offset = 0, .out = died.output_tail, .err = died.error_tail});
  }
  columns.failures.push_back(std::move(failure));
  fill_tuples(columns.failures, task);
  return blob_of(columns);
}

std::string describe_death(const ExecutorDied& died) {
  if (died.signal != 0) {
    const std::string_view name = name_of_signal(died.signal);
    std::string text = "killed by signal " + std::to_string(died.signal);
    if (!name.empty()) text.append(" (").append(name).append(")");
    return text;
  }
  if (died.exit_code >= 0) return "exited with code " + std::to_string(died.exit_code);
  return "its executor ended";
}

namespace {

// "1.5 s", "1 h 5 min".
std::string in_words(nanoseconds span) {
  const auto limit_ms =
      static_cast<std::uint64_t>(std::chrono::round<std::chrono::milliseconds>(span).count());
  std::string text;
  if (limit_ms < 1000) return text + std::to_string(limit_ms) + " ms";
  const std::uint64_t seconds = limit_ms / 1000;
  const std::uint64_t rest_ms = limit_ms % 1000;
  if (seconds < 60) {
    text += std::to_string(seconds);
    if (rest_ms != 0) {
      std::string digits = std::to_string(1000 + rest_ms).substr(1);
      while (digits.back() == '0') digits.pop_back();
      text += "." + digits;
    }
    return text + " s";
  }
  const std::array<std::pair<std::uint64_t, const char*>, 3> units{
      {{seconds / 3600, "h"}, {seconds / 60 % 60, "min"}, {seconds % 60, "s"}}};
  std::string parts;
  for (const auto& [amount, unit] : units) {
    if (amount == 0) continue;
    if (!parts.empty()) parts += " ";
    parts += std::to_string(amount) + " " + unit;
  }
  return text + parts;
}

}  // namespace

std::string describe_time_limit(const TimeLimit& limit) {
  std::string text = "killed at its time limit of " + in_words(limit.limit);
  if (limit.percent != 0) {
    text += " (" + std::to_string(limit.percent) + " % of the median run time, " +
            in_words(limit.median) + ")";
  }
  return text;
}

}  // namespace fanmill::worker
