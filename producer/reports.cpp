#include "producer/reports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "producer/progress.hpp"
#include "producer/quantities.hpp"
#include "producer/visible_text.hpp"
#include "proto/shell_quote.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kNothing = "-";

std::string ms_text(std::uint64_t ms) {
  constexpr std::uint64_t kMost =
      9'000'000'000'000;  // three centuries, as nanoseconds have room for
  return short_duration(std::chrono::milliseconds(std::min(ms, kMost)));
}

std::string number(std::uint64_t count) { return std::to_string(count); }

// "1 worker", "3 workers"
std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string rate_text(double rate) {
  return std::isfinite(rate) && rate > 0 ? short_count(rate) + "/s" : kNothing;
}

std::string labels_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += visible(name) + "=" + visible(value);
  }
  return out;
}

// As it was typed, about: placeholders stay bare.
std::string command_text(const JobDocument& job) {
  std::string out;
  for (const std::string& word : job.command) {
    if (!out.empty()) out += ' ';
    if (word.empty() || word.find_first_of(" \t\n'\"\\$`;&|<>()*?#") != std::string::npos) {
      append_shell_quoted(out, word);
    } else {
      out += word;
    }
  }
  return visible(out);
}

std::string name_of(const JobDocument& job) {
  if (!job.name.empty()) return visible(job.name);
  return job.command.empty() ? visible(job.function) : command_text(job);
}

std::string place(const std::string& name, const std::string& host) {
  return host.empty() ? visible(name) : visible(name) + "@" + visible(host);
}

std::uint64_t not_succeeded(const TaskCounts& counts) {
  return counts.failed + counts.dead_lettered;
}

// Of a job to which tuples may still come there is no share.
std::string share_text(const JobDocument& job) {
  if (!job.closed || job.counts.accepted == 0) return kNothing;
  const double part =
      static_cast<double>(job.counts.done()) / static_cast<double>(job.counts.accepted);
  return fmt::format("{:.0f}%", std::floor(part * 100));
}

Colour colour_of_state(const std::string& state) {
  if (state == "running" || state == "active") return Colour::kGreen;
  if (state == "failed" || state == "away") return Colour::kRed;
  if (state == "waiting" || state == "paused" || state == "draining") return Colour::kYellow;
  if (state == "done" || state == "cancelled") return Colour::kDim;
  return Colour::kNone;
}

// Lines of a name and what is said of it.
class Facts {
 public:
  explicit Facts(const TextStyle& style) : style_(style) {}
  void add(std::string_view name, const std::string& text) {
    if (text.empty()) return;
    out_ += "  " + coloured(fmt::format("{:<{}}", name, kNameColumns), Colour::kDim, style_) +
            text + "\n";
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr int kNameColumns = 12;
  const TextStyle& style_;
  std::string out_;
};

// "408 succeeded, 2 failed": of the kinds that there are.
std::string ended_text(const TaskCounts& counts) {
  std::string out;
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count == 0) return;
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {}", count, what);
  };
  add(counts.succeeded, "succeeded");
  add(counts.failed, "failed");
  add(counts.dead_lettered, "dead-lettered");
  add(counts.cancelled, "cancelled");
  return out;
}

std::string tasks_text(const JobDocument& job) {
  const TaskCounts& counts = job.counts;
  std::string out =
      fmt::format("{} of {}{} done", counts.done(), counts.accepted, job.closed ? "" : " so far");
  if (share_text(job) != kNothing) out += " (" + share_text(job) + ")";
  if (const std::string ended = ended_text(counts); !ended.empty()) out += ": " + ended;
  if (counts.running > 0 || counts.waiting > 0) {
    out += fmt::format("; {} running, {} waiting", counts.running, counts.waiting);
  }
  return out;
}

std::string pace_text(const JobDocument& job) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (job.rate > 0) add(rate_text(job.rate));
  if (job.mean_ns > 0) {
    constexpr std::uint64_t kMost = 1ULL << 62;
    add(short_duration(std::chrono::nanoseconds(std::min(job.mean_ns, kMost))) + " a task");
  }
  if (job.eta_ms && !job.ended()) add(ms_text(*job.eta_ms) + " left");
  return out;
}

// Of a cancelled job tasks may still run, but none will start.
bool is_over(const JobDocument& job) {
  return job.ended() || job.state == "cancelled" || job.state == "halted";
}

std::string reader_text(const JobReader& reader) {
  std::string order = visible(reader.order);
  if (reader.order == "input") order = "in input order";
  if (reader.order == "completed") order = "as completed";
  if (reader.order == "recorded") order = "what is recorded";
  std::string out = fmt::format(
      "{}: {}, at {}", reader.who.empty() ? "somebody" : visible(reader.who), order, reader.cursor);
  if (reader.behind > 0) out += fmt::format(", {} behind", reader.behind);
  return out;
}

}  // namespace

std::string job_title(const JobDocument& job) {
  const std::string name = name_of(job);
  return name.empty() ? visible(job.id) : visible(job.id) + " " + name;
}

std::string jobs_table(const std::vector<JobDocument>& jobs, const TextStyle& style) {
  constexpr std::size_t kNameLeast = 12;
  constexpr std::size_t kWhoLeast = 10;
  std::vector<std::vector<TableCell>> rows;
  for (const JobDocument& job : jobs) {
    const std::uint64_t failed = not_succeeded(job.counts);
    rows.push_back(
        {{visible(job.id)},
         {name_of(job)},
         {visible(job.state), colour_of_state(job.state)},
         {fmt::format("{}/{}{}", job.counts.done(), job.counts.accepted, job.closed ? "" : "+")},
         {share_text(job)},
         {number(failed), failed > 0 ? Colour::kRed : Colour::kNone},
         {job.ended() ? kNothing : rate_text(job.rate)},
         {job.ended() || !job.eta_ms ? kNothing : ms_text(*job.eta_ms)},
         {ms_text(job.age_ms)},
         {visible(job.producer)}});
  }
  return table_text({{.heading = "ID"},
                     {.heading = "NAME", .least = kNameLeast},
                     {.heading = "STATE"},
                     {.heading = "DONE", .right = true},
                     {.heading = "%", .right = true, .leaves = 5},
                     {.heading = "FAILED", .right = true, .leaves = 1},
                     {.heading = "RATE", .right = true, .leaves = 3},
                     {.heading = "ETA", .right = true, .leaves = 2},
                     {.heading = "AGE", .right = true, .leaves = 4},
                     {.heading = "WHO", .least = kWhoLeast, .leaves = 6}},
                    std::move(rows), style);
}

std::string job_text(const JobDocument& job, const TextStyle& style) {
  Facts facts(style);
  if (job.command.empty()) {
    const std::string signature = visible(job.signature.value_or(""));
    facts.add("function", visible(job.function) + (signature.empty() ? "" : " " + signature));
  } else {
    facts.add("command", command_text(job));
  }
  std::string state = coloured(visible(job.state), colour_of_state(job.state), style);
  if (!job.halted.empty()) state += ": " + visible(job.halted);
  if (!job.reason.empty()) state += ": " + visible(job.reason);
  if (job.ended_ms) state += fmt::format(", {} ago", ms_text(*job.ended_ms));
  facts.add("state", state);
  facts.add("tasks", tasks_text(job));
  facts.add("pace", pace_text(job));
  facts.add("age", ms_text(job.age_ms));
  std::string running = fmt::format("priority {}", job.priority);
  if (!job.where.empty()) running += ", on workers with " + labels_text(job.where);
  facts.add("dealt", running);
  facts.add("key", job.kept ? visible(job.key) : "");
  facts.add("input", job.closed ? "closed" : "open: more tuples may come");
  facts.add("kept", job.kept ? ms_text(job.keep_ms) + " after its end" : "until it is delivered");
  facts.add("holds", fmt::format("{} of tuples, {} of results", short_size(job.tuple_bytes),
                                 short_size(job.result_bytes)));
  facts.add("producer", job.producer.empty() ? "not connected" : visible(job.producer));
  if (job.workers) {
    for (const JobWorker& worker : *job.workers) {
      facts.add("worker",
                fmt::format("{}: {}, {} in hand", place(worker.name, worker.host),
                            counted(worker.slots, "slot"), counted(worker.leased, "task")));
    }
  }
  if (job.readers) {
    for (const JobReader& reader : *job.readers) facts.add("reader", reader_text(reader));
  }
  return coloured(job_title(job), Colour::kBold, style) + "\n" + facts.take();
}

std::string workers_table(const std::vector<WorkerDocument>& workers, const TextStyle& style) {
  constexpr std::size_t kNameLeast = 10;
  std::vector<std::vector<TableCell>> rows;
  for (const WorkerDocument& worker : workers) {
    rows.push_back({{visible(worker.name)},
                    {visible(worker.host)},
                    {number(worker.slots)},
                    {number(worker.busy)},
                    {number(worker.done)},
                    {rate_text(worker.rate)},
                    {labels_text(worker.labels)},
                    {number(worker.functions.size())},
                    {ms_text(worker.age_ms)},
                    {visible(worker.state), colour_of_state(worker.state)}});
  }
  return table_text({{.heading = "NAME", .least = kNameLeast},
                     {.heading = "HOST", .least = kNameLeast},
                     {.heading = "SLOTS", .right = true},
                     {.heading = "BUSY", .right = true},
                     {.heading = "DONE", .right = true, .leaves = 1},
                     {.heading = "RATE", .right = true, .leaves = 2},
                     {.heading = "LABELS", .least = kNameLeast, .leaves = 4},
                     {.heading = "FUNCTIONS", .right = true, .leaves = 5},
                     {.heading = "SINCE", .right = true, .leaves = 3},
                     {.heading = "STATE"}},
                    std::move(rows), style);
}

std::string status_text(const StatusDocument& status, const TextStyle& style) {
  std::string addresses;
  for (const std::string& address : status.addresses) {
    addresses += (addresses.empty() ? "" : ", ") + visible(address);
  }
  Facts facts(style);
  facts.add("address", addresses);
  facts.add("up for", ms_text(status.age_ms));
  facts.add("keeps", status.durability == "memory"
                         ? "jobs and results in memory: they end with it"
                         : "jobs and results on its disk (" + visible(status.durability) + ")" +
                               (status.full ? ", which is full: it takes no tuples" : ""));
  facts.add("workers", fmt::format("{}, {} of {} busy", counted(status.workers, "worker"),
                                   status.busy, counted(status.slots, "slot")));
  facts.add("producers", number(status.producers));
  const VentilatorStatus& ventilator = status.ventilator;
  facts.add("ventilator",
            fmt::format("{}; {} waiting, {} dealt to workers, {}, {} recalled",
                        counted(ventilator.jobs, "job"), counted(ventilator.waiting, "task"),
                        ventilator.leased, ventilator.rate > 0 ? rate_text(ventilator.rate) : "0/s",
                        ventilator.recalled));
  const SinkStatus& sink = status.sink;
  facts.add("sink", fmt::format("{} recorded, {}, {} stale; {}, {} unread", sink.recorded,
                                sink.rate > 0 ? rate_text(sink.rate) : "0/s", sink.stale,
                                counted(sink.readers, "reader"), short_size(sink.unread_bytes)));
  if (status.expired_leases > 0 || status.malformed > 0) {
    facts.add("trouble",
              fmt::format("{} expired, {} malformed", counted(status.expired_leases, "lease"),
                          counted(status.malformed, "message")));
  }
  return coloured(fmt::format("fanmill broker {}, protocol {}", visible(status.version),
                              status.protocol),
                  Colour::kBold, style) +
         "\n" + facts.take();
}

std::vector<FunctionDocument> functions_of(const std::vector<WorkerDocument>& workers) {
  std::map<std::pair<std::string, std::string>, FunctionDocument> found;
  for (const WorkerDocument& worker : workers) {
    for (const OfferedFunction& offer : worker.functions) {
      FunctionDocument& function = found[{offer.name, offer.signature}];
      function.name = offer.name;
      function.signature = offer.signature;
      ++function.workers;
      function.slots += worker.slots;
    }
  }
  std::vector<FunctionDocument> out;
  for (auto& [key, function] : found) out.push_back(std::move(function));
  return out;
}

std::string functions_table(const std::vector<FunctionDocument>& functions,
                            const TextStyle& style) {
  std::vector<std::vector<TableCell>> rows;
  for (const FunctionDocument& function : functions) {
    rows.push_back({{visible(function.name)},
                    {number(function.workers)},
                    {number(function.slots)},
                    {visible(function.signature)}});
  }
  return table_text({{.heading = "NAME"},
                     {.heading = "WORKERS", .right = true, .leaves = 2},
                     {.heading = "SLOTS", .right = true, .leaves = 1},
                     {.heading = "SIGNATURE"}},
                    std::move(rows), style);
}

std::string to_json(const std::vector<FunctionDocument>& functions) {
  Array array;
  for (const FunctionDocument& function : functions) {
    array.push_back(Map{{"name", function.name},
                        {"signature", function.signature},
                        {"workers", function.workers},
                        {"slots", function.slots}});
  }
  return report_json("functions", std::move(array));
}

bool has_effect(const JobDocument& job, Steering action) {
  switch (action) {
    case Steering::kPause:
      return !is_over(job) && job.state != "paused";
    case Steering::kResume:
      return !is_over(job) && job.state == "paused";
    case Steering::kCancel:
      return !job.ended();
    case Steering::kClose:
      return !job.closed;
    case Steering::kForget:
    case Steering::kRetry:
      return true;
  }
  return true;
}

std::string steered_line(const JobDocument& after, Steering action, std::uint64_t grace_ms) {
  const TaskCounts& counts = after.counts;
  const std::string title = job_title(after);
  const std::string share = fmt::format("{} of {} done", counts.done(), counts.accepted);
  const std::string running =
      counts.running > 0 ? fmt::format(", {} at workers", counts.running) : "";
  switch (action) {
    case Steering::kPause:
      return fmt::format("paused {}: {}{}\n", title, share, running);
    case Steering::kResume:
      // It waits for something else than a person's word, such as its producer.
      if (after.state == "paused") return title + " stays paused: " + visible(after.reason) + "\n";
      return fmt::format("resumed {}: {}\n", title, share);
    case Steering::kClose:
      return fmt::format("closed {}: {}{}\n", title, share, running);
    case Steering::kRetry:
      return fmt::format("retried {}: {}{}\n", title, share, running);
    case Steering::kForget: {
      const std::string ended = ended_text(counts);
      return fmt::format("forgot {}: {}\n", title, ended.empty() ? "it had no tasks" : ended);
    }
    case Steering::kCancel: {
      std::string line = fmt::format("cancelled {}: {} done, {} cancelled", title,
                                     counts.done() - counts.cancelled, counts.cancelled);
      if (counts.running > 0) {
        line += running + (grace_ms == 0 ? ", killed now" : ", killed after " + ms_text(grace_ms));
      }
      return line + "\n";
    }
  }
  return {};
}

std::string unsteered_line(const JobDocument& job, Steering action) {
  const std::string title = job_title(job);
  if (action == Steering::kClose) return title + " was closed already\n";
  if (is_over(job)) {
    const std::string ended = ended_text(job.counts);
    return fmt::format("{} had ended already: {}{}\n", title, visible(job.state),
                       ended.empty() ? "" : ", " + ended);
  }
  return title + (action == Steering::kResume ? " was not paused\n" : " was paused already\n");
}

}  // namespace fanmill::producer
