// Sessions of workers: hello, heartbeats, silence, loss.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_worker_hello(World& world, PeerId peer, const WorkerHello& hello);
void on_worker_heartbeat(World& world, Worker& worker, const WorkerHeartbeat& heartbeat);
void take_credit(World& world, Worker& worker, Credit credit);

// Its timer: silence, leases that no heartbeat names, a recall without answer.
void check_worker(World& world, SessionId session);
// It says goodbye, or misbehaves: what it holds goes back, and nobody is charged.
void end_worker(World& world, Worker& worker);
void worker_gone(World& world, Worker& worker);
void extend_leases(World& world, nanoseconds gap);
// ReportsTaken, one for all reports of a turn.
void owe_acknowledgement(World& world, Worker& worker, bool at_once);
void acknowledge_overdue(World& world, SessionId session);
void acknowledge_reports(World& world);

}  // namespace fanmill::broker
