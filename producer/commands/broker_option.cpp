#include "producer/commands/broker_option.hpp"

#include <CLI/CLI.hpp>

namespace fanmill::producer {

void add_broker_option(CLI::App& app, std::string& broker, const std::string& description) {
  app.add_option("--broker", broker, description)
      ->envname("FANMILL_BROKER")
      ->type_name("FILE|ENDPOINT");
}

Result<std::string> required_broker(const std::string& broker) {
  if (!broker.empty()) return broker;
  return fail(ErrorCode::kUsage,
              "no broker named; give --broker producer.join (of the broker's host) or --broker "
              "ipc://PATH, or set FANMILL_BROKER");
}

}  // namespace fanmill::producer
