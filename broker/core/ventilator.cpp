#include "broker/core/ventilator.hpp"

#include <algorithm>

#include "broker/core/leases.hpp"
#include "broker/core/mutation.hpp"

namespace fanmill::broker {
namespace {

// Fewer tasks than so much work are not worth a lease of their own, near the end of a job.
constexpr double kLeastLeaseNs = 50e3;
// A source that gave nothing for so long, although it could, is taken for the end of the input.
constexpr std::chrono::milliseconds kIdleSource{5};
// Recalling less than so much work per slot costs more than it saves.
constexpr double kLeastRecallNs = 500e3;
constexpr std::chrono::seconds kRecallGivenUpAfter{1};

// How many tasks of a job make a batch, and how many belong at each slot.
struct Pace {
  std::uint64_t batch = 1;
  std::uint64_t per_slot = 2;
};

std::uint64_t tasks_in(std::chrono::nanoseconds time, double mean_ns) {
  return static_cast<std::uint64_t>(static_cast<double>(time.count()) / mean_ns);
}

Pace pace_of(const Job& job) {
  if (!job.measured) return {};
  Pace pace;
  pace.batch =
      std::clamp<std::uint64_t>(tasks_in(limits::kBatchTime, job.mean_ns), 1, job.batch_limit);
  const std::uint64_t ahead =
      std::clamp<std::uint64_t>(tasks_in(limits::kPrefetchTime, job.mean_ns), 1, 2 * pace.batch);
  pace.per_slot = pace.batch + ahead;
  return pace;
}

// Guided self-scheduling: near the end no slot gets more than its part of what is left, so that
// none idles while another holds a queue.
Pace guided(const World& world, const Job& job) {
  Pace pace = pace_of(job);
  const bool idle = world.now - job.submitted_at > kIdleSource;
  if (!job.closed && !idle) return pace;
  const std::uint64_t left = job.ready.count() + (job.next_index - job.fresh.value);
  const std::uint64_t part = left / (2 * std::max<std::uint64_t>(world.total_slots, 1));
  const auto least = job.measured ? static_cast<std::uint64_t>(kLeastLeaseNs / job.mean_ns) : 1;
  const std::uint64_t most = std::max<std::uint64_t>({part, least, 1});
  const std::uint64_t ahead = std::min(pace.per_slot - pace.batch, most);
  pace.batch = std::min(pace.batch, most);
  pace.per_slot = pace.batch + ahead;
  return pace;
}

bool may_deal_fresh(const World& world, const Job& job) {
  return job.fresh.value < job.next_index && !reader_holds_up(world, job);
}

bool may_deal(const World& world, const Job& job) {
  if (job.stands_still()) return false;
  return !job.ready.empty() || may_deal_fresh(world, job);
}

// How full the worker is of other jobs' tasks, 1 being all it should hold.
double filled_by_others(World& world, const Worker& worker, JobId than) {
  double filled = 0;
  for (const Share& share : worker.shares) {
    if (share.leased == 0 || share.job == than) continue;
    const Job* job = world.job(share.job);
    if (job == nullptr) continue;
    filled += static_cast<double>(share.leased) /
              static_cast<double>(pace_of(*job).per_slot * worker.slots);
  }
  return filled;
}

// How many tasks of the job the worker should be given now; 0 if it has enough.
std::uint64_t wanted(World& world, const Worker& worker, const Share& share, const Job& job) {
  const Pace pace = guided(world, job);
  const double room = 1 - filled_by_others(world, worker, job.id);
  const auto aim = static_cast<std::uint64_t>(
      std::max(0.0, room * static_cast<double>(pace.per_slot * worker.slots)));
  const bool starving = worker.leased_tasks < worker.slots;
  std::uint64_t lacking = aim > share.leased ? aim - share.leased : 0;
  if (starving) lacking = std::max<std::uint64_t>(lacking, 1);
  if (lacking == 0 || (!starving && lacking * 2 < pace.batch)) return 0;
  std::uint64_t tasks = std::min(pace.batch, lacking);
  if (!mutated(Mutation::kExceedCredit)) {
    const std::uint64_t credit =
        worker.credit.tasks > worker.used.tasks ? worker.credit.tasks - worker.used.tasks : 0;
    tasks = std::min(tasks, credit);
  }
  return tasks;
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
  Share& share = worker.share(job.id, job.options.spec.function);
  if (!share.bound) {
    lease.spec.push_back(job.options.spec);
    share.bound = true;
  }
  // A lease must not overtake an earlier one of the same session.
  const bool durable = cut.chunk->write <= world.durable && worker.after_until <= world.durable;
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

bool goes_before(const Job& a, const Job& b) {
  if (a.options.priority != b.options.priority) return a.options.priority > b.options.priority;
  if (a.leased != b.leased) return a.leased < b.leased;
  return a.id < b.id;
}

// Gives the worker one lease of the job whose turn it is; false if there is none for it.
bool serve(World& world, Worker& worker) {
  if (!worker.may_be_given()) return false;
  Job* chosen = nullptr;
  std::uint64_t tasks = 0;
  for (const auto& [id, job] : world.active) {
    if (chosen != nullptr && !goes_before(*job, *chosen)) continue;
    if (!may_deal(world, *job)) continue;
    const Share& share = worker.share(id, job->options.spec.function);
    if (!share.offered) continue;
    const std::uint64_t lacking = wanted(world, worker, share, *job);
    if (lacking == 0) continue;
    chosen = job;
    tasks = lacking;
  }
  if (chosen == nullptr) return false;
  const Cut cut = cut_next(world, worker, *chosen, tasks);
  if (cut.tasks.empty()) {
    worker.stuffed = true;
    return false;
  }
  send_lease(world, worker, *chosen, cut);
  world.touch(*chosen);
  return true;
}

bool anything_to_deal(const World& world) {
  return std::any_of(world.active.begin(), world.active.end(),
                     [&world](const auto& entry) { return may_deal(world, *entry.second); });
}

// The emptiest worker first, one lease at a time, so that few tasks spread over many.
void deal_to_all(World& world) {
  std::uint64_t fullest = 0;  // no worker that holds more per slot wants anything
  for (const auto& [id, job] : world.active)
    if (may_deal(world, *job)) fullest = std::max(fullest, pace_of(*job).per_slot);
  auto it = world.by_load.begin();
  while (it != world.by_load.end() && anything_to_deal(world)) {
    Worker& worker = *std::get<2>(*it);
    if (worker.leased_tasks > fullest * worker.slots) break;
    const auto following = std::next(it);
    const bool last = following == world.by_load.end();
    const auto place = last ? std::tuple<std::uint64_t, std::uint64_t, Worker*>{} : *following;
    if (!serve(world, worker)) {
      it = following;
      continue;
    }
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

// Asks the fullest worker for half of what it has not started, once for all idle slots it can help.
bool recall_from(World& world, Worker& victim, const Worker& idle) {
  if (victim.recall_until || victim.recall_not_before > world.now) return false;
  const Share* fullest = nullptr;
  for (const Share& share : victim.shares) {
    const Job* job = world.job(share.job);
    if (job == nullptr || job->stopped || share.leased == 0) continue;
    if (idle.offer(job->options.spec.function) == nullptr) continue;
    if (fullest == nullptr || share.leased > fullest->leased) fullest = &share;
  }
  if (fullest == nullptr) return false;
  const Job& job = *world.job(fullest->job);
  const std::uint64_t unstarted = std::min(fullest->leased, victim.leased_tasks - victim.slots);
  if (job.measured && static_cast<double>(unstarted) * job.mean_ns <
                          kLeastRecallNs * static_cast<double>(victim.slots))
    return false;
  victim.recall_until = world.now + kRecallGivenUpAfter;
  world.timers.arm(*victim.recall_until, TimerKind::kWorker, victim.session.value);
  world.send_now(victim.peer, victim.session,
                 ToWorker{Recall{++victim.recalls, job.id, (unstarted + 1) / 2}});
  return true;
}

// Idle slots that credit keeps empty are not helped by a recall: what comes back would go out again
// to where it came from.
const Worker* idle_worker(const World& world) {
  for (const auto& [load, ordinal, worker] : world.by_load) {
    if (load > 0 && worker->leased_tasks >= worker->slots) return nullptr;
    const bool has_credit =
        worker->used.tasks < worker->credit.tasks && (!worker->stuffed || worker->leases.empty());
    if (worker->leased_tasks < worker->slots && has_credit) return worker;
  }
  return nullptr;
}

void recall_for_idle(World& world) {
  if (world.by_load.size() < 2) return;
  const Worker* idle = idle_worker(world);
  if (idle == nullptr) return;
  for (auto it = world.by_load.rbegin(); it != world.by_load.rend(); ++it) {
    Worker& victim = *std::get<2>(*it);
    if (victim.leased_tasks <= victim.slots) return;
    if (recall_from(world, victim, *idle)) return;
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
    deal_to_all(world);
  } else {
    deal_to_changed(world);
  }
  recall_for_idle(world);
  for (Worker* worker : std::exchange(world.dirty, {})) worker->dirty = false;
}

}  // namespace fanmill::broker
