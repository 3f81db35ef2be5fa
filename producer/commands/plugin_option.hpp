// --plugin FILE: shared libraries with functions, for the executors of a private run; --executor
// PROGRAM: a program of the user's in their place.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "proto/error.hpp"

namespace fanmill::producer {

void add_plugin_option(CLI::App& app, std::vector<std::string>& files);

void add_executor_option(CLI::App& app, std::string& program);

// kUsage: together with plugins, or for a broker's workers, which have their own.
Result<void> check_executor(const std::string& program, const std::vector<std::string>& plugins,
                            const std::string& broker);

// kUsage: a plugin for a broker's workers, which have their own.
Result<std::vector<std::string>> checked_plugins(const std::vector<std::string>& files,
                                                 const std::string& broker);

}  // namespace fanmill::producer
