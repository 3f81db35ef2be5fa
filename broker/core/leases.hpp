// Which worker session holds which tasks. A task leaves a lease when it is reported or returned, or
// when the lease ends; whoever takes it out says what becomes of it.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// The tasks are the worker's from now on, under a token of their own.
HeldLease& grant(World& world, Worker& worker, Job& job, IndexRange tasks, std::uint64_t bytes);

// The worker still has these tasks, under the token of an earlier life of the broker.
HeldLease& hold_again(World& world, Worker& worker, Job& job, AttemptToken token, RangeSet tasks);

// The worker holds these tasks no more. Ends the lease when nothing is left of it: `lease` is then
// gone. Returns what its job's virtual time was charged for them, and is no more.
double shrink(World& world, Worker& worker, HeldLease& lease, const std::vector<IndexRange>& tasks);

// Tasks that nobody holds any more and that have no record: to be dealt again, or cancelled if
// their job is.
void free_tasks(World& world, Job& job, IndexRange tasks);

// Ends a lease and frees what is left of it; nobody is charged.
void release(World& world, Worker& worker, AttemptToken token);

// Moves a lease from a session to the next one of the same instance.
void move_lease(World& world, Worker& from, Worker& to, AttemptToken token);

}  // namespace fanmill::broker
