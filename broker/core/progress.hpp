// What people are told about a job while it goes.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

// The job's status timer: JobStatus to its readers.
void say_status(World& world, JobId job);

struct Waiting {
  WaitingFor reason = WaitingFor::kNothing;
  TaskIndex index;  // for kSlowTask
};
Waiting waiting_of(const World& world, const Job& job);
CoreView view_of(const World& world);

}  // namespace fanmill::broker
