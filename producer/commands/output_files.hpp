// Where the options send results and the job log, checked before anything is opened: opening
// empties a file.
#pragma once

#include <string>

#include "producer/source.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

struct OutputFiles {
  std::string results;       // -o; empty or "-": stdout
  std::string job_log;       // --joblog, perhaps with "+" in front; empty: none
  std::string journal = {};  // --journal; empty: none
};

// kUsage: one of them is a file that the input is read from, or two are one file.
Result<void> check_output_files(const OutputFiles& files, const InputSpec& input);

}  // namespace fanmill::producer
