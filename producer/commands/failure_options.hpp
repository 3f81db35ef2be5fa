// What a run does about tasks that fail: how often they are tried, and when it gives up.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct FailureOptions {
  std::uint32_t retries = 0;
  std::string max_failures;  // N or P%
  std::string halt;          // as of GNU parallel: now|soon,fail|success|done=N|P%
  bool at_most_once = false;

  void add_to(CLI::App& app);
  Result<void> apply(JobOptions& job) const;  // kUsage
};

// "soon,fail=3", "now,success=1", "soon,done=50%"; nothing for "never". kUsage.
Result<std::vector<HaltPolicy>> parse_halt(const std::string& text);
// "10", "5%": more failures than that end the job. kUsage.
Result<HaltPolicy> parse_max_failures(const std::string& text);

}  // namespace fanmill::producer
