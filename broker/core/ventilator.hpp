// The ventilator: which tasks go to which worker, and how many at once. Nobody tunes a chunk size:
// batches grow from one task to about limits::kBatchTime of work by what the reports say, and
// shrink again where little is left.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// Deals to every worker that something changed for, and to all if work appeared; then recalls
// unstarted tasks for slots that are left idle.
void dispatch(World& world);

// Whether its dealing stands still because its reader has too much to read.
bool reader_holds_up(const World& world, const Job& job);

}  // namespace fanmill::broker
