#include <fanmill/plugin.hpp>
#include <numbers>
#include <string>

#include "units.hpp"

FANMILL_FUNCTION(
    area,
    [](const std::string& shape, double width, double height) {
      if (shape == "rectangle") return width * height;
      if (shape == "ellipse") return std::numbers::pi / 4 * width * height;
      throw fanmill::BadArguments("there is no shape " + shape);
    },
    fanmill::arg("height") = 1)

// The table of units is made once per executor process.
FANMILL_FUNCTION(in_metres, [](Units& units, double value, const std::string& unit) {
  return units.in_metres(value, unit);
})
