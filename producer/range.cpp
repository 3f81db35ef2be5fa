#include "producer/range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

__extension__ typedef __int128 Wide;

constexpr std::string_view kDots = "..";
constexpr std::size_t kDecimalsMax = 15;
constexpr Wide kExactInDouble = Wide{1} << 53;

constexpr std::string_view kForm =
    "write --range NAME=FIRST..LAST or NAME=FIRST..LAST..STEP, for instance n=1..10 or "
    "x=0..1..0.25";

struct Decimal {
  std::int64_t digits = 0;  // without the point
  std::size_t decimals = 0;
  bool has_point = false;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [-]digits[.digits]; nothing else.
std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool behind_digit = i > 0 && is_digit(text[i - 1]);
    if (is_digit(c)) {
      digits += c;
      if (out.has_point) ++out.decimals;
    } else if (c == '.' && !out.has_point && behind_digit) {
      out.has_point = true;
    } else if (c == '-' && i == 0) {
      digits += c;
    } else {
      return {};
    }
  }
  if (text.empty() || !is_digit(text.back()) || out.decimals > kDecimalsMax) return {};
  const char* const end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, out.digits);
  if (error != std::errc{} || at != end) return {};
  return out;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t dots = text.find(kDots);
    parts.push_back(text.substr(0, dots));
    if (dots == std::string_view::npos) return parts;
    text.remove_prefix(dots + kDots.size());
  }
}

}  // namespace

Result<Range> parse_range(std::string_view text) {
  const auto refuse = [&](const std::string& reason) {
    return fail(ErrorCode::kUsage, fmt::format("--range {}: {}", text, reason));
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return refuse(fmt::format("the range has no name; {}", kForm));
  }
  Range range;
  range.name = text.substr(0, equals);
  if (range.name.size() > limits::kNameBytesMax) return refuse("the name is too long");
  const auto parts = split(text.substr(equals + 1));
  if (parts.size() == 1 || (parts.size() == 2 && parts[1].empty())) {
    return refuse(
        fmt::format("a range without an end would never finish; give it one ({}={}..100), or feed "
                    "an endless stream of lines through `-`",
                    range.name, parts[0].empty() ? "1" : parts[0]));
  }
  if (parts.size() > 3) return refuse(std::string(kForm));

  std::array<Decimal, 3> numbers{Decimal{}, Decimal{}, Decimal{.digits = 1}};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_decimal(parts[i]);
    if (!number) {
      return refuse(fmt::format(
          "\"{}\" is no number that can be counted with (such as 7, -3 or 0.25, up to 15 decimals "
          "and 64 bits); {}",
          parts[i], kForm));
    }
    numbers[i] = *number;
  }
  std::size_t decimals = 0;
  for (const Decimal& number : numbers) {
    decimals = std::max(decimals, number.decimals);
    range.decimal = range.decimal || number.has_point;
  }
  for (std::size_t i = 0; i < decimals; ++i) range.divisor *= 10;

  std::array<Wide, 3> scaled{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    scaled[i] = numbers[i].digits;
    for (std::size_t k = numbers[i].decimals; k < decimals; ++k) scaled[i] *= 10;
    if (range.decimal && (scaled[i] > kExactInDouble || scaled[i] < -kExactInDouble)) {
      return refuse("these decimals need more than the 15 digits that a double holds exactly");
    }
  }
  const auto [first, last, step] = scaled;
  if (step == 0) return refuse("the step is 0, so the range would never reach its end");
  if ((last > first && step < 0) || (last < first && step > 0)) {
    return refuse(parts.size() == 3
                      ? "the step leads away from the end; change its sign"
                      : fmt::format("it counts down, which needs a negative step: {}={}..{}..-1",
                                    range.name, parts[0], parts[1]));
  }
  const Wide count = (last - first) / step + 1;
  if (count > INT64_MAX) return refuse("it has more values than can be counted");
  range.first = static_cast<std::int64_t>(first);
  range.step = static_cast<std::int64_t>(step);
  range.count = static_cast<std::uint64_t>(count);
  return range;
}

}  // namespace fanmill::producer
