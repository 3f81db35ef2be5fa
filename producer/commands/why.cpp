// fanmill why, retry: what failed, and running it again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/causes.hpp"
#include "producer/commands/broker_command.hpp"
#include "producer/commands/commands.hpp"
#include "producer/reports.hpp"
#include "producer/why_report.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kWhyFooter =
    R"(JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a key.

Causes: error (the function or command said so), crashed (its process died), time-limit, worker-lost
(the worker went with it), cancelled. The worst task of a cause is that with the most attempts, of
these the longest. What failed and then succeeded at a further attempt is not told.

Examples:
  fanmill why                                  # the last job
  fanmill why sweep
  fanmill why 3 --json | jq '.why[].causes[] | {cause, tasks, index: .worst.index}'

Exit status: 0, 2 wrong use or no such job, 3 no broker answers.)";

constexpr const char* kRetryFooter =
    R"(JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a key.

The tasks run again in the same job, as its next round, with their attempts counted anew. What was
recorded of them stays as history; what comes now supersedes it. Jobs of fanmill submit have the
tuples for that; those of map and exec do not.

Examples:
  fanmill retry last                           # all that failed, but not what was cancelled
  fanmill retry sweep --cause crashed,time-limit
  fanmill retry 3 --cause cancelled            # what a cancel or a policy left out

Exit status: 0, 2 wrong use or no such job, 3 no broker answers.)";

Result<WhyReport> ask_why(Query& query, const JobDocument& job) {
  WhyReport report;
  auto ok = query.failures(
      job.job, [&](const Rows& rows, std::string_view blob) { return report.take(rows, blob); });
  if (!ok) return tl::make_unexpected(ok.error());
  return report;
}

std::string retried_line(const JobDocument& before, const JobDocument& after) {
  if (after.rounds == before.rounds)
    return fmt::format("{}: nothing of it ended so\n", job_title(before));
  const std::uint64_t tasks =
      before.counts.done() - std::min(before.counts.done(), after.counts.done());
  return fmt::format("retried {}: {} task{} again, as round {}\n", job_title(after), tasks,
                     tasks == 1 ? " runs" : "s run", after.rounds);
}

}  // namespace

int why_command(std::vector<std::string> args) {
  BrokerCommand command("why",
                        "Tells why tasks of a job failed, by cause: the last one, or those named.",
                        "[OPTIONS] [JOB]...", kWhyFooter);
  std::vector<std::string> selectors;
  command.add_selectors(selectors, "Which (below); last if none is named");
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    if (selectors.empty()) selectors.emplace_back("last");
    const auto jobs = resolve_jobs(query, selectors);
    if (!jobs) return tl::make_unexpected(jobs.error());
    std::vector<std::pair<JobDocument, WhyReport>> reports;
    for (const JobDocument& job : *jobs) {
      if (!job.kept) {
        if (jobs->size() > 1) continue;
        return fail(ErrorCode::kUsage,
                    job_title(job) +
                        " is of fanmill map or exec: its failures are told where it "
                        "runs, and rows of --format jsonl or csv have them all");
      }
      auto report = ask_why(query, job);
      if (!report) return tl::make_unexpected(report.error());
      reports.emplace_back(job, std::move(*report));
    }
    if (command.json()) return command.print(why_json(reports) + "\n");
    if (reports.empty()) command.note("no job here yet");
    const TextStyle style = TextStyle::of_stdout();
    std::string text;
    for (const auto& [job, report] : reports)
      text += (text.empty() ? "" : "\n") + why_text(job, report, style);
    return command.print(text);
  });
}

int retry_command(std::vector<std::string> args) {
  BrokerCommand command("retry", "Runs tasks of a job again that did not succeed, in the same job.",
                        "[OPTIONS] JOB...", kRetryFooter);
  std::vector<std::string> selectors;
  std::string causes;
  bool failed = false;
  std::uint32_t outcomes = Steer::kAllFailures;
  command.add_selectors(selectors, "Which (below)");
  command.app()
      .add_flag("--failed", failed, "All that failed for whatever cause (as without an option)")
      ->disable_flag_override();
  command.app()
      .add_option("--cause", causes,
                  "Only these: error, crashed, time-limit, worker-lost, cancelled")
      ->type_name("CAUSE,...");
  command.check([&]() -> Result<void> {
    if (failed && !causes.empty())
      return fail(ErrorCode::kUsage, "--failed and --cause do not go together");
    if (!causes.empty()) {
      const auto parsed = parse_causes(causes);
      if (!parsed) return tl::make_unexpected(parsed.error());
      outcomes = *parsed;
    }
    if (!selectors.empty()) return {};
    return fail(ErrorCode::kUsage, "no job named; for instance: fanmill retry last");
  });
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    auto before = resolve_jobs(query, selectors);
    if (!before) return tl::make_unexpected(before.error());
    std::vector<JobId> ids;
    for (const JobDocument& job : *before) ids.push_back(job.job);
    auto after = query.steer(ids, Steering::kRetry, 0, outcomes);
    if (!after) return tl::make_unexpected(after.error());
    if (command.json()) return command.print(to_json(*after) + "\n");
    std::string text;
    for (const JobDocument& now : *after) {
      for (const JobDocument& then : *before)
        if (then.job == now.job) text += retried_line(then, now);
    }
    return command.print(text);
  });
}

}  // namespace fanmill::producer
