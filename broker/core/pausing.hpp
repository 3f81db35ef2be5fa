// A job that stands still: nothing of it is dealt, what was not started comes back from the
// workers, what runs may end.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// Asked for by somebody (Job::held); until resume(). Both change nothing when repeated.
void pause(World& world, Job& job);
void resume(World& world, Job& job);

// Its producer is gone (Job::paused); until somebody adopts it.
void pause_without_producer(World& world, Job& job);

}  // namespace fanmill::broker
