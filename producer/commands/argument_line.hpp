// The words of a command line, cut apart before an option parser sees them: `:::`, `:::+`, `::::`,
// `::::+` and what follows them are values, what follows `--` is a command.
#pragma once

#include <string>
#include <vector>

#include "producer/source.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

struct ArgumentLine {
  std::vector<std::string> words;    // for the option parser
  std::vector<ValueSpec> lists;      // one per mark
  std::vector<std::string> command;  // behind `--`
  bool has_command = false;          // there was a `--`
};

// For `map`: everything behind the first `:::` belongs to lists, `--` included.
Result<ArgumentLine> cut_map_line(std::vector<std::string> args);
// For `exec`: the three forms INPUT -- CMD…, ::: a b -- CMD… and CMD… ::: a b. kUsage: a `--` with
// nothing behind it.
Result<ArgumentLine> cut_exec_line(std::vector<std::string> args);

}  // namespace fanmill::producer
