// Asking workers to give back what they have not started. A task is free only by the answer, or by
// the end of its lease; one request per job and worker is out at a time.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// Up to so many tasks; the caller has seen that none is asked back already.
void ask_back(World& world, Worker& worker, Share& share, std::uint64_t count);

// Everything that is not started of lower priorities than this, where it is worth it: it would
// stand before what is dealt now.
void recall_lower(World& world, Worker& worker, std::int32_t priority);
// Everything that is not started of jobs that stand still.
void recall_paused(World& world, Worker& worker);

// The heartbeat shows whether something of a job that stands still is there and does not run.
void look_for_paused(World& world, Worker& worker, const WorkerHeartbeat& heartbeat);

void on_recall_answered(World& world, Worker& worker, const Returned& returned, bool anything);
// Its timer: requests without an answer are given up, and made again where still wanted.
void give_up_recalls(World& world, SessionId session);

}  // namespace fanmill::broker
