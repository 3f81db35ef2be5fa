// What gather, results, push and wait share: a broker, and jobs that are there.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "producer/client.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/console.hpp"
#include "producer/query.hpp"

namespace fanmill::producer {

struct AtBroker {
  Client& client;
  Query& query;
  Console& console;
  const std::string& broker;
};

// Connects to the broker that was given and does it; the exit code. Errors are told.
int at_broker(const std::string& command, const std::string& broker, bool bar,
              const std::function<Result<int>(AtBroker&)>& act);

}  // namespace fanmill::producer
