#include "proto/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace fanmill {

void set_up_logging(const std::string& who, const std::string& level) {
  auto logger = spdlog::get(who);
  if (logger == nullptr) logger = spdlog::stderr_color_mt(who);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %n %^%l%$: %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace fanmill
