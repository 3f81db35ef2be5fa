#include "producer/commands/submit_options.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/broker_option.hpp"
#include "producer/commands/dry_run.hpp"
#include "producer/feeder.hpp"
#include "producer/quantities.hpp"
#include "producer/submit_run.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

void SubmitWords::add_to(CLI::App& app) {
  app.add_flag("--wait", wait, "Wait until the job has ended; the exit status tells how");
  app.add_flag("--open", open,
               "Leave it open for more tuples (fanmill push); fanmill close ends it");
  app.add_option("--key", key,
                 "The same line with the same key goes on with the same job instead of beginning "
                 "another")
      ->type_name("KEY");
  app.add_option("--keep", keep, "How long results are kept after the job has ended (7d)")
      ->type_name("DURATION");
}

const char* SubmitWords::footer() {
  return R"(INPUT is as of fanmill map (fanmill map --help). What belongs to results is said when they are
gathered: fanmill gather JOB --format csv -o FILE.

Examples:
  fanmill submit identity in.jsonl
  fanmill submit --name sweep --priority 5 echo ::: 1 2 3
  fanmill submit exec runs.csv -- ./simulate --seed {seed}
  fanmill submit --wait --quiet sleep ::: 1 1
  fanmill submit --key nightly identity in.jsonl            # may be said again: it is one job
  fanmill submit --open --name stream identity              # then: fanmill push stream more.jsonl

Exit status: 0 accepted (with --wait: all tasks succeeded), 1 with --wait: some failed, 2 wrong use
or malformed input, 3 no broker answers, 4 with --wait: halted by its policy, 130 interrupted.)";
}

namespace {

Result<void> apply(const SubmitWords& submit, JobOptions& job) {
  job.forget_when_delivered = false;
  job.rows_with_tuples = true;  // whoever gathers says what of a row is shown
  job.named_key = !submit.key.empty();
  if (submit.key.size() > limits::kNameBytesMax) {
    return fail(ErrorCode::kUsage,
                "--key is at most " + std::to_string(limits::kNameBytesMax) + " bytes long");
  }
  if (submit.wait && submit.open) {
    return fail(ErrorCode::kUsage,
                "--wait and --open do not go together: an open job does not end");
  }
  if (submit.keep.empty()) return {};
  const auto keep = parse_duration(submit.keep);
  if (!keep) return fail(ErrorCode::kUsage, "--keep: " + keep.error().message);
  if (keep->count() <= 0) return fail(ErrorCode::kUsage, "--keep is more than nothing");
  job.keep_ms = static_cast<std::uint64_t>(keep->count());
  return {};
}

}  // namespace

int submit_job(const std::string& command, const RunOptions& options, const SubmitWords& submit,
               JobOptions job, const InputSpec& input) {
  const auto broker = required_broker(options.broker);
  if (!broker && !options.dry_run) return usage_error(command, broker.error().message);
  auto resolved = options.resolve(std::move(job));
  if (!resolved) return usage_error(command, resolved.error().message);
  if (const auto ok = apply(submit, resolved->job); !ok)
    return usage_error(command, ok.error().message);
  const bool empty = submit.open && input.is_nothing();
  auto source = empty ? Result<std::unique_ptr<TupleSource>>(std::make_unique<NoTuples>())
                      : open_input(options, resolved->job.spec, input);
  if (!source) return usage_error(command, source.error().message);
  if (options.dry_run) {
    return resolved->writer.command ? dry_run_commands(**source, resolved->job.spec, options.quiet)
                                    : dry_run_tuples(**source, options.quiet);
  }
  const bool bar = !options.quiet && resolved->progress == ProgressMode::kAuto;
  return at_broker(command, options.broker, bar, [&](AtBroker& at) -> Result<int> {
    return run_submit(at.client, at.console,
                      {.job = std::move(resolved->job),
                       .broker = at.broker,
                       .key = submit.key.empty() ? std::nullopt : std::optional(submit.key),
                       .open = submit.open,
                       .wait = submit.wait,
                       .quiet = options.quiet,
                       .progress = resolved->progress},
                      std::move(*source));
  });
}

}  // namespace fanmill::producer
