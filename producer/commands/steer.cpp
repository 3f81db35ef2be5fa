// fanmill cancel, pause, resume, close, forget: the same to each job that is named.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <string>
#include <thread>
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

constexpr int kAttempts = 3;
constexpr int kLooks = 10;
constexpr std::chrono::milliseconds kLookEvery{50};

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
  std::size_t not_ended = 0;  // passed over by `forget all`
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
      ++out.not_ended;
      continue;
    }
    const bool effect = has_effect(job, verb.action);
    if (!effect && all) continue;
    (effect ? out.chosen : out.rest).push_back(std::move(job));
  }
  return out;
}

// Puts in the place of each job what is said of it now; one that is gone stays as it was.
void update(std::vector<JobDocument>& jobs, std::vector<JobDocument> told) {
  std::map<JobId, JobDocument*> now;
  for (JobDocument& job : told) now.emplace(job.job, &job);
  for (JobDocument& job : jobs) {
    if (const auto it = now.find(job.job); it != now.end()) job = std::move(*it->second);
  }
}

// What runs is mostly gone a moment after a cancel, and people want to know how it ended.
Result<void> settle(Query& query, std::vector<JobDocument>& jobs) {
  const auto runs = [](const JobDocument& job) { return job.counts.running > 0; };
  for (int look = 0; look < kLooks && std::ranges::any_of(jobs, runs); ++look) {
    std::this_thread::sleep_for(kLookEvery);
    auto told = query.jobs("all");
    if (!told) return tl::make_unexpected(told.error());
    update(jobs, std::move(*told));
  }
  return {};
}

Result<Division> steer(Query& query, const Verb& verb, const std::vector<std::string>& selectors,
                       std::uint64_t grace_ms) {
  const bool all = std::ranges::find(selectors, "all") != selectors.end();
  for (int attempt = 1;; ++attempt) {
    auto jobs = resolve_jobs(query, selectors);
    if (!jobs) return tl::make_unexpected(jobs.error());
    auto division = divide(std::move(*jobs), verb, all);
    if (!division || division->chosen.empty()) return division;
    std::vector<JobId> ids;
    for (const JobDocument& job : division->chosen) ids.push_back(job.job);
    auto told = query.steer(ids, verb.action, grace_ms);
    if (!told && told.error().code == ErrorCode::kNotFound && attempt < kAttempts) {
      continue;  // one of them was delivered and forgotten meanwhile
    }
    if (!told) return tl::make_unexpected(told.error());
    update(division->chosen, std::move(*told));
    if (verb.action == Steering::kCancel) {
      if (auto ok = settle(query, division->chosen); !ok) return tl::make_unexpected(ok.error());
    }
    return division;
  }
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
    auto done = steer(query, verb, selectors, grace_ms);
    if (!done) return tl::make_unexpected(done.error());
    if (command.json()) {
      std::vector<JobDocument> told = std::move(done->chosen);
      std::ranges::move(done->rest, std::back_inserter(told));
      std::ranges::sort(told, {}, &JobDocument::job);
      return command.print(to_json(told) + "\n");
    }
    std::string text;
    for (const JobDocument& job : done->chosen) text += steered_line(job, verb.action, grace_ms);
    for (const JobDocument& job : done->rest) text += unsteered_line(job, verb.action);
    const int code = command.print(text);
    if (std::ranges::find(selectors, "all") != selectors.end()) {
      std::string line = fmt::format("{} {}", verb.past, jobs_counted(done->chosen.size()));
      if (done->not_ended > 0) {
        line += fmt::format("; {} that ha{} not ended stay{}", jobs_counted(done->not_ended),
                            done->not_ended == 1 ? "s" : "ve", done->not_ended == 1 ? "s" : "");
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
