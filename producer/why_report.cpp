#include "producer/why_report.hpp"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "producer/failure_report.hpp"
#include "producer/quantities.hpp"
#include "producer/reports.hpp"
#include "producer/row_batch.hpp"
#include "producer/visible_text.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kWhatCharsMax = 160;
constexpr std::size_t kTupleCharsMax = 120;
constexpr std::size_t kTailBytesMax = std::size_t{4} << 10;
constexpr int kTailLinesMax = 10;
constexpr const char* kOthers = "others";

std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  std::size_t cut = std::min(text.size(), kWhatCharsMax);
  while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80)
    --cut;
  return std::string(text.substr(0, cut));
}

std::string what_of(Outcome cause, const Failure& failure) {
  if (cause == Outcome::kTimeLimit || cause == Outcome::kWorkerLost) return {};
  if (failure.signal > 0) {
    const char* name = sigabbrev_np(failure.signal);
    return fmt::format("signal {}{}", failure.signal,
                       name == nullptr ? "" : fmt::format(" (SIG{})", name));
  }
  if (failure.exit_code > 0) return fmt::format("exit code {}", failure.exit_code);
  return first_line(failure.message);
}

std::string tail_of(std::string_view text) {
  if (text.size() > kTailBytesMax) text.remove_prefix(text.size() - kTailBytesMax);
  return std::string(text);
}

bool worse(const Rows& rows, const Row& row, const WorstTask& than) {
  return std::tuple(rows.attempt, row.run_ns, than.index) >
         std::tuple(than.attempt, than.run_ns, row.index.value);
}

WorstTask task_of(const Rows& rows, const Row& row) {
  WorstTask task;
  task.index = row.index.value;
  const std::string_view told = row.failure == nullptr ? "" : std::string_view(row.failure->tuple);
  task.tuple = std::string(row.tuple.empty() ? told : row.tuple);
  const std::size_t at = rows.worker.find('@');
  task.worker = rows.worker.substr(0, at);
  task.host = at == std::string::npos ? rows.worker : rows.worker.substr(at + 1);
  task.attempt = rows.attempt;
  task.dead_lettered = rows.dead_lettered;
  if (row.failure != nullptr) {
    task.exit_code = row.failure->exit_code;
    task.signal = row.failure->signal;
    task.message = row.failure->message;
  }
  if (row.output != nullptr) task.error_tail = tail_of(row.output->err);
  task.run_ns = row.run_ns;
  return task;
}

void append_indented(std::string& out, std::string_view text, int lines_max) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::size_t from = 0;
  if (lines.size() > static_cast<std::size_t>(lines_max)) {
    from = lines.size() - static_cast<std::size_t>(lines_max);
    out += "    …\n";
  }
  for (; from < lines.size(); ++from) out += "    " + visible(lines[from]) + "\n";
}

std::string task_title(const WorstTask& task) {
  const std::string tuple = visible(tuple_text(task.tuple, kTupleCharsMax));
  return fmt::format("task {}{}{}", task.index, tuple.empty() ? "" : " ", tuple);
}

void append_worst(std::string& out, const FailureGroup& group, const TextStyle& style) {
  const WorstTask& task = group.worst;
  out += "\n" + coloured(fmt::format("{}: {}", cause_name(group.cause), task_title(task)),
                         Colour::kBold, style);
  const auto at = std::back_inserter(out);
  fmt::format_to(at, ", attempt {}", task.attempt);
  if (!task.worker.empty())
    fmt::format_to(at, ", worker {}, host {}", visible(task.worker), visible(task.host));
  fmt::format_to(at, ", {}{}\n", short_duration(std::chrono::nanoseconds(task.run_ns)),
                 task.dead_lettered ? "; given up" : "");
  if (!task.message.empty()) append_indented(out, task.message, kTailLinesMax);
  if (!task.error_tail.empty()) {
    out += "  stderr:\n";
    append_indented(out, task.error_tail, kTailLinesMax);
  }
}

Value params_of(const std::string& tuple) {
  std::size_t at = 0;
  if (tuple.empty()) return {};
  auto value = decode_msgpack(tuple, at);
  return value ? std::move(*value) : Value();
}

Value document(const FailureGroup& group) {
  const WorstTask& task = group.worst;
  Map worst{{"index", task.index},
            {"params", params_of(task.tuple)},
            {"worker", task.worker},
            {"host", task.host},
            {"attempt", std::uint64_t{task.attempt}},
            {"dead_lettered", task.dead_lettered},
            {"exit_code", task.exit_code < 0 ? Value() : Value(std::int64_t{task.exit_code})},
            {"signal", task.signal == 0 ? Value() : Value(std::int64_t{task.signal})},
            {"message", task.message},
            {"stderr", task.error_tail},
            {"run_ns", task.run_ns}};
  return Map{{"cause", cause_name(group.cause)},
             {"what", group.what},
             {"tasks", group.tasks},
             {"first", group.first},
             {"worst", std::move(worst)}};
}

}  // namespace

Result<void> WhyReport::take(const Rows& rows, std::string_view blob) {
  tasks_ += rows.count;
  if (rows.outcome == Outcome::kCancelled) {
    // Nothing was said of them, and there may be very many.
    FailureGroup& group = groups_[{rows.outcome, {}}];
    if (group.tasks == 0) {
      group.cause = rows.outcome;
      group.first = group.worst.index = rows.first.value;
    }
    group.tasks += rows.count;
    return {};
  }
  auto batch = RowBatch::make(rows, blob);
  if (!batch) return tl::make_unexpected(batch.error());
  Row row;
  while (true) {
    const auto more = batch->next(row);
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) return {};
    std::string what = row.failure == nullptr ? "" : what_of(rows.outcome, *row.failure);
    auto group = groups_.find({rows.outcome, what});
    if (group == groups_.end()) {
      if (groups_.size() >= kGroupsMax) what = kOthers;
      group = groups_.try_emplace({rows.outcome, what}).first;
    }
    FailureGroup& of = group->second;
    if (of.tasks == 0 || worse(rows, row, of.worst)) of.worst = task_of(rows, row);
    if (of.tasks == 0) {
      of.cause = rows.outcome;
      of.what = std::move(what);
      of.first = row.index.value;
    }
    of.first = std::min(of.first, row.index.value);
    ++of.tasks;
  }
}

std::vector<FailureGroup> WhyReport::groups() const {
  std::vector<FailureGroup> out;
  for (const auto& [key, group] : groups_) out.push_back(group);
  std::stable_sort(out.begin(), out.end(),
                   [](const FailureGroup& a, const FailureGroup& b) { return a.tasks > b.tasks; });
  return out;
}

std::string why_text(const JobDocument& job, const WhyReport& report, const TextStyle& style) {
  const std::string title = job_title(job);
  if (report.tasks() == 0) {
    return fmt::format("{}: no task has failed; {} of {} succeeded\n", title, job.counts.succeeded,
                       job.counts.accepted);
  }
  std::string out = fmt::format("{}: {} of {} tasks did not succeed\n", title, report.tasks(),
                                job.counts.accepted);
  if (!job.halted.empty()) out += "halted: " + visible(job.halted) + "\n";
  out += '\n';
  const std::vector<FailureGroup> groups = report.groups();
  std::vector<std::vector<TableCell>> rows;
  for (const FailureGroup& group : groups) {
    rows.push_back({{std::string(cause_name(group.cause)), Colour::kRed},
                    {std::to_string(group.tasks)},
                    {visible(group.what)},
                    {group.cause == Outcome::kCancelled ? fmt::format("task {}", group.first)
                                                        : task_title(group.worst)}});
  }
  out += table_text({{.heading = "CAUSE"},
                     {.heading = "TASKS", .right = true},
                     {.heading = "WHAT", .least = 12},
                     {.heading = "WORST", .least = 12}},
                    std::move(rows), style);
  for (const FailureGroup& group : groups)
    if (group.cause != Outcome::kCancelled) append_worst(out, group, style);
  if (job.kept) out += fmt::format("\nto run them again: fanmill retry {}\n", job.id);
  return out;
}

std::string why_json(const std::vector<std::pair<JobDocument, WhyReport>>& reports) {
  Array jobs;
  for (const auto& [job, report] : reports) {
    Array groups;
    for (const FailureGroup& group : report.groups()) groups.push_back(document(group));
    jobs.push_back(Map{{"id", job.id},
                       {"name", job.name},
                       {"state", job.state},
                       {"halted", job.halted},
                       {"rounds", job.rounds},
                       {"accepted", job.counts.accepted},
                       {"succeeded", job.counts.succeeded},
                       {"tasks", report.tasks()},
                       {"causes", std::move(groups)}});
  }
  return report_json("why", std::move(jobs));
}

}  // namespace fanmill::producer
