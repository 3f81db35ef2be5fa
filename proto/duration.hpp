// Durations as people write them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "proto/error.hpp"

namespace fanmill {

// 90s, 5m, 1h30m, 250ms, 1.5h, 2d; a bare number is seconds. kUsage otherwise.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// The number, or the letters, at the front of `text`, which is moved behind them.
std::optional<double> take_number(std::string_view& text);
std::string_view take_letters(std::string_view& text);

}  // namespace fanmill
