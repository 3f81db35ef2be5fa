// Tuples of many for one open job: indexes in the order of arrival, each chunk once per (key,
// sequence), and the job's window shared by all who push.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_push(World& world, Producer& producer, const Push& push, const Blob& blob);

// Pushed, where it was asked for or room has grown.
void say_pushed(World& world, Job& job);
// The session is told again where its keys stand: a lost Pushed must not leave it without room.
void repeat_pushed(World& world, const Producer& producer, Job& job);
void forget_pusher(const Producer& producer, Job& job);

}  // namespace fanmill::broker
