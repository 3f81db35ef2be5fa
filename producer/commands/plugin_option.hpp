// --plugin FILE: shared libraries with functions, for the executors of a private run.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "proto/error.hpp"

namespace fanmill::producer {

void add_plugin_option(CLI::App& app, std::vector<std::string>& files);

// kUsage: a plugin for a broker's workers, which have their own.
Result<std::vector<std::string>> checked_plugins(const std::vector<std::string>& files,
                                                 const std::string& broker);

}  // namespace fanmill::producer
