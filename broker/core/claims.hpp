// What workers still have from earlier lives of the broker. After a restart a task that may have
// been dealt is awaited: whoever has it is asked for it by nobody, but says so with its hello.
#pragma once

#include <vector>

#include "broker/core/world.hpp"

namespace fanmill::broker {

// The worker keeps what it claims under tokens of earlier lives, as far as it has no record and
// nobody claims it under a higher token; it is told so in its welcome. All else it is to drop.
void take_claims(World& world, Worker& worker, std::vector<Claim> claims);

// Begins to await what is in Job::awaited; ends it when the time is up: then it is dealt again.
void await_claims(World& world, Job& job);
void end_awaiting(World& world, Job& job);
// The broker stood still meanwhile.
void put_off_awaited(World& world, nanoseconds gap);
// These tasks are awaited no more, if they were.
void forget_awaited(Job& job, IndexRange tasks);

}  // namespace fanmill::broker
