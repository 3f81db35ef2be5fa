#include "broker/core/claims.hpp"

#include <algorithm>

#include "broker/core/leases.hpp"
#include "broker/core/lifecycle.hpp"
#include "broker/core/losses.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/rounds.hpp"

namespace fanmill::broker {
namespace {

// What a worker may hold goes out of where it waits, but for attempts that were charged already:
// their report is what the worker is about to send again.
void take_waiting(Job& job, IndexRange claimed, AttemptToken token, RangeSet& taken) {
  const auto was_charged = [&](const History& history) {
    return history.charged >= token && !mutated(Mutation::kChargeAgainAfterRestart);
  };
  for (IndexSet* set : {&job.awaited, &job.ready}) {
    if (set->empty()) continue;
    for (const IndexRange& range : set->present(claimed)) {
      RangeSet open(range);
      for (auto it = job.exceptions.lower_bound(range.first.value);
           it != job.exceptions.end() && it->first < range.end().value; ++it)
        if (was_charged(it->second)) open.remove({TaskIndex{it->first}, 1});
      for (const IndexRange& part : open.ranges()) {
        set->remove(part);
        taken.add(part);
      }
    }
  }
}

// Of several claims the highest is kept.
void take_from_lower(World& world, const Job& job, IndexRange claimed, AttemptToken token,
                     RangeSet& taken) {
  for (const auto& [session, other] : world.workers) {
    for (auto it = other->leases.begin(); it != other->leases.end() && it->first < token;) {
      HeldLease& lease = (it++)->second;  // shrinking may end it
      if (lease.job != job.id) continue;
      const std::vector<IndexRange> parts = lease.unfinished.intersection(claimed);
      if (parts.empty()) continue;
      shrink(world, *other, lease, parts);
      for (const IndexRange& part : parts)
        for (const IndexRange& open : job.done.absent(part)) taken.add(open);
    }
  }
}

// The ranges of a claim that can be.
std::vector<IndexRange> known_of(const Job& job, const Claim& claim) {
  std::vector<IndexRange> known;
  for (const IndexRange& range : claim.unfinished)
    if (!range.empty() && range.first < range.end() && range.end() <= job.fresh)
      known.push_back(range);
  return known;
}

}  // namespace

void take_claims(World& world, Worker& worker, std::vector<Claim> claims) {
  // The same task may be in two of them.
  std::stable_sort(claims.begin(), claims.end(),
                   [](const Claim& a, const Claim& b) { return a.token > b.token; });
  std::uint64_t unknown = 0;
  for (const Claim& claim : claims) {
    if (life_of(claim.token) == world.config.life) continue;
    if (!world.knows(claim.token)) {
      ++unknown;
      continue;
    }
    Job* job = world.job(claim.job);
    if (job == nullptr || worker.leases.contains(claim.token)) continue;
    RangeSet taken;
    for (const IndexRange& range : of_this_round(*job, known_of(*job, claim), claim.token)) {
      take_waiting(*job, range, claim.token, taken);
      if (!mutated(Mutation::kKeepLowestClaim))
        take_from_lower(world, *job, range, claim.token, taken);
    }
    if (taken.empty()) continue;
    hold_again(world, worker, *job, claim.token, std::move(taken));
    worker.welcome.keep.push_back(claim.token);
    if (job->awaited.empty()) job->awaited_until.reset();
    world.touch(*job);
  }
  std::sort(worker.welcome.keep.begin(), worker.welcome.keep.end());
  if (unknown > 0)
    world.tell([&] {
      return "worker " + worker.label +
             " has tasks of a life of the broker that this store does "
             "not know: they are dropped, for an older copy of the store cannot tell what became "
             "of them";
    });
}

void await_claims(World& world, Job& job) {
  if (job.awaited.empty()) return;
  job.awaited_until = world.now + world.config.lease_duration + limits::kReconnectMax;
  world.timers.arm(*job.awaited_until, TimerKind::kJob, job.id.value);
}

void end_awaiting(World& world, Job& job) {
  if (!job.awaited_until) return;
  if (*job.awaited_until > world.now) {
    world.timers.arm(*job.awaited_until, TimerKind::kJob, job.id.value);
    return;
  }
  job.awaited_until.reset();
  const std::vector<IndexRange> left = job.awaited.present({TaskIndex{}, job.next_index});
  job.awaited.clear();
  if (mutated(Mutation::kForgetAwaited)) return;
  std::uint64_t count = 0;
  for (const IndexRange& range : left) count += range.count;
  world.tell([&] {
    return name_of(job) + ": nobody has the last " + std::to_string(count) +
           " tasks that may have been under way";
  });
  for (const IndexRange& range : left) {
    if (!job.options.spec.at_most_once) {
      free_tasks(world, job, range);
      continue;
    }
    for (TaskIndex at = range.first; at < range.end(); at = at + 1)
      end_unknown(world, job, at, nullptr, {});
  }
}

void put_off_awaited(World& world, nanoseconds gap) {
  for (const auto& [id, job] : world.active)
    if (job->awaited_until)
      *job->awaited_until =
          std::min(*job->awaited_until + gap,
                   world.now + world.config.lease_duration + limits::kReconnectMax);
}

void forget_awaited(Job& job, IndexRange tasks) {
  job.awaited.remove(tasks);
  if (job.awaited.empty()) job.awaited_until.reset();
}

}  // namespace fanmill::broker
