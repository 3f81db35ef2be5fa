// What must hold between any two steps. For tests: linear in the state.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void check_invariants(const World& world);

}  // namespace fanmill::broker
