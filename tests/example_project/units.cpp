#include "units.hpp"

#include <fanmill/plugin.hpp>

FANMILL_STATE(Units, [] { return Units{{{"m", 1}, {"cm", 0.01}, {"in", 0.0254}}}; })

FANMILL_FUNCTION(units, [](Units& units) {
  std::vector<std::string> names;
  for (const auto& [name, metres] : units.metres) names.push_back(name);
  return names;
})
