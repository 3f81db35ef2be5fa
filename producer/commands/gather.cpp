// fanmill gather, results: the rows of a job that a broker has.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/broker_option.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/follow_run.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kJob =
    "last (the one opened last), an id (9f3c21ab-3), the number in it (3), a name or a key";

constexpr const char* kGatherFooter =
    R"(With -o FILE, how far the rows are safe in it is kept in FILE.cursor until the job has ended: said
again after whatever interrupted it, the same line goes on there, and FILE has every row once. What
fanmill retry ran again has its newest row: a FILE that had an older one is written from the start
(with --unordered the newer rows follow the older ones).
Several may gather one job, each at its own pace.

Examples:
  fanmill gather last -o out.jsonl --format jsonl
  fanmill gather sweep --format csv --columns params,value,run_s -o sweep.csv
  fanmill gather 3 --unordered | head -1

Exit status: 0 all tasks succeeded, 1 some failed, 2 wrong use or no such job, 3 no broker answers,
4 halted by its policy, 130 interrupted.)";

constexpr const char* kResultsFooter =
    R"(Rows come in input order; tasks without a result are passed over. Statuses are succeeded, failed,
dead-lettered (given up after crashes) and cancelled.

Examples:
  fanmill results last
  fanmill results sweep --format jsonl --status failed,dead-lettered --columns index,params,error
  fanmill results 3 --format csv -o now.csv

Exit status: 0, 2 wrong use or no such job, 3 no broker answers.)";

const std::vector<std::string> kStatuses{"succeeded", "failed", "dead-lettered", "cancelled"};

struct FollowWords {
  std::string job;
  std::string broker;
  std::string format = "values";
  std::string columns;
  std::string output;
  std::string statuses;
  std::string progress;
  std::optional<std::uint64_t> from;
  bool raw = false;
  bool unordered = false;
  bool quiet = false;

  void add_to(CLI::App& app) {
    app.add_option("JOB", job, kJob);
    add_broker_option(app, broker);
    app.add_option("--format", format,
                   "values: the values alone (of commands their stdout); jsonl or csv: a row for "
                   "every task")
        ->check(CLI::IsMember({"values", "jsonl", "csv"}))
        ->capture_default_str();
    app.add_option("--columns", columns,
                   "With jsonl and csv, only these, in this order (see fanmill map --help)")
        ->type_name("NAME,...");
    app.add_option("-o,--output", output, "Write them here instead of to stdout (-)")
        ->type_name("FILE");
    app.add_flag("--raw", raw, "With --format values: text without quotes");
    app.add_option("--from", from, "Begin with this row, from 0")->type_name("N");
    add_progress_options(app, quiet, progress);
  }

  Result<std::vector<std::string>> chosen_statuses() const {
    std::vector<std::string> out;
    std::istringstream words(statuses);
    for (std::string word; std::getline(words, word, ',');) {
      if (std::ranges::find(kStatuses, word) == kStatuses.end()) {
        return fail(ErrorCode::kUsage, "--status " + statuses + ": there is no \"" + word +
                                           "\"; there are succeeded, failed, dead-lettered and "
                                           "cancelled");
      }
      out.push_back(std::move(word));
    }
    return out;
  }

  Result<FollowOptions> resolve(JobDocument document, const std::string& at, RowOrder order) const {
    FollowOptions out;
    out.broker = at;
    out.order = order;
    out.from = from;
    out.quiet = quiet;
    out.progress = progress_mode(progress);
    if (!output.empty() && output != "-") out.output_path = output;
    if (raw && format != "values")
      return fail(ErrorCode::kUsage, "--raw goes with --format values only");
    if (!columns.empty() && format == "values")
      return fail(ErrorCode::kUsage, "--columns goes with --format jsonl or csv");
    if (format == "jsonl") out.writer.format = OutputFormat::kJsonLines;
    if (format == "csv") out.writer.format = OutputFormat::kCsv;
    out.writer.raw = raw;
    out.writer.command = document.function == kCommandFunction;
    out.writer.names = document.names;
    if (!columns.empty()) {
      auto chosen = parse_columns(columns, document.names);
      if (!chosen) return tl::make_unexpected(chosen.error());
      out.writer.columns = std::move(*chosen);
    }
    auto wanted = chosen_statuses();
    if (!wanted) return tl::make_unexpected(wanted.error());
    out.statuses = std::move(*wanted);
    out.form = format + (raw ? " raw" : "") + (unordered ? " unordered" : "") +
               (columns.empty() ? "" : " of " + columns);
    out.job = std::move(document);
    return out;
  }
};

int follow(const std::string& command, FollowWords& words, RowOrder order) {
  if (words.job.empty()) {
    return usage_error(command, "no job named; for instance: fanmill " + command +
                                    " last (fanmill jobs lists them)");
  }
  // What cannot be meant is told without a broker.
  if (const auto ok = words.resolve({}, {}, order); !ok && words.columns.empty())
    return usage_error(command, ok.error().message);
  const bool bar = !words.quiet && words.progress.empty();
  return at_broker(command, words.broker, bar, [&](AtBroker& at) -> Result<int> {
    auto job = resolve_job(at.query, words.job);
    if (!job) return tl::make_unexpected(job.error());
    auto options = words.resolve(std::move(*job), at.broker, order);
    if (!options) return usage_error(command, options.error().message);
    return run_follow(at.client, at.console, std::move(*options));
  });
}

}  // namespace

int gather_command(std::vector<std::string> args) {
  CLI::App app(
      "Gathers the results of a job that a broker has, in input order, until it has ended.",
      "fanmill gather");
  FollowWords words;
  set_usage(app, "Usage: fanmill gather [OPTIONS] JOB");
  words.add_to(app);
  app.add_flag("--unordered", words.unordered, "As they complete, not in input order");
  app.footer(kGatherFooter);
  if (const auto code = parse_words(app, "gather", std::move(args))) return *code;
  return follow("gather", words, words.unordered ? RowOrder::kAsCompleted : RowOrder::kInput);
}

int results_command(std::vector<std::string> args) {
  CLI::App app("Shows what is recorded of a job now, and does not wait for more.",
               "fanmill results");
  FollowWords words;
  set_usage(app, "Usage: fanmill results [OPTIONS] JOB");
  words.add_to(app);
  app.add_option("--status", words.statuses, "Only rows of tasks that ended so")
      ->type_name("STATUS,...");
  app.footer(kResultsFooter);
  if (const auto code = parse_words(app, "results", std::move(args))) return *code;
  return follow("results", words, RowOrder::kRecorded);
}

}  // namespace fanmill::producer
