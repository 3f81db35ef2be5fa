// The options that map and exec share.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "producer/commands/argument_line.hpp"
#include "producer/commands/failure_options.hpp"
#include "producer/commands/input_options.hpp"
#include "producer/map_run.hpp"

namespace fanmill::producer {

// A usage error of a command: "fanmill COMMAND: SENTENCE" on stderr; returns 2.
int usage_error(const std::string& command, const std::string& sentence);

// Replaces the line of usage that --help would make up.
void set_usage(CLI::App& app, std::string usage);

// Parses `words` (without program and command). Nothing: go on; else the exit code (--help, or a
// usage error that has been told).
std::optional<int> parse_words(CLI::App& app, const std::string& command,
                               std::vector<std::string> words);

// What becomes of a job: its results come here, or it is left at a broker.
enum class Destination : std::uint8_t { kHere, kBroker };

struct RunOptions {
  InputOptions input;
  std::string slots = "auto";
  std::string broker;
  std::string output;
  std::string format = "values";
  std::string progress;  // empty: a bar on a terminal
  std::string columns;   // empty: all
  std::string time_limit;
  std::string max_output;
  std::string job_log;             // empty: none
  std::string wait_workers;        // empty: 5 s at a broker, not at all in a private run
  std::string spill_max;           // empty: limits::kResultsCap
  std::string limit;               // empty: none
  std::string name;                // of the job; empty: the function's or command's
  std::vector<std::string> where;  // NAME=VALUE
  std::int32_t priority = 0;
  std::vector<std::string> plugins;
  std::string executor;
  std::string journal;     // empty: none
  std::string durability;  // of the journal; empty: os
  std::string typed;       // the words behind the command, as a shell reads them
  bool resume = false;
  FailureOptions failures;
  bool dry_run = false;
  bool unordered = false;
  bool raw = false;
  bool tag = false;
  bool quiet = false;

  void add_to(CLI::App& app, bool command, Destination to = Destination::kHere);
  // What the options say, over a job that the command has begun to describe.
  Result<MapOptions> resolve(JobOptions job) const;
};

// "on", "json", "none", or nothing.
ProgressMode progress_mode(const std::string& text);
// --quiet and --progress.
void add_progress_options(CLI::App& app, bool& quiet, std::string& progress);

// The input, of it what the options leave, and what the job then knows of its tuples. kUsage.
Result<std::unique_ptr<TupleSource>> open_input(const RunOptions& options, JobSpec& spec,
                                                const InputSpec& input);

// Opens the input and runs the job, or shows with --dry-run what it would run; the exit code.
int run_with_input(const std::string& command, const RunOptions& options, JobOptions job,
                   const InputSpec& input);

}  // namespace fanmill::producer
