// A function per kind of parameter and result.
#include <fanmill/plugin.hpp>
#include <unordered_map>

FANMILL_FUNCTION(same_int, [](std::int64_t value) { return value; })
FANMILL_FUNCTION(same_bool, [](bool value) { return value; })
FANMILL_FUNCTION(same_i8, [](std::int8_t value) { return value; })
FANMILL_FUNCTION(same_u16, [](std::uint16_t value) { return value; })
FANMILL_FUNCTION(same_u64, [](std::uint64_t value) { return value; })
FANMILL_FUNCTION(same_float, [](float value) { return value; })
FANMILL_FUNCTION(same_double, [](double value) { return value; })
FANMILL_FUNCTION(same_text, [](std::string value) { return value; })
FANMILL_FUNCTION(same_view, [](std::string_view value) { return value; })
FANMILL_FUNCTION(same_bytes, [](std::vector<std::byte> value) { return value; })
FANMILL_FUNCTION(byte_count, [](std::span<const std::byte> value) { return value.size(); })
FANMILL_FUNCTION(same_list, [](const std::vector<int>& value) { return value; })
FANMILL_FUNCTION(same_bools, [](const std::vector<bool>& value) { return value; })
FANMILL_FUNCTION(same_map, [](std::map<std::string, std::vector<double>> value) { return value; })
FANMILL_FUNCTION(map_size, [](const std::unordered_map<std::string, int>& value) {
  return static_cast<int>(value.size());
})
FANMILL_FUNCTION(same_optional, [](std::optional<std::string> value) { return value; })
FANMILL_FUNCTION(same_tuple, [](std::tuple<int, std::string, bool> value) { return value; })
FANMILL_FUNCTION(same_pair, [](std::pair<double, std::optional<int>> value) { return value; })
FANMILL_FUNCTION(same_packed, [](fanmill::Packed value) { return value; })
FANMILL_FUNCTION(literal, [] { return "text"; })
FANMILL_FUNCTION(nothing, [](int) {})
FANMILL_FUNCTION(deep, [] { return fanmill::Packed{"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01"}; })

static double scaled(double x, double by) { return x * by; }
FANMILL_FUNCTION(scaled, &scaled, "x", fanmill::arg("by") = 2)
FANMILL_FUNCTION(
    joined,
    [](const std::string& first, const std::string& second, const std::vector<int>& rest) {
      return first + second + std::to_string(rest.size());
    },
    fanmill::arg("second") = "-", fanmill::arg("rest") = std::vector<int>{1, 2})
