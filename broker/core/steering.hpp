// What people do to jobs by name: pause, resume, cancel, close, forget.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// All of it or nothing.
void on_steer(World& world, const Producer& producer, const Steer& steer);

}  // namespace fanmill::broker
