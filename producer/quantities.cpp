#include "producer/quantities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>

namespace fanmill::producer {
namespace {

std::optional<double> bytes_of(std::string_view unit) {
  std::string small;
  for (const char c : unit) small += static_cast<char>(c | 0x20);
  if (small.empty() || small == "b") return 1;
  const std::string_view letters = "kmgt";
  const std::size_t power = letters.find(small[0]);
  if (power == std::string_view::npos) return {};
  const std::string_view rest = std::string_view(small).substr(1);
  double base = 0;
  if (rest.empty() || rest == "ib") base = 1024;
  if (rest == "b") base = 1000;
  if (base == 0) return {};
  double out = base;
  for (std::size_t i = 0; i < power; ++i) out *= base;
  return out;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const auto unit = bytes_of(take_letters(rest));
  if (!number || !unit || !rest.empty() || *number * *unit > 9e18) {
    return fail(ErrorCode::kUsage,
                fmt::format("\"{}\" is no size; for instance 64MiB, 10MB, 512k or 1G", text));
  }
  return static_cast<std::uint64_t>(*number * *unit);
}

std::string short_duration(std::chrono::nanoseconds time) {
  using namespace std::chrono_literals;
  const auto count = std::max<std::int64_t>(time.count(), 0);
  if (count == 0) return "0s";
  if (time < 1us) return fmt::format("{}ns", count);
  if (time < 1ms) return fmt::format("{}µs", count / 1000);
  if (time < 1s) return fmt::format("{}ms", count / 1'000'000);
  const std::int64_t seconds = time / 1s;
  const std::int64_t tenths = time / 100ms % 10;
  if (seconds < 10 && tenths > 0) return fmt::format("{}.{}s", seconds, tenths);
  if (seconds < 60) return fmt::format("{}s", seconds);
  const auto two = [](std::int64_t large, char large_unit, std::int64_t small, char small_unit) {
    return small == 0 ? fmt::format("{}{}", large, large_unit)
                      : fmt::format("{}{}{}{}", large, large_unit, small, small_unit);
  };
  const std::int64_t minutes = seconds / 60;
  if (minutes < 60) return two(minutes, 'm', seconds % 60, 's');
  const std::int64_t hours = minutes / 60;
  if (hours < 24) return two(hours, 'h', minutes % 60, 'm');
  return two(hours / 24, 'd', hours % 24, 'h');
}

std::string short_size(std::uint64_t bytes) {
  if (bytes < 1024) return bytes == 0 ? "0" : fmt::format("{}B", bytes);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < std::size(kUnits)) {
    size /= 1024;
    ++unit;
  }
  if (size >= 99.95) return fmt::format("{:.0f}{}", size, kUnits[unit]);
  std::string text = fmt::format("{:.1f}", size);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + kUnits[unit];
}

}  // namespace fanmill::producer
