#include "broker/core/leases.hpp"

#include <algorithm>

#include "broker/core/fair_shares.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pace.hpp"
#include "broker/core/sink.hpp"

namespace fanmill::broker {
namespace {

void put_in_share(Worker& worker, const Job& job, const HeldLease& lease) {
  Share& share = worker.share(job.id);
  share.leased += lease.unfinished.count();
  share.fill += lease.fill;
  share.unstarted = true;
  share.last_lease = std::max(share.last_lease, lease.number);
  share.priority = job.options.priority;
  worker.fill_up(share.priority, lease.unfinished.count(), lease.fill);
}

// `gone` of `before` unfinished tasks; the job may be forgotten.
void take_out_of_share(Worker& worker, const Job* job, HeldLease& lease, std::uint64_t gone,
                       std::uint64_t before) {
  Share* share = worker.find_share(lease.job);
  if (share == nullptr || gone == 0) return;
  const double part = lease.fill * static_cast<double>(gone) / static_cast<double>(before);
  lease.fill -= part;
  share->leased -= gone;
  share->fill = share->leased == 0 ? 0 : share->fill - part;
  worker.drain_off(share->priority, gone, part);
  if (share->leased == 0 && (job == nullptr || job->stopped)) worker.forget_share(lease.job);
}

}  // namespace

HeldLease& grant(World& world, Worker& worker, Job& job, IndexRange tasks, std::uint64_t bytes) {
  const std::uint32_t attempt = job.attempt_of(tasks.first);
  job.taken(tasks);
  ++world.tokens;
  const std::uint64_t counter =
      mutated(Mutation::kReuseTokens) ? (world.tokens + 1) / 2 : world.tokens;
  const AttemptToken token{world.config.life.epoch, counter};
  HeldLease& lease = worker.leases[token];
  if (!lease.unfinished.empty()) {  // only where tokens are used twice
    job.leased -= lease.unfinished.count();
    worker.leased_tasks -= lease.unfinished.count();
    worker.share(job.id).leased -= lease.unfinished.count();
    worker.digest ^= digest_of(token);
  }
  lease = {
      token, job.id, ++worker.leases_sent, RangeSet{tasks}, attempt, bytes, world.now, false, 0,
      0,     0};
  worker.digest ^= digest_of(token);
  worker.leased_tasks += tasks.count;
  worker.leased_bytes += bytes;
  worker.used.tasks += tasks.count;
  worker.used.bytes += bytes;
  job.leased += tasks.count;
  world.dealt += tasks.count;
  world.dealt_rate.count(world.now, tasks.count);
  charge(world, job, lease);
  lease.fill =
      static_cast<double>(tasks.count) / static_cast<double>(pace_of(job).per_slot * worker.slots);
  put_in_share(worker, job, lease);
  world.touch(worker);
  return lease;
}

HeldLease& hold_again(World& world, Worker& worker, Job& job, AttemptToken token, RangeSet tasks) {
  const std::uint64_t count = tasks.count();
  const std::uint32_t attempt = job.attempt_of(tasks.ranges().front().first);
  HeldLease& lease = worker.leases[token];
  lease = {token, job.id, 0, std::move(tasks), attempt, 0, world.now, false, 0, 0, 0};
  worker.digest ^= digest_of(token);
  worker.leased_tasks += count;
  job.leased += count;
  charge(world, job, lease);
  lease.fill =
      static_cast<double>(count) / static_cast<double>(pace_of(job).per_slot * worker.slots);
  put_in_share(worker, job, lease);
  return lease;
}

double shrink(World& world, Worker& worker, HeldLease& lease,
              const std::vector<IndexRange>& tasks) {
  const std::uint64_t before = lease.unfinished.count();
  for (const IndexRange& range : tasks) lease.unfinished.remove(range);
  const std::uint64_t gone = before - lease.unfinished.count();
  worker.leased_tasks -= gone;
  Job* job = world.job(lease.job);
  double refunded = 0;
  if (job != nullptr) {
    job->leased -= gone;
    refunded = refund(*job, lease, gone, before);
    world.touch(*job);
  }
  take_out_of_share(worker, job, lease, gone, before);
  if (lease.unfinished.empty()) {
    worker.digest ^= digest_of(lease.token);
    worker.leased_bytes -= lease.bytes;
    worker.leases.erase(AttemptToken(lease.token));
    if (worker.leases.empty()) worker.alone = false;
  }
  world.touch(worker);
  return refunded;
}

void free_tasks(World& world, Job& job, IndexRange tasks) {
  const std::vector<IndexRange> unfinished = job.done.absent(tasks);
  if (unfinished.empty()) return;
  if (job.cancelled) {
    record_cancelled(world, job, unfinished);
    return;
  }
  for (const IndexRange& range : unfinished) {
    job.make_ready(range);
    if (!job.options.spec.at_most_once) continue;
    for (TaskIndex at = range.first; at < range.end(); at = at + 1)
      world.write(PutDealt{job.id, at, false});
  }
  world.work_appeared = true;
  world.touch(job);
}

void release(World& world, Worker& worker, AttemptToken token) {
  const auto it = worker.leases.find(token);
  if (it == worker.leases.end()) return;
  const std::vector<IndexRange> left = it->second.unfinished.ranges();
  Job* job = world.job(it->second.job);
  shrink(world, worker, it->second, left);
  if (job == nullptr) return;
  for (const IndexRange& range : left) free_tasks(world, *job, range);
}

void move_lease(World& world, Worker& from, Worker& to, AttemptToken token) {
  auto node = from.leases.extract(token);
  HeldLease& lease = node.mapped();
  const std::uint64_t tasks = lease.unfinished.count();
  from.digest ^= digest_of(lease.token);
  to.digest ^= digest_of(lease.token);
  from.leased_tasks -= tasks;
  to.leased_tasks += tasks;
  from.leased_bytes -= lease.bytes;
  to.leased_bytes += lease.bytes;
  Job* job = world.job(lease.job);
  const double fill = lease.fill;
  take_out_of_share(from, job, lease, tasks, tasks);
  lease.fill = fill;
  if (job != nullptr) put_in_share(to, *job, lease);
  lease.number = 0;
  to.leases.insert(std::move(node));
  to.alone = to.alone || from.alone;
}

}  // namespace fanmill::broker
