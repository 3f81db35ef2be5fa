#include "broker/core/pausing.hpp"

namespace fanmill::broker {

void pause(World& world, Job& job) {
  if (job.held) return;
  job.held = true;
  world.touch(job);
}

void resume(World& world, Job& job) {
  if (!job.held) return;
  job.held = false;
  world.work_appeared = true;
  world.touch(job);
}

void pause_without_producer(World& world, Job& job) {
  if (job.paused) return;
  job.paused = true;
  world.touch(job);
}

}  // namespace fanmill::broker
