#include "proto/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace fanmill {

void set_up_logging(const std::string& who, const std::string& level) {
  auto logger = spdlog::get(who);
  if (logger == nullptr) logger = spdlog::stderr_color_mt(who);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %n %^%l%$: %v");
  const auto known = spdlog::level::from_str(level);  // "off" also for a name it does not know
  logger->set_level(known == spdlog::level::off && level != "off" ? spdlog::level::info : known);
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace fanmill
