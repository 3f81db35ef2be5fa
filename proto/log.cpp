#include "proto/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>
#include <utility>

namespace fanmill {

namespace {

// Before set_up_logging(), from which on it is the program's.
std::shared_ptr<spdlog::logger>& current() {
  static std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>(
        "fanmill", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_level(spdlog::level::warn);
    return made;
  }();
  return logger;
}

}  // namespace

spdlog::logger& log() { return *current(); }

void set_up_logging(const std::string& who, const std::string& level) {
  auto logger = spdlog::get(who);
  if (logger == nullptr) logger = spdlog::stderr_color_mt(who);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %n %^%l%$: %v");
  const auto known = spdlog::level::from_str(level);  // "off" also for a name it does not know
  logger->set_level(known == spdlog::level::off && level != "off" ? spdlog::level::info : known);
  logger->flush_on(spdlog::level::warn);
  current() = logger;
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace fanmill
