// Waits until jobs of a long-lived broker have ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/progress_output.hpp"
#include "proto/ids.hpp"

namespace fanmill::producer {

struct WaitOptions {
  std::vector<JobId> jobs;
  std::string broker;                                        // as people named it
  std::optional<std::chrono::milliseconds> time_limit = {};  // else as long as it takes
  bool quiet = false;
  bool json = false;  // the jobs' documents on stdout, at the end
  ProgressMode progress = ProgressMode::kAuto;
};

// The exit code: 0 every task of every job succeeded, 1 some did not or the time was over, 130
// interrupted, 2 and 3 as ever. A line for each job is told, and what went wrong.
int run_wait(Client& client, Console& console, const WaitOptions& options);

}  // namespace fanmill::producer
