// What becomes of the tasks of workers that were lost. What was running is charged and waits a
// while before it is dealt again, for its worker may come back with the result. Of the rest nothing
// is known: such tasks are suspects, and after two losses they run alone, one per worker, so that
// the next loss tells who is guilty. A worker that comes back takes all that back.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// The worker was silent for a whole lease: charges what runs, suspects the rest. All its leases
// end.
void lose_tasks(World& world, Worker& worker);

// A task that runs at most once was dealt, and nobody can say what became of it: it ends as failed.
// `worker`: nobody, if an earlier life of the broker dealt it.
void end_unknown(World& world, Job& job, TaskIndex index, const Worker* worker, AttemptToken token);

// Ends what the worker has of such tasks, in this lease or in all of them, for they may have run.
void end_if_once(World& world, Worker& worker, AttemptToken token);
void end_all_once(World& world, Worker& worker);

// An instance that was lost says hello again: what its loss was charged with is refunded.
void refund_losses(World& world, InstanceId instance);

// How long a task that was started waits after its worker was lost, by the time it was out.
nanoseconds wait_after_loss(nanoseconds invested);

}  // namespace fanmill::broker
