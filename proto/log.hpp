// Logging for loops and mains (never the core): spdlog to stderr, with the level from --verbose /
// FANMILL_LOG.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace fanmill {
// `who` is the process's role: "broker", "worker", "fanmill". Level names are spdlog's.
void set_up_logging(const std::string& who, const std::string& level);
}  // namespace fanmill
