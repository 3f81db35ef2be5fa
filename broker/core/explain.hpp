// Why nothing of a job runs.
#pragma once

#include <string>

#include "broker/core/world.hpp"

namespace fanmill::broker {

// A sentence without a full stop, for people; empty if something of the job is at a worker, and if
// it has ended.
std::string reason_of(const World& world, const Job& job);

}  // namespace fanmill::broker
