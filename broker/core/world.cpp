#include "broker/core/world.hpp"

#include <algorithm>

namespace fanmill::broker {
namespace {
// JobStatus is sent at most this often.
constexpr std::chrono::milliseconds kStatusEvery{250};
constexpr std::uint64_t kLoadUnit = 1024;  // of one leased task per slot
}  // namespace

SessionId World::next_session() {
  // Peers cannot guess it, and no other life of the broker hands it out.
  const std::uint64_t mixed =
      digest_of({config.life.epoch, config.seed * 0x9e3779b97f4a7c15U + ++sessions_opened});
  return {mixed == 0 ? 1 : mixed};
}

bool World::knows(AttemptToken token) const {
  const Life life = life_of(token);
  return life == config.life ? token <= last_token()
                             : std::binary_search(lives.begin(), lives.end(), life);
}

void World::write_state(const Job& job) {
  write(PutState{job.id, job.cancelled, job.held, job.order, TaskIndex{job.horizon}, job.signature,
                 job.cancel_grace_ms, job.halted});
}

void World::touch(Job& job) {
  if (!job.dirty) {
    job.dirty = true;
    dirty_jobs.push_back(job.id);
  }
  if (!job.status_armed && !job.readers.empty()) {
    job.status_armed = true;
    timers.arm(now + kStatusEvery, TimerKind::kStatus, job.id.value);
  }
}

void World::touch(Worker& worker) {
  if (!worker.may_be_given()) {
    unlist(worker);
    return;
  }
  worker.load_key = worker.leased_tasks * kLoadUnit / worker.slots;
  if (!worker.listed) {
    total_slots += worker.slots;
    for (Line* line : worker.lines) line->slots += worker.slots;
    worker.listed = true;
    worker.listed_load = worker.load_key;
    by_load.insert({worker.listed_load, worker.ordinal, &worker});
  }
  if (!worker.dirty) {
    worker.dirty = true;
    dirty.push_back(&worker);
  }
}

void World::list_by_load(Worker& worker) {
  if (!worker.listed || worker.listed_load == worker.load_key) return;
  auto node = by_load.extract({worker.listed_load, worker.ordinal, &worker});
  worker.listed_load = std::get<0>(node.value()) = worker.load_key;
  by_load.insert(std::move(node));
}

void World::unlist(Worker& worker) {
  if (worker.listed) {
    by_load.erase({worker.listed_load, worker.ordinal, &worker});
    total_slots -= worker.slots;
    for (Line* line : worker.lines) line->slots -= worker.slots;
    worker.listed = false;
  }
  if (worker.dirty) {
    worker.dirty = false;
    dirty.erase(std::remove(dirty.begin(), dirty.end(), &worker), dirty.end());
  }
}

const FunctionOffer* Worker::offer(const std::string& function) const {
  for (const FunctionOffer& offered : offers)
    if (offered.name == function) return &offered;
  return nullptr;
}

namespace {
bool before(const Share& share, JobId job) { return share.job < job; }
bool below(const Fill& fill, std::int32_t priority) { return fill.priority < priority; }
}  // namespace

Share* Worker::find_share(JobId job) {
  const auto it = std::lower_bound(shares.begin(), shares.end(), job, before);
  return it == shares.end() || it->job != job ? nullptr : &*it;
}

Share& Worker::share(JobId job) {
  const auto it = std::lower_bound(shares.begin(), shares.end(), job, before);
  if (it != shares.end() && it->job == job) return *it;
  Share share;
  share.job = job;
  return *shares.insert(it, share);
}

void Worker::forget_share(JobId job) {
  const auto it = std::lower_bound(shares.begin(), shares.end(), job, before);
  if (it == shares.end() || it->job != job) return;
  if (it->recall != 0) --recalls_out;
  shares.erase(it);
}

void Worker::fill_up(std::int32_t priority, std::uint64_t tasks, double by) {
  auto it = std::lower_bound(fill.begin(), fill.end(), priority, below);
  if (it == fill.end() || it->priority != priority) it = fill.insert(it, {priority, 0, 0});
  it->tasks += tasks;
  it->fill += by;
}

void Worker::drain_off(std::int32_t priority, std::uint64_t tasks, double by) {
  const auto it = std::lower_bound(fill.begin(), fill.end(), priority, below);
  if (it == fill.end() || it->priority != priority) return;
  it->tasks -= tasks;
  it->fill -= by;
  if (it->tasks == 0) fill.erase(it);
}

}  // namespace fanmill::broker
