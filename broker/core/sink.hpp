// The sink: which results count. The first valid result of each task is recorded, for ever; a
// success counts from any attempt, a failure only from the one that holds the task.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_results(World& world, Worker& worker, const Results& results, const Blob& blob);
void on_returned(World& world, Worker& worker, const Returned& returned);

void count_ending(JobCounts& counts, Outcome outcome, bool dead_lettered, std::uint64_t tasks);

// What attempts at a task have come to, the last under this token: the store knows it before
// anybody hears of it.
void write_charge(World& world, const Job& job, TaskIndex index, History& history,
                  AttemptToken token);

// Ends these tasks, which nobody holds and which have no record, as cancelled.
void record_cancelled(World& world, Job& job, const std::vector<IndexRange>& tasks);

// This task was running at a worker that was lost: charged, and dealt again after `wait` or
// dead-lettered.
void charge_loss(World& world, Job& job, TaskIndex index, const Worker& worker, AttemptToken token,
                 nanoseconds wait);

}  // namespace fanmill::broker
