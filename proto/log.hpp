// Logging for loops and mains (never the core): spdlog to stderr, with the level from --verbose /
// FANMILL_LOG.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace fanmill {
// Where loops log to: stderr, and nothing but warnings until set_up_logging() says otherwise. Never
// spdlog's default logger, which in a program that links the library is that program's.
spdlog::logger& log();
// `who` is the process's role: "broker", "worker", "fanmill". Level names are spdlog's.
void set_up_logging(const std::string& who, const std::string& level);
}  // namespace fanmill
