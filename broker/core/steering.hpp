// What people do to jobs by name: pause, resume, cancel, close, forget.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// All of it or nothing. A late repetition is answered and not done.
void on_steer(World& world, Producer& producer, const Steer& steer);

}  // namespace fanmill::broker
