// fanmill cancel, pause, resume, close, forget: the same to each job that is named.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/commands.hpp"
#include "producer/quantities.hpp"
#include "producer/reports.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kSelectors =
    "JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a "
    "key.\n"
    "A line for each job says what happened; doing it again changes nothing.\n\n";
constexpr const char* kExitStatus =
    "\n\nExit status: 0, 2 wrong use or no such job (and then nothing is done), 3 no broker "
    "answers.";

struct Verb {
  Steering action;
  const char* name;
  const char* description;
  const char* examples;
  const char* past;  // "cancelled 3 jobs"
};

constexpr Verb kCancel{Steering::kCancel, "cancel",
                       "Ends jobs: what has not started does not, what runs is killed after a "
                       "while. Results stay.",
                       R"(Examples:
  fanmill cancel last
  fanmill cancel --now resize 3                # by name, and by number; kills what runs
  fanmill cancel --grace 1m all)",
                       "cancelled"};
constexpr Verb kPause{Steering::kPause, "pause",
                      "Pauses jobs: nothing of them is dealt; what runs ends by itself.",
                      R"(Examples:
  fanmill pause last
  fanmill pause all)",
                      "paused"};
constexpr Verb kResume{Steering::kResume, "resume", "Ends the pause of jobs.",
                       R"(Examples:
  fanmill resume last)",
                       "resumed"};
constexpr Verb kClose{Steering::kClose, "close",
                      "Closes open jobs: no tuple follows those that are there, and they end.",
                      R"(Examples:
  fanmill close last)",
                      "closed"};
constexpr Verb kForget{Steering::kForget, "forget",
                       "Forgets jobs that have ended, with all their results.",
                       R"(Examples:
  fanmill forget resize
  fanmill forget all                           # those that have ended; the others stay)",
                       "forgot"};

Result<std::uint64_t> grace_of(const std::string& text, bool now) {
  if (now) {
    if (!text.empty()) return fail(ErrorCode::kUsage, "--now and --grace do not go together");
    return std::uint64_t{0};
  }
  if (text.empty()) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(limits::kCancelGrace).count());
  }
  const auto duration = parse_duration(text);
  if (!duration) return fail(ErrorCode::kUsage, "--grace: " + duration.error().message);
  return static_cast<std::uint64_t>(duration->count());
}

std::string jobs_counted(std::size_t count) {
  return fmt::format("{} job{}", count, count == 1 ? "" : "s");
}

// What the user named: `chosen` are to be steered, `rest` had that state already.
struct Division {
  std::vector<JobDocument> chosen;
  std::vector<JobDocument> rest;
  std::size_t still_running = 0;  // passed over by `forget all`
};

Result<Division> divide(std::vector<JobDocument> jobs, const Verb& verb, bool all) {
  Division out;
  for (JobDocument& job : jobs) {
    if (verb.action == Steering::kForget && !job.ended()) {
      if (!all) {
        return fail(
            ErrorCode::kConflict,
            fmt::format("{} has not ended; end it first (fanmill cancel {}), or wait for it",
                        job_title(job), job.id));
      }
      ++out.still_running;
      continue;
    }
    const bool effect = has_effect(job, verb.action);
    if (!effect && all) continue;
    (effect ? out.chosen : out.rest).push_back(std::move(job));
  }
  return out;
}

// The jobs as they are afterwards; one that is gone, as it was.
Result<std::vector<JobDocument>> steer(Query& query, std::vector<JobDocument> jobs, Steering action,
                                       std::uint64_t grace_ms) {
  if (jobs.empty()) return jobs;
  std::vector<JobId> ids;
  for (const JobDocument& job : jobs) ids.push_back(job.job);
  auto told = query.steer(ids, action, grace_ms);
  if (!told) return told;
  std::map<JobId, JobDocument*> after;
  for (JobDocument& job : *told) after.emplace(job.job, &job);
  for (JobDocument& job : jobs) {
    if (const auto it = after.find(job.job); it != after.end()) job = std::move(*it->second);
  }
  return jobs;
}

int steer_command(const Verb& verb, std::vector<std::string> args) {
  const std::string footer = std::string(kSelectors) + verb.examples + kExitStatus;
  BrokerCommand command(verb.name, verb.description, "[OPTIONS] JOB...", footer.c_str());
  std::vector<std::string> selectors;
  std::string grace;
  bool now = false;
  std::uint64_t grace_ms = 0;
  command.add_selectors(selectors, "Which (below)");
  if (verb.action == Steering::kCancel) {
    command.app()
        .add_option("--grace", grace, "How long what runs may still run (default 5s)")
        ->type_name("DURATION");
    command.app().add_flag("--now", now, "Kill what runs at once")->disable_flag_override();
  }
  command.check([&]() -> Result<void> {
    const auto parsed = grace_of(grace, now);
    if (!parsed) return tl::make_unexpected(parsed.error());
    grace_ms = *parsed;
    if (!selectors.empty()) return {};
    return fail(ErrorCode::kUsage, fmt::format("no job named; for instance: fanmill {} last, or an "
                                               "id of fanmill jobs",
                                               verb.name));
  });
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    const bool all = std::ranges::find(selectors, "all") != selectors.end();
    auto jobs = resolve_jobs(query, selectors);
    if (!jobs) return tl::make_unexpected(jobs.error());
    auto divided = divide(std::move(*jobs), verb, all);
    if (!divided) return tl::make_unexpected(divided.error());
    auto done = steer(query, std::move(divided->chosen), verb.action, grace_ms);
    if (!done) return tl::make_unexpected(done.error());
    if (command.json()) {
      std::vector<JobDocument> told = std::move(*done);
      std::ranges::move(divided->rest, std::back_inserter(told));
      std::ranges::sort(told, {}, &JobDocument::job);
      return command.print(to_json(told) + "\n");
    }
    std::string text;
    for (const JobDocument& job : *done) text += steered_line(job, verb.action, grace_ms);
    for (const JobDocument& job : divided->rest) text += unsteered_line(job, verb.action);
    const int code = command.print(text);
    if (all) {
      std::string line = fmt::format("{} {}", verb.past, jobs_counted(done->size()));
      if (divided->still_running > 0) {
        line += fmt::format("; {} that have not ended stay", jobs_counted(divided->still_running));
      }
      command.note(line);
    }
    return code;
  });
}

}  // namespace

int cancel_command(std::vector<std::string> args) {
  return steer_command(kCancel, std::move(args));
}
int pause_command(std::vector<std::string> args) { return steer_command(kPause, std::move(args)); }
int resume_command(std::vector<std::string> args) {
  return steer_command(kResume, std::move(args));
}
int close_command(std::vector<std::string> args) { return steer_command(kClose, std::move(args)); }
int forget_command(std::vector<std::string> args) {
  return steer_command(kForget, std::move(args));
}

}  // namespace fanmill::producer
