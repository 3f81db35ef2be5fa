#include "broker/core/pausing.hpp"

#include "broker/core/recalls.hpp"

namespace fanmill::broker {
namespace {

void ask_all_back(World& world, Job& job) {
  world.touch(job);
  if (job.leased == 0) return;
  for (const auto& [session, worker] : world.workers) recall_paused(world, *worker);
}

}  // namespace

void pause(World& world, Job& job) {
  if (job.held) return;
  job.held = true;
  world.write_state(job);
  ask_all_back(world, job);
}

void resume(World& world, Job& job) {
  if (!job.held) return;
  job.held = false;
  world.write_state(job);
  world.work_appeared = true;
  world.touch(job);
}

void pause_without_producer(World& world, Job& job) {
  if (job.paused) return;
  job.paused = true;
  ask_all_back(world, job);
}

}  // namespace fanmill::broker
