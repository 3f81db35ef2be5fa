// Asks a real executor process what it offers, before anything depends on it.
#pragma once

#include <string>
#include <vector>

#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::worker {

struct ProbeOptions {
  std::string executor_path;  // empty: beside the running program
  std::vector<std::string> plugins;
  std::string own_executor = {};  // the user's, instead of both
};

// Starts one executor, takes its first word, and ends it. kUsage: a plugin, or the user's
// own program, cannot be used, with the file and the reason; kSystem: no executor runs here.
Result<std::vector<FunctionOffer>> probe_executor(ProbeOptions options);

// Where a program's executor is, unless it is told otherwise.
std::string executor_beside_program();

}  // namespace fanmill::worker
