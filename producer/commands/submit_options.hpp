// What `submit` has beside the options of map and exec, whose words it shares.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "producer/commands/run_options.hpp"

namespace fanmill::producer {

// For a path: there is no input, the job is opened without tuples.
inline constexpr const char* kNoInput = "\n";

struct SubmitWords {
  bool wait = false;
  bool open = false;
  std::string key;
  std::string keep;

  void add_to(CLI::App& app);
  static const char* footer();
};

// The commands map and exec, and the same words behind `submit` where its options are given.
int map_words(const std::string& command, std::vector<std::string> args, SubmitWords* submit);
int exec_words(const std::string& command, std::vector<std::string> args, SubmitWords* submit);

// Leaves the job at the broker; the exit code.
int submit_job(const std::string& command, const RunOptions& options, const SubmitWords& submit,
               JobOptions job, const InputSpec& input);

}  // namespace fanmill::producer
