#include "proto/duration.hpp"

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

namespace fanmill {
namespace {

std::optional<double> ms_of(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s" || unit == "sec") return 1000;
  if (unit == "m" || unit == "min") return 60'000;
  if (unit == "h") return 3'600'000;
  if (unit == "d") return 86'400'000;
  return {};
}

}  // namespace

std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && ((text[size] | 0x20) >= 'a' && (text[size] | 0x20) <= 'z')) ++size;
  const std::string_view letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kUsage, "\"" + std::string(text) +
                                       "\" is no duration; for instance 90s, 5m, 1h30m or 250ms");
  };
  std::string_view rest = text;
  double total = 0;
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    const auto number = take_number(rest);
    const auto unit = ms_of(take_letters(rest));
    if (!number || !unit) return bad();
    total += *number * *unit;
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  }
  constexpr double kMost = 1e13;  // three centuries
  if (total > kMost) return bad();
  return std::chrono::milliseconds(static_cast<std::int64_t>(total + 0.5));
}

}  // namespace fanmill
