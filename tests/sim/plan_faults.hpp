// What goes wrong in a history, and when, as far as one can know before.
#pragma once

#include "tests/sim/plan.hpp"

namespace fanmill::sim {

// `estimate`: about how many seconds the work takes.
void plan_faults(Random& random, Plan& plan, double estimate);
void plan_deaths(Random& random, Plan& plan, double estimate);  // of the broker
void plan_disk(Plan& plan, double estimate);                    // the broker's

}  // namespace fanmill::sim
