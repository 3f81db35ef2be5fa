// Sessions of producers, and what they ask of their jobs: opened, tuples submitted under credit,
// closed, cancelled.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_producer_hello(World& world, PeerId peer, const ProducerHello& hello);
void on_producer_heartbeat(World& world, Producer& producer);
void on_open(World& world, Producer& producer, const OpenJob& open);
void accept_overdue(World& world, JobId id);
void on_submit(World& world, Producer& producer, const Submit& submit, const Blob& blob);
void on_close(World& world, Producer& producer, const CloseJob& close);
void on_cancel(World& world, Producer& producer, const CancelJob& cancel);

// Its session is over. On purpose (Goodbye): delivered jobs are dropped at once, else only when it
// stays away.
void end_producer(World& world, Producer& producer, bool on_purpose);
void check_producer(World& world, SessionId session);
// Opens whose function is offered now, and those that have waited long enough.
void check_openings(World& world);

// Accepted to the owner, where it was asked for or credit has grown.
void say_credit(World& world, Job& job);

}  // namespace fanmill::broker
