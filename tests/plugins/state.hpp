#pragma once
#include <fanmill/plugin.hpp>

struct Counter {
  int calls = 0;
};
struct Model {
  double weight = 0;
};
struct Broken {};
