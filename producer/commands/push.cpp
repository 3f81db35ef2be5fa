#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/argument_line.hpp"
#include "producer/commands/broker_command.hpp"
#include "producer/commands/broker_option.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/submit_run.hpp"
#include "producer/visible_text.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kFooter =
    R"(INPUT is as of fanmill map (fanmill map --help); the tuples go to the end of the job, in their
order. Several may push into one job.

Examples:
  fanmill push stream more.jsonl
  tail -f log.jsonl | fanmill push stream -
  fanmill push last ::: 4 5 6
  fanmill push --key day-17 stream day-17.jsonl     # may be said again: nothing is added twice

Exit status: 0, 2 wrong use, malformed input, no such job or one that is closed, 3 no broker answers,
130 interrupted.)";

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + visible(name);
  return out.empty() ? "no names" : out;
}

}  // namespace

int push_command(std::vector<std::string> args) {
  const std::string command = "push";
  auto line = cut_map_line(std::move(args));
  if (!line) return usage_error(command, line.error().message);
  CLI::App app("Adds tuples to a job that was opened with fanmill submit --open.", "fanmill push");
  RunOptions options;
  std::string job;
  std::string path;
  std::string key;
  set_usage(app, "Usage: fanmill push [OPTIONS] JOB INPUT");
  app.add_option("JOB", job,
                 "last (the one opened last), an id (9f3c21ab-3), the number in it (3), a name or "
                 "a key");
  app.add_option("INPUT", path, "Where the tuples come from");
  options.input.add_to(app);
  app.add_option("--limit", options.limit, "Only the first N tuples; what follows is not read")
      ->type_name("N");
  add_broker_option(app, options.broker);
  app.add_option("--key", key,
                 "The same line with the same key goes on where it was interrupted; the input must "
                 "be the same")
      ->type_name("KEY");
  add_progress_options(app, options.quiet, options.progress);
  app.footer(kFooter);
  if (const auto code = parse_words(app, command, std::move(line->words))) return *code;
  if (job.empty()) {
    return usage_error(command,
                       "no job named; for instance: fanmill push last more.jsonl (fanmill "
                       "jobs lists them)");
  }
  if (key.size() > limits::kNameBytesMax) {
    return usage_error(command,
                       "--key is at most " + std::to_string(limits::kNameBytesMax) + " bytes long");
  }
  const auto input = options.input.describe(path, std::move(line->lists));
  if (!input) return usage_error(command, input.error().message);
  JobSpec spec;
  auto source = open_input(options, spec, *input);
  if (!source) return usage_error(command, source.error().message);
  const bool bar = !options.quiet && options.progress.empty();
  return at_broker(command, options.broker, bar, [&](AtBroker& at) -> Result<int> {
    auto document = resolve_job(at.query, job, true);
    if (!document) return tl::make_unexpected(document.error());
    // A job that was opened without tuples takes them by position.
    if (!document->names.empty() && document->names != spec.names) {
      return fail(ErrorCode::kConflict, "the tuples of job " + document->id + " have " +
                                            listed(document->names) + ", and these have " +
                                            listed(spec.names));
    }
    if (document->closed) {
      return fail(ErrorCode::kConflict,
                  "job " + document->id + " is closed: no tuples can be added to it");
    }
    PushOptions push{.job = std::move(*document),
                     .broker = at.broker,
                     .key = key.empty() ? std::nullopt : std::optional(key),
                     .quiet = options.quiet,
                     .progress = progress_mode(options.progress)};
    return run_push(at.client, at.console, std::move(push), std::move(*source));
  });
}

}  // namespace fanmill::producer
