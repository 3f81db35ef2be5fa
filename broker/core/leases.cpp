#include "broker/core/leases.hpp"

#include <algorithm>

#include "broker/core/mutation.hpp"
#include "broker/core/sink.hpp"

namespace fanmill::broker {

HeldLease& grant(World& world, Worker& worker, Job& job, IndexRange tasks, std::uint64_t bytes) {
  const std::uint32_t attempt = job.attempt_of(tasks.first);
  job.taken(tasks);
  ++world.tokens;
  const std::uint64_t counter =
      mutated(Mutation::kReuseTokens) ? (world.tokens + 1) / 2 : world.tokens;
  const AttemptToken token{world.config.epoch, counter};
  HeldLease& lease = worker.leases[counter];
  if (!lease.unfinished.empty()) {  // only where tokens are used twice
    job.leased -= lease.unfinished.count();
    worker.leased_tasks -= lease.unfinished.count();
    worker.share(job.id, job.options.spec.function).leased -= lease.unfinished.count();
    worker.digest ^= digest_of(token);
  }
  lease = {token, job.id, ++worker.leases_sent, RangeSet{tasks}, attempt, bytes, world.now, false};
  worker.digest ^= digest_of(token);
  worker.leased_tasks += tasks.count;
  worker.leased_bytes += bytes;
  worker.used.tasks += tasks.count;
  worker.used.bytes += bytes;
  worker.share(job.id, job.options.spec.function).leased += tasks.count;
  job.leased += tasks.count;
  world.dealt += tasks.count;
  world.dealt_rate.count(world.now, tasks.count);
  world.touch(worker);
  return lease;
}

void shrink(World& world, Worker& worker, HeldLease& lease, const std::vector<IndexRange>& tasks) {
  const std::uint64_t before = lease.unfinished.count();
  for (const IndexRange& range : tasks) lease.unfinished.remove(range);
  const std::uint64_t gone = before - lease.unfinished.count();
  worker.leased_tasks -= gone;
  Job* job = world.job(lease.job);
  if (job != nullptr) job->leased -= gone;
  if (Share* share = worker.find_share(lease.job)) {
    share->leased -= gone;
    if (share->leased == 0 && (job == nullptr || job->stopped)) worker.forget_share(lease.job);
  }
  if (lease.unfinished.empty()) {
    worker.digest ^= digest_of(lease.token);
    worker.leased_bytes -= lease.bytes;
    worker.leases.erase(lease.token.counter);
  }
  world.touch(worker);
}

void free_tasks(World& world, Job& job, IndexRange tasks) {
  const std::vector<IndexRange> unfinished = job.done.absent(tasks);
  if (unfinished.empty()) return;
  if (job.cancelled) {
    record_cancelled(world, job, unfinished);
    return;
  }
  for (const IndexRange& range : unfinished) job.ready.add(range);
  world.work_appeared = true;
  world.touch(job);
}

void release(World& world, Worker& worker, std::uint64_t token_counter) {
  const auto it = worker.leases.find(token_counter);
  if (it == worker.leases.end()) return;
  const std::vector<IndexRange> left = it->second.unfinished.ranges();
  Job* job = world.job(it->second.job);
  shrink(world, worker, it->second, left);
  if (job == nullptr) return;
  for (const IndexRange& range : left) free_tasks(world, *job, range);
}

void move_lease(Worker& from, Worker& to, std::uint64_t token_counter, const World& world) {
  auto node = from.leases.extract(token_counter);
  HeldLease& lease = node.mapped();
  const std::uint64_t tasks = lease.unfinished.count();
  from.digest ^= digest_of(lease.token);
  to.digest ^= digest_of(lease.token);
  from.leased_tasks -= tasks;
  to.leased_tasks += tasks;
  from.leased_bytes -= lease.bytes;
  to.leased_bytes += lease.bytes;
  if (Share* share = from.find_share(lease.job)) share->leased -= tasks;
  const auto job = world.jobs.find(lease.job);
  if (job != world.jobs.end())
    to.share(lease.job, job->second->options.spec.function).leased += tasks;
  lease.number = 0;
  to.leases.insert(std::move(node));
}

}  // namespace fanmill::broker
