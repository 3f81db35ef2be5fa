// Whose turn it is. Jobs of one priority share the slots' time equally, whatever their tasks take:
// each has a virtual time, the slot time it was given so far, and the least is served next (stride
// scheduling: Waldspurger and Weihl, 1995). What is leased counts with an estimate, which the
// report replaces by what the tasks really took.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// Something of it may be dealt now.
bool may_deal(const World& world, const Job& job);
bool may_deal_fresh(const World& world, const Job& job);

// After anything that may have changed its turn. A job that comes or comes back starts with the
// least time of those that wait beside it, and is owed nothing.
void place(World& world, Job& job);

// ---- what a lease costs: the caller places or touches the job ----
void charge(World& world, Job& job, HeldLease& lease);  // its unfinished tasks, at its grant
// `gone` of `before` unfinished tasks have left it; returns what was charged for them.
double refund(Job& job, HeldLease& lease, std::uint64_t gone, std::uint64_t before);
void charge_served(Job& job, double ns);
// A task of it has run through `time` since the last heartbeat.
void charge_running(Job& job, HeldLease& lease, nanoseconds time);

// `behind` has waited so long for a worker that it cannot be owed all of it: it comes no more than
// some seconds before `next`, the one whose turn is after it.
void forgive(World& world, Job& behind, const Job& next);

}  // namespace fanmill::broker
