#include "broker/core/ventilator.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "broker/core/eligibility.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pace.hpp"
#include "broker/core/recalls.hpp"

namespace fanmill::broker {
namespace {

// Fewer tasks than so much work are not worth a lease of their own, near the end of a job.
constexpr double kLeastLeaseNs = 50e3;
// A source that gave nothing for so long, although it could, is taken for the end of the input.
constexpr std::chrono::milliseconds kIdleSource{5};
// Recalling less than so much work per slot costs more than it saves.
constexpr double kLeastRecallNs = 500e3;
// What a worker should hold, but for what adding up parts of it loses.
constexpr double kFull = 1 - 1e-9;
// Of one line, jobs that were served least and yet may have enough at a worker.
constexpr std::size_t kTurnsSeen = 8;
// Idle workers of different offers or labels that a recall is tried for in one turn.
constexpr std::size_t kIdleTried = 8;

// Guided self-scheduling: near the end no slot gets more than its part of what is left, so that
// none idles while another holds a queue.
Pace guided(const World& world, const Job& job) {
  Pace pace = pace_of(job);
  const bool idle = world.now - job.submitted_at > kIdleSource;
  if (!job.closed && !idle) return pace;
  const std::uint64_t left = job.ready.count() + (job.next_index - job.fresh.value);
  const std::uint64_t part = left / (2 * std::max<std::uint64_t>(job.line->slots, 1));
  const auto least = job.measured ? static_cast<std::uint64_t>(kLeastLeaseNs / job.mean_ns) : 1;
  const std::uint64_t most = std::max<std::uint64_t>({part, least, 1});
  const std::uint64_t ahead = std::min(pace.per_slot - pace.batch, most);
  pace.batch = std::min(pace.batch, most);
  pace.per_slot = pace.batch + ahead;
  return pace;
}

// How full the worker is of tasks that this job does not go before, 1 being all it should hold.
double filled_by_others(const Worker& worker, const Share* share, const Job& job) {
  if (share != nullptr && share->leased == worker.leased_tasks) return 0;
  double filled = 0;
  for (const Fill& of : worker.fill)
    if (of.priority >= job.options.priority) filled += of.fill;
  return std::max(0.0, filled - (share == nullptr ? 0 : share->fill));
}

// Whether another worker is emptied for a suspect of this job.
bool clears_elsewhere(const World& world, const Job& job, const Worker& worker) {
  const auto it = world.worker_at.find(job.clearing);
  if (it == world.worker_at.end() || it->second == &worker) return false;
  return it->second->may_be_given() && it->second->clearing == job.id;
}

// Whether it has something for this worker beside tasks that anybody may have: a suspect, or a task
// that crashed at another host.
bool has_for(const World& world, const Job& job, const Worker& worker) {
  if (!job.alone_ready.empty() && (worker.leases.empty() || !clears_elsewhere(world, job, worker)))
    return true;
  if (job.avoiding.empty()) return false;
  const std::uint64_t host = digest_of_host(worker.host);
  return std::any_of(job.avoiding.begin(), job.avoiding.end(),
                     [&](std::uint64_t index) { return job.exceptions.at(index).avoids != host; });
}

// What a job wants of a worker.
struct Want {
  bool enough = true;     // it has here what belongs here: it is passed over
  std::uint64_t tasks{};  // to be given at once; none where others leave no room, or no credit
  bool has_room = false;
};

Want wanted(const World& world, Worker& worker, const Job& job) {
  if (job.ready.empty() && !may_deal_fresh(world, job) && !has_for(world, job, worker)) return {};
  const bool once = job.options.spec.at_most_once && !mutated(Mutation::kDealAheadAtMostOnce);
  if (once && worker.leased_tasks >= worker.slots) return {};
  const Share* share = worker.find_share(job.id);
  const std::uint64_t leased = share == nullptr ? 0 : share->leased;
  const Pace pace = guided(world, job);
  const std::uint64_t alone = pace.per_slot * worker.slots;
  const bool starving = worker.leased_tasks < worker.slots;
  std::uint64_t lacking = alone > leased ? alone - leased : 0;
  if (starving) lacking = std::max<std::uint64_t>(lacking, 1);
  if (lacking == 0) return {};
  const double others = filled_by_others(worker, share, job);
  if (others > 0) {
    const auto aim = static_cast<std::uint64_t>(
        std::ceil(std::max(0.0, (kFull - others) * static_cast<double>(alone))));
    lacking = std::max<std::uint64_t>(aim > leased ? aim - leased : 0, starving ? 1 : 0);
  }
  if (lacking == 0 || (!starving && lacking * 2 < pace.batch)) return {false, 0, false};
  std::uint64_t tasks = std::min(pace.batch, lacking);
  if (!mutated(Mutation::kExceedCredit)) {
    const std::uint64_t credit =
        worker.credit.tasks > worker.used.tasks ? worker.credit.tasks - worker.used.tasks : 0;
    tasks = std::min(tasks, credit);
  }
  if (once) tasks = std::min<std::uint64_t>(tasks, 1);
  return {false, tasks, true};
}

bool bytes_fit(const Worker& worker, std::uint64_t bytes) {
  // What is beyond all credit may go alone.
  if (worker.leases.empty()) return true;
  if (worker.used.bytes + bytes > worker.credit.bytes && !mutated(Mutation::kExceedCredit))
    return false;
  const bool starving = worker.leased_tasks < worker.slots;
  return starving || worker.leased_bytes + bytes <= worker.slots * limits::kInFlightBytesPerSlot;
}

// The next tasks of a job, at most so many, cut to what the worker has room for.
struct Cut {
  IndexRange tasks;
  Chunk* chunk = nullptr;
  ChunkSlice slice;
};

Cut cut_next(const World& world, const Worker& worker, Job& job, std::uint64_t most) {
  Cut cut;
  cut.tasks = job.next_tasks(most, may_deal_fresh(world, job));
  if (cut.tasks.empty()) return cut;
  cut.chunk = job.chunk_of(cut.tasks.first);
  for (;;) {
    cut.slice = cut.chunk->table.slice(cut.tasks.first - cut.chunk->first, cut.tasks.count);
    if (bytes_fit(worker, cut.slice.bytes)) return cut;
    if (cut.tasks.count == 1) return {};
    cut.tasks.count = (cut.tasks.count + 1) / 2;
  }
}

// Before a task is dealt for the first time the store knows that it may have been: after a restart
// it is awaited, and all others are dealt at once. Raised ahead of use, so that leases seldom wait.
bool horizon_covers(World& world, Job& job, TaskIndex end) {
  if (job.horizon_write <= world.durable) job.horizon_safe = job.horizon;
  const std::uint64_t ahead = std::max(kHorizonAhead, 2 * job.leased);
  if (end.value + ahead / 2 > job.horizon) {
    job.horizon = end.value + ahead;
    world.write_state(job);
    job.horizon_write = world.writes;
  }
  return end.value <= job.horizon_safe || mutated(Mutation::kLowHorizon);
}

void send_lease(World& world, Worker& worker, Job& job, const Cut& cut) {
  const HeldLease& held = grant(world, worker, job, cut.tasks, cut.slice.bytes);
  Lease lease;
  lease.lease = held.number;
  lease.job = job.id;
  lease.token = held.token;
  lease.first = cut.tasks.first;
  lease.count = cut.tasks.count;
  lease.skip = cut.slice.skip;
  lease.attempt = held.attempt;
  lease.blocks = cut.chunk->table.blocks(cut.slice.first_block, cut.slice.last_block);
  Share& share = worker.share(job.id);
  if (!share.bound) {
    lease.spec.push_back(job.options.spec);
    share.bound = true;
  }
  // A lease must not overtake an earlier one of the same session.
  // That it may have run must be known before it can.
  const bool once = job.options.spec.at_most_once;
  if (once) world.write(PutDealt{job.id, cut.tasks.first, true});
  const bool covered = !once && horizon_covers(world, job, cut.tasks.end());
  const bool durable = cut.chunk->write <= world.durable && worker.after_until <= world.durable &&
                       job.bound_write <= world.durable && covered;
  if (!durable) worker.after_until = world.writes;
  Outgoing out{worker.peer,
               worker.session,
               ToWorker{std::move(lease)},
               ChunkBytes{job.id, cut.chunk->first, cut.slice.offset, cut.slice.bytes},
               {}};
  auto& queue = durable || mutated(Mutation::kLeaseBeforeDurable) ? world.duties.send_now
                                                                  : world.duties.send_after;
  queue.push_back(std::move(out));
}

// A suspect of this job runs alone: at a worker that holds nothing, or that is given nothing more
// until then. True: it was dealt.
bool deal_alone(World& world, Worker& worker, Job& job) {
  if (!worker.leases.empty()) {
    if (!clears_elsewhere(world, job, worker)) {
      job.clearing = worker.session;
      worker.clearing = job.id;
    }
    return false;
  }
  if (worker.used.tasks >= worker.credit.tasks) return false;
  Cut cut;
  cut.tasks = job.alone_ready.next_run({}, 1);
  cut.chunk = job.chunk_of(cut.tasks.first);
  cut.slice = cut.chunk->table.slice(cut.tasks.first - cut.chunk->first, 1);
  worker.clearing.reset();
  worker.alone = !mutated(Mutation::kSuspectsTogether);
  bind_to(world, job, worker);
  send_lease(world, worker, job, cut);
  place(world, job);
  world.touch(job);
  return true;
}

// It is being emptied for a suspect that is still there.
bool clears(const World& world, Worker& worker) {
  if (!worker.clearing) return false;
  const auto it = world.jobs.find(*worker.clearing);
  const bool still = it != world.jobs.end() && !it->second->alone_ready.empty() &&
                     may_deal(world, *it->second) && can_run(worker, *it->second);
  if (!still) worker.clearing.reset();
  return still;
}

// Tasks that crashed elsewhere need wait no longer.
void take_avoiding(Job& job, const Worker& worker) {
  const std::uint64_t host = digest_of_host(worker.host);
  for (auto it = job.avoiding.begin(); it != job.avoiding.end();) {
    const auto exception = job.exceptions.find(*it++);
    if (exception->second.avoids == host) continue;
    job.forget_delay(exception);
    job.make_ready({TaskIndex{exception->first}, 1});
  }
}

// A job of which nothing is known may have tasks that never end: beside others it gets its part of
// the slots, and no more before the first report.
bool knows_too_little(const Worker& worker, const Job& job) {
  if (job.measured) return false;
  std::size_t waiting = 0;
  for (const Line* line : worker.lines) waiting += line->waiting.size();
  return waiting > 1 && job.leased >= std::max<std::uint64_t>(1, job.line->slots / waiting);
}

struct Choice {
  Job* job = nullptr;
  Want want;
  const Job* next = nullptr;  // whose turn is after it
};

void consider(Choice& choice, Job& job, Want want) {
  const bool before = choice.job == nullptr ||
                      std::pair(job.time, job.id) < std::pair(choice.job->time, choice.job->id);
  const Job* later = before ? choice.job : &job;
  if (later != nullptr && (choice.next == nullptr || later->time < choice.next->time))
    choice.next = later;
  if (!before) return;
  choice.job = &job;
  choice.want = want;
}

// The job whose turn it is at this worker: of the highest priority that waits for it, the one that
// was served least of those that lack something here; where there is no room for it, there is none
// for those after it. While a job waits, no lower one is dealt to where it can run.
Choice choose(const World& world, Worker& worker) {
  std::optional<std::int32_t> priority;
  for (const Line* line : worker.lines) {
    if (line->waiting.empty()) continue;
    const std::int32_t highest = line->waiting.begin()->priority;
    if (!priority || highest > *priority) priority = highest;
  }
  Choice choice;
  Choice reserve;  // those of which nothing is known, if nobody else wants anything
  for (const Line* line : worker.lines) {
    std::size_t seen = 0;
    bool found = false;
    for (const Line::Turn& turn : line->waiting) {
      if (turn.priority != *priority && !mutated(Mutation::kIgnorePriority)) break;
      if (++seen > kTurnsSeen) break;
      const Want want = wanted(world, worker, *turn.job);
      if (want.enough) continue;
      if (knows_too_little(worker, *turn.job)) {
        consider(reserve, *turn.job, want);
        continue;
      }
      consider(choice, *turn.job, want);
      if (std::exchange(found, true)) break;  // it and the one after it
    }
  }
  return choice.job == nullptr ? reserve : choice;
}

// Gives the worker one lease of the job whose turn it is; false if there is none for it.
bool serve(World& world, Worker& worker) {
  if (!worker.may_be_given() || worker.alone) return false;
  if (clears(world, worker))
    return worker.leases.empty() && deal_alone(world, worker, *world.job(*worker.clearing));
  const Choice choice = choose(world, worker);
  if (choice.job == nullptr) return false;
  Job& job = *choice.job;
  // First: what is asked back is not to run before what is dealt now.
  if (choice.want.has_room) recall_lower(world, worker, job.options.priority);
  if (choice.want.tasks == 0) return false;
  if (!job.avoiding.empty()) take_avoiding(job, worker);
  if (!job.alone_ready.empty()) {
    if (worker.leases.empty()) return deal_alone(world, worker, job);
    const bool cleared = deal_alone(world, worker, job) || worker.clearing.has_value();
    if (cleared || (job.ready.empty() && !may_deal_fresh(world, job))) return false;
  }
  const Cut cut = cut_next(world, worker, job, choice.want.tasks);
  if (cut.tasks.empty()) {
    worker.stuffed = true;
    return false;
  }
  if (choice.next != nullptr) forgive(world, job, *choice.next);
  bind_to(world, job, worker);
  send_lease(world, worker, job, cut);
  place(world, job);
  world.touch(job);
  return true;
}

// The most tasks per slot that anybody who waits wants; nothing if nobody waits.
std::optional<std::uint64_t> fullest_wanted(const World& world) {
  std::optional<std::uint64_t> fullest;
  for (const auto& [demand, line] : world.lines)
    if (!line->waiting.empty()) fullest = std::max(fullest.value_or(0), line->fullest);
  return fullest;
}

// The emptiest worker first, one lease at a time, so that few tasks spread over many.
void deal_to_all(World& world) {
  auto it = world.by_load.begin();
  while (it != world.by_load.end()) {
    const std::optional<std::uint64_t> fullest = fullest_wanted(world);
    if (!fullest) return;
    Worker& worker = *std::get<2>(*it);
    if (worker.leased_tasks > *fullest * worker.slots) break;  // nor does any after it want more
    const auto following = std::next(it);
    const bool last = following == world.by_load.end();
    const auto place = last ? std::tuple<std::uint64_t, std::uint64_t, Worker*>{} : *following;
    if (!serve(world, worker)) {
      it = following;
      continue;
    }
    world.list_by_load(worker);
    // It has moved back in the line; go on with whoever is the emptiest of the rest and itself.
    const std::tuple<std::uint64_t, std::uint64_t, Worker*> self{worker.load_key, worker.ordinal,
                                                                 &worker};
    it = last || self < place ? world.by_load.find(self) : following;
  }
}

void deal_to_changed(World& world) {
  using Place = std::pair<std::uint64_t, std::uint64_t>;
  std::vector<std::pair<Place, Worker*>> heap;
  const auto later = [](const auto& a, const auto& b) { return a.first > b.first; };
  for (Worker* worker : world.dirty) heap.push_back({{worker->load_key, worker->ordinal}, worker});
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Worker& worker = *heap.back().second;
    if (!serve(world, worker)) {
      heap.pop_back();
      continue;
    }
    heap.back().first = {worker.load_key, worker.ordinal};
    std::push_heap(heap.begin(), heap.end(), later);
  }
}

// Asks the worker for half of what it has not started, once for all idle slots it can help.
bool recall_from(World& world, Worker& victim, const Worker& idle) {
  if (victim.recalls_out > 0 || victim.recall_not_before > world.now) return false;
  Share* fullest = nullptr;
  for (Share& share : victim.shares) {
    if (share.leased == 0 || (fullest != nullptr && share.leased <= fullest->leased)) continue;
    const Job* job = world.job(share.job);
    if (job == nullptr || job->stopped || job->stands_still() || !can_run(idle, *job)) continue;
    fullest = &share;
  }
  if (fullest == nullptr) return false;
  const Job& job = *world.job(fullest->job);
  const std::uint64_t unstarted = std::min(fullest->leased, victim.leased_tasks - victim.slots);
  if (job.measured && static_cast<double>(unstarted) * job.mean_ns <
                          kLeastRecallNs * static_cast<double>(victim.slots))
    return false;
  ask_back(world, victim, *fullest, (unstarted + 1) / 2);
  return true;
}

// Asks the fullest worker that can help it.
bool recall_for(World& world, const Worker& idle) {
  for (auto it = world.by_load.rbegin(); it != world.by_load.rend(); ++it) {
    Worker& victim = *std::get<2>(*it);
    if (victim.leased_tasks <= victim.slots) return false;
    if (recall_from(world, victim, idle)) return true;
  }
  return false;
}

// Idle slots that credit keeps empty are not helped by a recall: what comes back would go out again
// to where it came from. Of idle workers that can run the same, one is tried.
void recall_for_idle(World& world) {
  if (world.by_load.size() < 2) return;
  const std::vector<Line*>* tried[kIdleTried] = {};
  std::size_t tries = 0;
  for (const auto& [load, ordinal, worker] : world.by_load) {
    if (load > 0 && worker->leased_tasks >= worker->slots) return;
    const bool has_credit =
        worker->used.tasks < worker->credit.tasks && (!worker->stuffed || worker->leases.empty());
    if (worker->leased_tasks >= worker->slots || !has_credit || worker->lines.empty()) continue;
    if (worker->alone || worker->clearing) continue;
    const auto same = [&](const std::vector<Line*>* lines) { return *lines == worker->lines; };
    if (std::any_of(tried, tried + tries, same)) continue;
    if (recall_for(world, *worker)) return;
    tried[tries++] = &worker->lines;
    if (tries == kIdleTried) return;
  }
}

}  // namespace

bool reader_holds_up(const World& world, const Job& job) {
  if (!job.options.forget_when_delivered) return false;
  return job.unacknowledged_bytes > world.config.results_cap ||
         std::max(job.rows.size(), job.log.size()) > world.config.unread_batches_max;
}

void dispatch(World& world) {
  if (!world.work_appeared && world.dirty.empty()) return;
  if (std::exchange(world.work_appeared, false)) {
    for (Worker* worker : world.dirty) world.list_by_load(*worker);
    deal_to_all(world);
  } else {
    deal_to_changed(world);
    for (Worker* worker : world.dirty) world.list_by_load(*worker);
  }
  recall_for_idle(world);
  for (Worker* worker : std::exchange(world.dirty, {})) worker->dirty = false;
}

}  // namespace fanmill::broker
