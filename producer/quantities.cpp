#include "producer/quantities.hpp"

#include <fmt/format.h>

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

}  // namespace fanmill::producer
