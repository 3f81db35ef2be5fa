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
};

// Starts one executor, takes its first word, and ends it. kUsage: a plugin cannot be used, with the
// file and the reason; kSystem: no executor runs here.
Result<std::vector<FunctionOffer>> probe_executor(ProbeOptions options);

// Where a program's executor is, unless it is told otherwise.
std::string executor_beside_program();

}  // namespace fanmill::worker
