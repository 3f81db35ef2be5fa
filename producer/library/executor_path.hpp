// Where the program is that runs the tasks of a private run.
#pragma once

#include <string>

#include "proto/error.hpp"

namespace fanmill::producer {

// `named` if it is given, else $FANMILL_EXECUTOR, else fanmill-executor beside the running program,
// else `installed`. Refused (kSystem), with all places looked at: none of them can be executed.
Result<std::string> find_executor(const std::string& named, const std::string& installed);

}  // namespace fanmill::producer
