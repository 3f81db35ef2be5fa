#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/broker_option.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/quantities.hpp"
#include "producer/wait_run.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kFooter =
    R"(JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a key.

Examples:
  fanmill wait last
  fanmill wait --timeout 10m sweep 3 || fanmill cancel sweep
  fanmill wait --json all

Exit status: 0 every task succeeded, 1 some did not or the time was over, 2 wrong use or no such job,
3 no broker answers, 4 one was halted by its policy, 130 interrupted.)";

}  // namespace

int wait_command(std::vector<std::string> args) {
  const std::string command = "wait";
  CLI::App app("Waits until jobs have ended.", "fanmill wait");
  std::vector<std::string> selectors;
  std::string broker;
  std::string time;
  std::string progress;
  bool json = false;
  bool quiet = false;
  set_usage(app, "Usage: fanmill wait [OPTIONS] JOB...");
  app.add_option("JOB", selectors, "Which jobs (below)");
  add_broker_option(app, broker);
  app.add_option("--timeout", time, "No longer than this: 90s, 5m, 1h30m")->type_name("DURATION");
  app.add_flag("--json", json, "One JSON object at the end: fanmill-jobs(1) has its schema");
  add_progress_options(app, quiet, progress);
  app.footer(kFooter);
  if (const auto code = parse_words(app, command, std::move(args))) return *code;
  if (selectors.empty()) {
    return usage_error(command,
                       "no job named; for instance: fanmill wait last (fanmill jobs lists them)");
  }
  WaitOptions options;
  if (!time.empty()) {
    const auto limit = parse_duration(time);
    if (!limit) return usage_error(command, "--timeout: " + limit.error().message);
    options.time_limit = *limit;
  }
  options.quiet = quiet;
  options.json = json;
  options.progress = progress_mode(progress);
  const bool bar = !quiet && options.progress == ProgressMode::kAuto;
  return at_broker(command, broker, bar, [&](AtBroker& at) -> Result<int> {
    const auto jobs = resolve_jobs(at.query, selectors);
    if (!jobs) return tl::make_unexpected(jobs.error());
    options.broker = at.broker;
    for (const JobDocument& job : *jobs) options.jobs.push_back(job.job);
    return run_wait(at.client, at.console, options);
  });
}

}  // namespace fanmill::producer
