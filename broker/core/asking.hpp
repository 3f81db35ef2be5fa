// Questions about jobs, workers and the broker itself.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_ask(World& world, const Producer& producer, const Ask& ask);

}  // namespace fanmill::broker
