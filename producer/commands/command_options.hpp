// The options of exec that say how its commands run.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "producer/source.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct CommandOptions {
  std::string shell;  // empty: none
  std::string group;  // of values per command; empty: as the sources give them
  std::string chdir;
  std::vector<std::string> env;
  std::optional<std::string> input;

  void add_to(CLI::App& app);
  // kUsage: what cannot be meant, and a position in a template that tuples of this input never
  // have.
  Result<void> apply(JobSpec& spec, const InputSpec& input_spec) const;
};

// kUsage: with -N, whose values have places, a template of `spec` uses one of the input's names.
Result<void> check_group_names(const JobSpec& spec, const std::vector<std::string>& names);

// --timeout: a duration, or a percentage of the median run time. kUsage otherwise.
Result<void> apply_time_limit(JobSpec& spec, const std::string& text);

}  // namespace fanmill::producer
