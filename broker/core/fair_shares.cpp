#include "broker/core/fair_shares.hpp"

#include <algorithm>
#include <limits>

#include "broker/core/eligibility.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pace.hpp"
#include "broker/core/ventilator.hpp"

namespace fanmill::broker {
namespace {

// For a task of which nothing is known: much, so that an hour's tasks do not take every slot before
// the first of them is reported.
constexpr double kUnknownTaskNs = 1e9;
// What a job may be owed, of the time of all slots, and in its own tasks.
constexpr double kOwedNs = 10e9;
constexpr double kOwedTasks = 2;

// Its time but for what the charge of a task that nobody knows anything of makes of it: that is
// taken back with the first report, and must not be what others are measured by.
double known_time(const Job& job) {
  return job.measured ? job.time : job.time - static_cast<double>(job.leased) * kUnknownTaskNs;
}

// The least time of those that wait at this priority for the same slots, or most of them.
double least_beside(World& world, const Job& job) {
  double least = std::numeric_limits<double>::infinity();
  const Line::Turn first{job.options.priority, -least, {}, nullptr};
  std::uint64_t slots = 0;
  for (const auto& [line, shared] : rivals_of(world, *job.line)) {
    if (shared < slots) break;
    const auto turn = line->waiting.lower_bound(first);
    if (turn == line->waiting.end() || turn->priority != job.options.priority) continue;
    least = std::min(least, known_time(*turn->job));
    slots = shared;
  }
  return least;
}

void leave(Job& job) {
  job.line->waiting.erase({job.options.priority, job.placed, job.id, &job});
  job.waiting = false;
  if (job.line->waiting.empty()) job.line->fullest = 0;
}

}  // namespace

bool may_deal_fresh(const World& world, const Job& job) {
  return job.fresh.value < job.next_index && !reader_holds_up(world, job);
}

bool may_deal(const World& world, const Job& job) {
  if (job.stands_still() && !mutated(Mutation::kDealPaused)) return false;
  return !job.ready.empty() || !job.alone_ready.empty() || !job.avoiding.empty() ||
         may_deal_fresh(world, job);
}

void place(World& world, Job& job) {
  if (job.line == nullptr) return;
  if (!may_deal(world, job)) {
    if (job.waiting) leave(job);
    return;
  }
  Line& line = *job.line;
  if (!job.waiting) {
    const double least = least_beside(world, job);
    const bool alone = least == std::numeric_limits<double>::infinity();
    job.time = std::max(job.time, alone ? world.last_time[job.options.priority] : least);
    job.waiting = true;
    job.placed = job.time;
    line.waiting.insert({job.options.priority, job.placed, job.id, &job});
  } else if (job.placed != job.time) {
    auto node = line.waiting.extract({job.options.priority, job.placed, job.id, &job});
    job.placed = node.value().time = job.time;
    line.waiting.insert(std::move(node));
  }
  line.fullest = std::max(line.fullest, pace_of(job).per_slot);
}

void charge(World& world, Job& job, HeldLease& lease) {
  double& last = world.last_time[job.options.priority];
  last = std::max(last, known_time(job));
  lease.charged =
      static_cast<double>(lease.unfinished.count()) * (job.measured ? job.mean_ns : kUnknownTaskNs);
  lease.ran_ns = 0;
  job.time += lease.charged;
}

double refund(Job& job, HeldLease& lease, std::uint64_t gone, std::uint64_t before) {
  if (gone == 0) return 0;
  const double part = gone == before
                          ? lease.charged
                          : lease.charged * static_cast<double>(gone) / static_cast<double>(before);
  lease.charged -= part;
  job.time -= part;
  return part;
}

void charge_served(Job& job, double ns) { job.time += ns; }

void charge_running(Job& job, HeldLease& lease, nanoseconds time) {
  lease.ran_ns += static_cast<double>(time.count());
  if (lease.ran_ns <= lease.charged) return;
  job.time += lease.ran_ns - lease.charged;
  lease.charged = lease.ran_ns;
}

void forgive(World& world, Job& behind, const Job& next) {
  const double task = std::max(behind.measured ? behind.mean_ns : kUnknownTaskNs,
                               next.measured ? next.mean_ns : kUnknownTaskNs);
  const double owed = static_cast<double>(world.total_slots) * std::max(kOwedNs, kOwedTasks * task);
  if (next.time - behind.time <= owed) return;
  behind.time = next.time - owed;
  place(world, behind);
}

}  // namespace fanmill::broker
