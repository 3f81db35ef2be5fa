#include "broker/core/losses.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "broker/core/leases.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/sink.hpp"

namespace fanmill::broker {
namespace {

constexpr std::int64_t kInvestedPart = 10;  // of it that is waited

bool runs_at_most_once(const Job& job) {
  return job.options.spec.at_most_once && !mutated(Mutation::kRepeatAtMostOnce);
}

// Ends what is left of a lease of tasks that must not run again.
void end_lease(World& world, Worker& worker, HeldLease& lease, Job& job) {
  const AttemptToken token = lease.token;
  const std::vector<IndexRange> left = lease.unfinished.ranges();
  shrink(world, worker, lease, left);
  for (const IndexRange& range : left)
    for (TaskIndex at = range.first; at < range.end(); at = at + 1)
      if (!job.done.contains(at)) end_unknown(world, job, at, &worker, token);
}

void remember(World& world, InstanceId instance, LostWorker lost) {
  if (lost.charged.empty() && lost.suspected.empty()) return;
  if (world.lost.emplace(instance, std::move(lost)).second) world.lost_order.push_back(instance);
  while (world.lost_order.size() > limits::kLostWorkersMax) {
    world.lost.erase(world.lost_order.front());
    world.lost_order.pop_front();
  }
}

void charge_running_tasks(World& world, Worker& worker, LostWorker& lost) {
  for (const RunningTask& task : worker.running) {
    const auto it = worker.leases.find(task.token);
    if (it == worker.leases.end() || it->second.job != task.job ||
        !it->second.unfinished.contains(task.index))
      continue;
    const nanoseconds invested = world.now - it->second.sent;
    shrink(world, worker, it->second, {{task.index, 1}});
    Job* job = world.job(task.job);
    if (job == nullptr || job->done.contains(task.index)) continue;
    lost.charged.emplace_back(task.job, task.index);
    charge_loss(world, *job, task.index, worker, task.token, wait_after_loss(invested));
  }
}

// Of what was leased and not known to run, any task may be what the worker died of.
void suspect(World& world, Worker& worker, LostWorker& lost) {
  for (const auto& [token, lease] : worker.leases) {
    Job* job = world.job(lease.job);
    if (job == nullptr || job->cancelled) continue;
    for (const IndexRange& range : lease.unfinished.ranges()) {
      for (const IndexRange& open : job->done.absent(range)) {
        lost.suspected[job->id].add(open);
        for (const IndexRange& again : job->suspects.present(open)) job->alone.add(again);
        job->suspects.add(open);
      }
    }
  }
}

// A task that was dealt alone is all that its worker had: it need not be seen running.
void charge_alone(World& world, Worker& worker, LostWorker& lost) {
  if (!worker.alone || worker.leases.empty()) return;
  HeldLease& lease = worker.leases.begin()->second;
  const RunningTask task{lease.job, lease.token, lease.unfinished.ranges().front().first};
  worker.running = {task};
  charge_running_tasks(world, worker, lost);
}

}  // namespace

nanoseconds wait_after_loss(nanoseconds invested) {
  return std::clamp<nanoseconds>(invested / kInvestedPart, limits::kLossWaitMin,
                                 limits::kLossWaitMax);
}

void end_if_once(World& world, Worker& worker, AttemptToken token) {
  const auto it = worker.leases.find(token);
  if (it == worker.leases.end()) return;
  Job* job = world.job(it->second.job);
  if (job != nullptr && runs_at_most_once(*job)) end_lease(world, worker, it->second, *job);
}

void end_all_once(World& world, Worker& worker) {
  std::vector<AttemptToken> all;
  for (const auto& [token, lease] : worker.leases) all.push_back(token);
  for (const AttemptToken token : all) end_if_once(world, worker, token);
}

void lose_tasks(World& world, Worker& worker) {
  LostWorker lost;
  end_all_once(world, worker);
  charge_running_tasks(world, worker, lost);
  charge_alone(world, worker, lost);
  suspect(world, worker, lost);
  remember(world, worker.instance, std::move(lost));
}

void refund_losses(World& world, InstanceId instance) {
  const auto known = world.lost.find(instance);
  if (known == world.lost.end() || mutated(Mutation::kKeepLossCharges)) return;
  const LostWorker lost = std::move(known->second);
  world.lost.erase(known);
  std::erase(world.lost_order, instance);
  for (const auto& [id, index] : lost.charged) {
    Job* job = world.job(id);
    if (job == nullptr) continue;
    const auto it = job->exceptions.find(index.value);
    if (it == job->exceptions.end() || it->second.losses == 0) continue;
    --it->second.losses;
    ++it->second.refunded;
    write_charge(world, *job, index, it->second, it->second.charged);
  }
  for (const auto& [id, ranges] : lost.suspected) {
    Job* job = world.job(id);
    if (job == nullptr) continue;
    for (const IndexRange& range : ranges.ranges()) job->clear_suspicion(range);
    world.work_appeared = true;
    world.touch(*job);
  }
}

}  // namespace fanmill::broker
