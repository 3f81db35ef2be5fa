#include "broker/core/progress.hpp"

#include <algorithm>

#include "broker/core/delivery.hpp"
#include "broker/core/ventilator.hpp"

namespace fanmill::broker {

Waiting waiting_of(const World& world, const Job& job) {
  if (job.all_done()) return {};
  if (job.paused) return {WaitingFor::kPaused, {}};
  const bool served =
      std::any_of(world.workers.begin(), world.workers.end(), [&job](const auto& entry) {
        return !entry.second->gone && entry.second->offer(job.options.spec.function) != nullptr;
      });
  if (!served) return {WaitingFor::kWorkers, {}};
  if (reader_holds_up(world, job)) {
    if (!job.readers.empty() && job.order == RowOrder::kInput) {
      const Reader& reader = job.readers.begin()->second;
      const TaskIndex missing = job.done.next_absent({reader.acknowledged});
      if (missing.value == reader.sent) return {WaitingFor::kSlowTask, missing};
    }
    return {WaitingFor::kReader, {}};
  }
  if (!job.closed && !job.has_work() && job.leased == 0 && job.delayed.empty() &&
      !job.awaited_until)
    return {WaitingFor::kProducer, {}};
  return {};
}

void say_status(World& world, JobId id) {
  Job* job = world.job(id);
  if (job == nullptr) return;
  job->status_armed = false;
  if (job->readers.empty()) return;
  JobStatus status;
  status.job = id;
  status.counts = job->counted();
  for (const auto& [session, worker] : world.workers) {
    if (worker->gone || worker->offer(job->options.spec.function) == nullptr) continue;
    ++status.workers;
    status.slots += worker->slots;
  }
  const Waiting waiting = waiting_of(world, *job);
  status.waiting_for = waiting.reason;
  status.waiting_index = waiting.index;
  for (const auto& [session, reader] : job->readers)
    if (const Producer* producer = world.producer(session))
      world.send_now(producer->peer, session, ToProducer{status});
}

CoreView view_of(const World& world) {
  CoreView view;
  for (const auto& [key, id] : world.job_of_key) {
    const Job& job = *world.jobs.at(id);
    view.jobs.push_back({job.id, job.key, job.counted(), job.closed, all_acknowledged(job),
                         waiting_of(world, job).reason});
  }
  std::sort(view.jobs.begin(), view.jobs.end(),
            [](const JobView& a, const JobView& b) { return a.job < b.job; });
  for (const auto& [session, worker] : world.workers)
    view.workers.push_back(
        {session, worker->name, worker->slots, worker->leased_tasks, worker->leases.size()});
  view.stale_results = world.stale_results;
  view.expired_leases = world.expired_leases;
  view.malformed = world.malformed;
  return view;
}

}  // namespace fanmill::broker
