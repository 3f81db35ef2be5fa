// Policies that end a job before all its tasks have run: so many failures, successes or ends.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// Cancels a job one of whose policies is met, unless it has ended anyhow.
void halt_if_due(World& world, Job& job);

// The policy that is met by what is recorded, or nothing. A part of all tasks is known once the job
// is closed.
const HaltPolicy* met_policy(const Job& job);

}  // namespace fanmill::broker
