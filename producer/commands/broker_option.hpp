// --broker FILE|ENDPOINT, or FANMILL_BROKER: of every command that talks to a long-lived broker.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "proto/error.hpp"

namespace fanmill::producer {

void add_broker_option(
    CLI::App& app, std::string& broker,
    const std::string& description = "The broker: its producer.join, or ipc://PATH");

// kUsage where neither the option nor the variable names one.
Result<std::string> required_broker(const std::string& broker);

}  // namespace fanmill::producer
