#pragma once
#include <map>
#include <stdexcept>
#include <string>

struct Units {
  std::map<std::string, double> metres;
  double in_metres(double value, const std::string& unit) const {
    const auto found = metres.find(unit);
    if (found == metres.end()) throw std::runtime_error("there is no unit " + unit);
    return value * found->second;
  }
};
