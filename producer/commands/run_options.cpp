#include "producer/commands/run_options.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "producer/commands/broker_option.hpp"
#include "producer/commands/command_options.hpp"
#include "producer/commands/dry_run.hpp"
#include "producer/commands/empty_values.hpp"
#include "producer/commands/option_groups.hpp"
#include "producer/commands/output_files.hpp"
#include "producer/commands/plugin_option.hpp"
#include "producer/console.hpp"
#include "producer/grouped_source.hpp"
#include "producer/limited_source.hpp"
#include "producer/quantities.hpp"
#include "producer/signals.hpp"
#include "proto/command_help.hpp"
#include "proto/fields.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

Result<std::uint32_t> parse_slots(const std::string& text) {
  if (text == "auto") return 0U;
  std::uint32_t slots = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slots);
  if (error != std::errc{} || end != text.data() + text.size() || slots == 0 ||
      slots > limits::kSlotsMax) {
    return fail(ErrorCode::kUsage, "-j " + text + ": the number of slots is 1 to " +
                                       std::to_string(limits::kSlotsMax) +
                                       ", or auto (the cores this process may use)");
  }
  return slots;
}

Result<std::uint64_t> parse_limit(const std::string& text) {
  std::uint64_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::kUsage, "--limit " + text + ": write a number of tuples, such as 100");
  }
  return limit;
}

Result<std::uint64_t> parse_ms(const char* option, const std::string& text) {
  if (text.empty()) return std::uint64_t{0};
  const auto duration = parse_duration(text);
  if (!duration) {
    return fail(ErrorCode::kUsage, std::string(option) + ": " + duration.error().message);
  }
  return static_cast<std::uint64_t>(duration->count());
}

// As of `-o "$OUT"` with an OUT that is not set.
std::string some_file(const std::string& name) {
  return name.empty() || name == "+" ? "names no file" : "";
}

// `--quiet=5` would be taken for `--quiet`.
void refuse_values_of_flags(CLI::App& app) {
  for (const char* name :
       {"--lines", "--null", "--dry-run", "--unordered", "--raw", "--tag", "--quiet", "--resume"}) {
    if (CLI::Option* flag = app.get_option_no_throw(name)) flag->disable_flag_override();
  }
}

}  // namespace

void set_usage(CLI::App& app, std::string usage) {
  app.formatter(std::make_shared<HelpFormatter>(std::move(usage)));
}

int usage_error(const std::string& command, const std::string& sentence) {
  std::fprintf(stderr, "fanmill %s: %s\n", command.c_str(), sentence.c_str());
  return 2;
}

std::optional<int> parse_words(CLI::App& app, const std::string& command,
                               std::vector<std::string> words) {
  group_options(app);
  refuse_values_of_flags(app);
  words = with_empty_values(app, std::move(words));
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(words));
    return {};
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::Success&) {
    return 0;
  } catch (const CLI::ParseError& error) {
    return usage_error(command, parse_complaint(app, error, "fanmill " + command));
  }
}

void add_progress_options(CLI::App& app, bool& quiet, std::string& progress) {
  app.add_flag("--quiet", quiet, "Nothing on stderr but errors of the run itself");
  app.add_flag(
         "--progress{on}", progress,
         "Also where stderr is no terminal: how far it is, now and then, and a summary at the "
         "end; --progress=json: a JSON object a line, for programs; --progress=none: no bar")
      ->check([](const std::string& mode) {
        return mode == "on" || mode == "json" || mode == "none"
                   ? std::string()
                   : "there is no \"" + mode + "\"; alone, or =json, or =none";
      });
}

ProgressMode progress_mode(const std::string& text) {
  if (text == "on") return ProgressMode::kOn;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  return ProgressMode::kAuto;
}

namespace {

void add_output_options(CLI::App& app, RunOptions& options, bool command) {
  app.add_flag("--unordered", options.unordered,
               "Print results as they complete, not in input order");
  app.add_option("--format", options.format,
                 command
                     ? "values: each command's stdout as it is; jsonl or csv: a row for every "
                       "task, failed ones included"
                     : "values: a JSON value a line; jsonl or csv: a row for every task, failed "
                       "ones included")
      ->check(CLI::IsMember({"values", "jsonl", "csv"}))
      ->capture_default_str();
  app.add_option("--columns", options.columns,
                 "With jsonl and csv, only these, in this order: index, params, value, status, "
                 "cause, error, attempt, worker, start, run_s, exit_code, signal, stdout, stderr, "
                 "and parameters by name")
      ->type_name("NAME,...");
  app.add_option("-o,--output", options.output, "Write the results here instead of to stdout (-)")
      ->type_name("FILE")
      ->check(some_file);
  if (!command) app.add_flag("--raw", options.raw, "With --format values: text without quotes");
  if (!command) return;
  app.add_flag("--tag", options.tag,
               "With --format values: begin each line of output with the parameters and a tab");
  app.add_option(
         "--joblog", options.job_log,
         "Also write a line for every command here, as GNU parallel does; +FILE appends, - is "
         "stdout")
      ->type_name("FILE")
      ->check(some_file);
}

void add_private_run_options(CLI::App& app, RunOptions& options, bool command) {
  app.add_option("-j,--slots", options.slots, "Tasks at a time in a private run: a number, or auto")
      ->type_name("N")
      ->capture_default_str();
  if (!command) {
    add_plugin_option(app, options.plugins);
    add_executor_option(app, options.executor);
  }
  app.add_option("--spill-max", options.spill_max,
                 "Results that wait to be read, beyond 64MiB in a temporary file; at so many no "
                 "further task starts (private run; default 4GiB)")
      ->type_name("SIZE");
}

void add_journal_options(CLI::App& app, RunOptions& options) {
  app.add_option("--journal", options.journal,
                 "Keep here what was given and what came of it, so that --resume goes on with it "
                 "(private run)")
      ->type_name("FILE")
      ->check(some_file);
  app.add_flag("--resume", options.resume,
               "Run only what the journal has no result of: what is new, failed or was not "
               "finished; says first what that is");
  app.add_option("--durability", options.durability,
                 "Of the journal: os survives every kill of the run (default), sync also a loss of "
                 "power")
      ->check(CLI::IsMember({"os", "sync"}));
}

Result<JournalOptions> journal_options(const RunOptions& options) {
  if (options.journal.empty()) {
    if (options.resume)
      return fail(ErrorCode::kUsage, "--resume goes on with a journal: give --journal FILE");
    if (!options.durability.empty())
      return fail(ErrorCode::kUsage, "--durability is of a journal: give --journal FILE");
    return JournalOptions{};
  }
  if (!options.broker.empty()) {
    return fail(ErrorCode::kUsage,
                "--journal is of a private run; a broker keeps a job by itself (fanmill submit, "
                "then fanmill gather -o FILE)");
  }
  JournalOptions journal;
  journal.path = options.journal;
  journal.resume = options.resume;
  journal.level = options.durability == "sync" ? JournalLevel::kSync : JournalLevel::kOs;
  return journal;
}

// Everything that is read has a name, and is there as long as it is not removed.
bool can_be_read_again(const InputSpec& input) {
  const auto is_file = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
  };
  if (input.path ? !is_file(*input.path) : input.lines) return false;
  return std::ranges::all_of(input.lists, [&](const ValueSpec& list) {
    return !list.files || std::ranges::all_of(list.words, is_file);
  });
}

Result<std::vector<Label>> parse_labels(const std::vector<std::string>& words) {
  std::vector<Label> labels;
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    if (sign == 0 || sign == std::string::npos || word.size() > limits::kNameBytesMax) {
      return fail(ErrorCode::kUsage, "--where " + word + ": write NAME=VALUE, as gpu=yes");
    }
    labels.push_back({word.substr(0, sign), word.substr(sign + 1)});
  }
  if (labels.size() > limits::kLabelsMax) {
    return fail(ErrorCode::kUsage,
                "--where: at most " + std::to_string(limits::kLabelsMax) + " labels");
  }
  return labels;
}

}  // namespace

void RunOptions::add_to(CLI::App& app, bool command, Destination to) {
  const bool here = to == Destination::kHere;
  input.add_to(app);
  app.add_option("--limit", limit, "Only the first N tuples; what follows is not read")
      ->type_name("N");
  app.add_flag("--dry-run", dry_run,
               command ? "Print the commands that would run, and on stderr their number"
                       : "Print the first 10 tuples as JSON, and on stderr their number; run "
                         "nothing");
  if (here) {
    add_private_run_options(app, *this, command);
    add_journal_options(app, *this);
  }
  add_broker_option(app, broker,
                    here ? "Use this broker and its workers instead of a private run: "
                           "producer.join of the broker's host, or ipc://PATH"
                         : "The broker: its producer.join, or ipc://PATH");
  app.add_option("--name", name, "What the job is called where jobs are listed")->type_name("NAME");
  app.add_option("--priority", priority, "Goes before jobs of a lower one (0)")->type_name("N");
  app.add_option("--where", where, "Only on workers that have this label; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  if (here) add_output_options(app, *this, command);
  failures.add_to(app);
  app.add_option("--timeout", time_limit,
                 "Kill a task that runs longer: 90s, 5m, 1h30m, or 300% of the median run time")
      ->type_name("DURATION");
  if (command) {
    app.add_option("--max-output", max_output,
                   "A command that prints more than this fails (default 64MiB)")
        ->type_name("SIZE");
  }
  app.add_option("--wait-workers", wait_workers,
                 "How long to wait for a worker that offers the function (5s at a broker)")
      ->type_name("DURATION");
  add_progress_options(app, quiet, progress);
}

Result<MapOptions> RunOptions::resolve(JobOptions job) const {
  MapOptions out;
  const auto count = parse_slots(slots);
  if (!count) return tl::make_unexpected(count.error());
  out.slots = *count;
  if (!broker.empty()) {
    if (slots != "auto") {
      return fail(ErrorCode::kUsage,
                  "-j sets the slots of a private run; with --broker the workers have their own "
                  "(fanmill worker --slots N)");
    }
    out.broker = broker;
  }
  auto files = checked_plugins(plugins, broker);
  if (!files) return tl::make_unexpected(files.error());
  out.plugins = std::move(*files);
  if (auto checked = check_executor(executor, plugins, broker); !checked) {
    return tl::make_unexpected(checked.error());
  }
  out.own_executor = executor;
  if (!output.empty() && output != "-") out.output_path = output;
  if (format == "jsonl") out.writer.format = OutputFormat::kJsonLines;
  if (format == "csv") out.writer.format = OutputFormat::kCsv;
  if (raw && format != "values") {
    return fail(ErrorCode::kUsage, "--raw goes with --format values only");
  }
  out.writer.raw = raw;
  if (tag && format != "values") {
    return fail(ErrorCode::kUsage,
                "--tag goes with --format values only; rows of jsonl and csv hold the parameters");
  }
  out.writer.tag = tag;
  if (!columns.empty() && format == "values") {
    return fail(ErrorCode::kUsage, "--columns goes with --format jsonl or csv");
  }
  const bool command = job.spec.function == kCommandFunction;
  out.writer.command = command;
  out.order = unordered ? RowOrder::kAsCompleted : RowOrder::kInput;
  out.quiet = quiet;
  out.progress = progress_mode(progress);
  if (!where.empty() && broker.empty()) {
    return fail(ErrorCode::kUsage, "--where chooses among the workers of a broker; give --broker");
  }
  auto labels = parse_labels(where);
  if (!labels) return tl::make_unexpected(labels.error());
  job.where = std::move(*labels);
  if (!name.empty()) job.name = name;
  if (job.name.size() > limits::kNameBytesMax) {
    if (!name.empty()) {
      return fail(ErrorCode::kUsage,
                  "--name is at most " + std::to_string(limits::kNameBytesMax) + " bytes long");
    }
    job.name = wire::front_of(job.name, limits::kNameBytesMax);
  }
  job.priority = priority;
  if (auto ok = apply_time_limit(job.spec, time_limit); !ok) {
    return tl::make_unexpected(ok.error());
  }
  // Nobody joins a private run later.
  const auto wait_ms =
      parse_ms("--wait-workers", wait_workers.empty() && !broker.empty() ? "5s" : wait_workers);
  if (!wait_ms) return tl::make_unexpected(wait_ms.error());
  if (command) {
    job.spec.max_output = limits::kOutputBytesDefault;
    if (!max_output.empty()) {
      const auto size = parse_size(max_output);
      if (!size) {
        return fail(ErrorCode::kUsage, "--max-output: " + size.error().message);
      }
      if (*size == 0 || *size > limits::kValueBytesMax) {
        return fail(ErrorCode::kUsage, "--max-output is at most 256MiB, and more than nothing");
      }
      job.spec.max_output = *size;
    }
  }
  if (!spill_max.empty()) {
    const auto size = parse_size(spill_max);
    if (!size) return fail(ErrorCode::kUsage, "--spill-max: " + size.error().message);
    if (!broker.empty()) {
      return fail(ErrorCode::kUsage, "--spill-max is of a private run; a broker has its own bound");
    }
    out.spill_max = *size;
  }
  auto kept = journal_options(*this);
  if (!kept) return tl::make_unexpected(kept.error());
  out.journal = std::move(*kept);
  if (auto ok = failures.apply(job); !ok) return tl::make_unexpected(ok.error());
  job.wait_workers_ms = *wait_ms;
  job.forget_when_delivered = true;
  if (!job_log.empty()) out.job_log = job_log;
  job.rows_with_tuples = tag || out.job_log || out.writer.format != OutputFormat::kValues;
  out.job = std::move(job);
  return out;
}

namespace {

void tell_terminal(const InputSpec& input, const RunOptions& options) {
  const auto is_stdin = [](const ValueSpec& list) {
    return list.files && std::ranges::find(list.words, "-") != list.words.end();
  };
  const bool json = !input.lines && input.path == "-";
  const bool lines = (input.lines && input.path.value_or("-") == "-") ||
                     std::ranges::any_of(input.lists, is_stdin);
  if ((!lines && !json) || isatty(STDIN_FILENO) == 0 || options.quiet) return;
  std::fprintf(stderr, "fanmill: reading %s from the terminal; Ctrl-D ends them\n",
               lines ? "lines" : "JSON lines");
}

}  // namespace

Result<std::unique_ptr<TupleSource>> open_input(const RunOptions& options, JobSpec& spec,
                                                const InputSpec& input) {
  auto source = [&] {
    const SignalsEndIt waiting;
    return open_source(input);
  }();
  if (source) source = options.input.sampled(std::move(*source));
  if (!source) return source;
  if (spec.group > 0) {
    const auto ok = check_group_names(spec, (*source)->names());
    if (!ok) return tl::make_unexpected(ok.error());
    source = std::make_unique<GroupedSource>(std::move(*source), spec.group);
  }
  if (!options.limit.empty()) {
    const auto limit = parse_limit(options.limit);
    if (!limit) return tl::make_unexpected(limit.error());
    source = std::make_unique<LimitedSource>(std::move(*source), *limit);
  }
  spec.names = (*source)->names();
  tell_terminal(input, options);
  return source;
}

int run_with_input(const std::string& command, const RunOptions& options, JobOptions job,
                   const InputSpec& input) {
  auto resolved = options.resolve(std::move(job));
  if (!resolved) return usage_error(command, resolved.error().message);
  if (!options.dry_run) {
    const auto ok = check_output_files({options.output, options.job_log, options.journal}, input);
    if (!ok) return usage_error(command, ok.error().message);
  }
  auto source = open_input(options, resolved->job.spec, input);
  if (!source) return usage_error(command, source.error().message);
  resolved->writer.names = resolved->job.spec.names;
  if (!options.columns.empty()) {
    auto columns = parse_columns(options.columns, resolved->writer.names);
    if (!columns) return usage_error(command, columns.error().message);
    resolved->writer.columns = std::move(*columns);
    resolved->job.rows_with_tuples =
        resolved->job_log.has_value() || show_parameters(resolved->writer.columns);
  }
  if (options.dry_run) {
    if (resolved->writer.command) {
      return dry_run_commands(**source, resolved->job.spec, options.quiet);
    }
    const auto told = options.broker.empty()
                          ? tell_signature(**source, resolved->job.spec.function, resolved->plugins,
                                           resolved->own_executor)
                          : Result<void>();
    if (!told) return usage_error(command, told.error().message);
    return dry_run_tuples(**source, options.quiet);
  }
  OpenInput reopen;
  if (!options.journal.empty()) {
    // The rows in the journal say for themselves what they are of.
    resolved->job.rows_with_tuples = true;
    resolved->journal.again =
        "fanmill " + command + (options.resume ? " " : " --resume ") + options.typed;
    if (can_be_read_again(input))
      reopen = [&options, spec = resolved->job.spec, &input]() mutable {
        return open_input(options, spec, input);
      };
  }
  return run_map(std::move(*resolved), std::move(*source), reopen);
}

}  // namespace fanmill::producer
