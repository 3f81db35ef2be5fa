#include "worker/dealer.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "worker/failure_report.hpp"
#include "worker/mutation.hpp"

namespace fanmill::worker {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// An executor without progress for so long is taken to sit in a slow task.
constexpr nanoseconds kStuckMin = milliseconds(2);
// Whether it is what runs now that is to be killed.
constexpr nanoseconds kLookAgainAfter = milliseconds(5);
// Less than this is not worth an executor's stop and start.
constexpr nanoseconds kStealMin = microseconds(200);
// From so many tasks on a sub-batch may grow to whole blocks, which are then not sent twice.
constexpr std::uint64_t kWholeBlocksFrom = 64;

}  // namespace

Dealer::Dealer(std::uint32_t slots, LeaseBook& book, ReportQueue& reports, MonoTime now)
    : book_(book), reports_(reports), slots_(slots) {
  for (Slot& slot : slots_) slot.start_at = now;
}

Slot* Dealer::slot_of(std::uint32_t slot) { return slot < slots_.size() ? &slots_[slot] : nullptr; }

void Dealer::on_ready(const ExecutorReady& ready) {
  Slot* slot = slot_of(ready.slot);
  if (slot == nullptr || slot->life != Slot::Life::kStarting) return;
  if (ready.hello.version != kExecutorProtocolVersion) {
    kill(ready.slot, KillReason::kMisbehaved);
    return;
  }
  slot->life = Slot::Life::kReady;
  slot->failed_starts = 0;
  slot->uses_page = ready.hello.uses_page;
  slot->offers = ready.hello.offers;
}

void Dealer::on_done(const ExecutorDone& event, MonoTime now) {
  Slot* slot = slot_of(event.slot);
  if (slot == nullptr || !slot->busy()) return;
  const executor::Done& done = event.done;
  const bool sane = done.values_bytes <= event.blob.size() &&
                    (done.outcome == Outcome::kSucceeded || done.outcome == Outcome::kFailed);
  const std::optional<Piece> piece =
      sane ? slot->complete(done.position, done.count) : std::nullopt;
  if (!piece) {
    // Positions that it no longer has are the past; anything else is nonsense.
    if (!sane || slot->at(done.position)) kill(event.slot, KillReason::kMisbehaved);
    return;
  }
  slot->progress_at = now;
  if (!slot->busy()) slot->kill_at.reset();
  HeldLease& lease = *piece->lease;
  if (done.outcome == Outcome::kFailed && lease.job->told_to_end) {
    ended_early(event.slot, *piece, now);
    return;
  }
  lease.job->pace.report(done.count, done.run_ns);
  if (lease.job->spec.time_limit_percent != 0 && done.outcome == Outcome::kSucceeded) {
    learn_run_time(*lease.job, done.run_ns / done.count);
  }
  // Of a lease that the broker has given up only a success can still count.
  if (lease.kept || done.outcome == Outcome::kSucceeded) {
    Blob blob = event.blob;
    std::uint64_t values_bytes = done.values_bytes;
    if (done.outcome != Outcome::kSucceeded) {
      blob = with_tuples(blob, values_bytes, *piece, event.slot + 1);
      values_bytes = 0;
    }
    reports_.add(Results{.report = 0,
                         .job = lease.job->id,
                         .token = lease.token,
                         .first = piece->tasks.first,
                         .count = done.count,
                         .outcome = done.outcome,
                         .values_bytes = values_bytes,
                         .run_ns = done.run_ns,
                         .credit = {}},
                 std::move(blob));
  }
  if (mutated(Mutation::kRequeueReported)) last_reported_ = {lease.token, piece->tasks};
  settle(*piece);
}

void Dealer::on_progress(const ExecutorProgress& progress, MonoTime now) {
  Slot* slot = slot_of(progress.slot);
  if (slot == nullptr || !slot->busy()) return;
  if (slot->progress(progress.started, progress.finished)) slot->progress_at = now;
}

void Dealer::on_freed(const ExecutorFreed& freed) {
  Slot* slot = slot_of(freed.slot);
  if (slot == nullptr || slot->stop != Slot::Stop::kAsked) return;
  take_back(slot->freed(freed.from));
  answer_recalls();
}

void Dealer::on_stopped(const ExecutorStopped& stopped) {
  Slot* slot = slot_of(stopped.slot);
  if (slot == nullptr || slot->life == Slot::Life::kStarting) return;
  const bool asked = slot->stop == Slot::Stop::kAsked;
  take_back(slot->stopped(stopped.position));
  // ExecutorFreed is still to come, and finds nothing more.
  if (asked) slot->stop = Slot::Stop::kAsked;
}

void Dealer::drain() {
  draining_ = true;
  give_back(queue_.take_all());
  recall_all_unstarted();
}

void Dealer::kill_what_runs() {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].busy()) kill(i, KillReason::kTimeIsOver);
  }
}

void Dealer::deal(Leave leave, MonoTime now) {
  serve_timers(now);
  if (mutated(Mutation::kStartAfterDeadline)) leave.lease_valid = true;
  if (!leave.lease_valid) {
    recall_all_unstarted();
    return;
  }
  if (leave.reports_flow && recalls_.empty() && !draining_) refill(now);
  steal_from_stuck(now);
  if (leave.reports_flow && recalls_.empty() && !draining_) steal_for_idle();
}

void Dealer::serve_timers(MonoTime now) {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.life == Slot::Life::kDown && slot.start_at && now >= *slot.start_at && !draining_) {
      slot.start_at.reset();
      slot.life = Slot::Life::kStarting;
      slot.begin_process();
      duties_.push_back(StartExecutor{i});
    }
    if (slot.kill_at && now >= *slot.kill_at) kill(i, KillReason::kTimeLimit);
  }
  for (auto it = kills_.begin(); it != kills_.end();) {
    if (now < it->second) {
      ++it;
      continue;
    }
    const Job* job = book_.find_job(it->first);
    bool waits = false;
    for (std::uint32_t i = 0; i < slots_.size() && job != nullptr; ++i) {
      if (!slots_[i].holds(*job)) continue;
      if (slots_[i].runs(*job)) {
        kill(i, KillReason::kStopJob);
      } else if (slots_[i].ready()) {
        waits = true;
      }
    }
    if (waits) {
      it->second = now + kLookAgainAfter;
      ++it;
    } else {
      it = kills_.erase(it);
    }
  }
}

// Idle executors first, then those with one sub-batch, and so on: nobody's second comes before
// somebody's first.
void Dealer::refill(MonoTime now) {
  for (std::size_t depth = 0; depth < 3 && !queue_.empty(); ++depth) {
    for (std::uint32_t i = 0; i < slots_.size() && !queue_.empty(); ++i) deal_to(i, depth, now);
  }
}

bool Dealer::deal_to(std::uint32_t index, std::size_t depth, MonoTime now) {
  Slot& slot = slots_[index];
  const bool stopping = slot.stop != Slot::Stop::kNone && !mutated(Mutation::kDealBeforeStopped);
  if (!slot.ready() || stopping || slot.deals() != depth) return false;
  const Piece& front = queue_.pieces().front();
  const Job& job = *front.lease->job;
  const bool singly = job.singly() || !slot.uses_page;
  if (depth > 0 &&
      (singly || job.pace.depth() <= depth || slot.front().lease->job->pace.depth() <= depth ||
       slot.front().lease->job->singly())) {
    return false;
  }
  const auto offers = [&](const Slot& s) {
    return std::any_of(s.offers.begin(), s.offers.end(),
                       [&](const FunctionOffer& offer) { return offer.name == job.spec.function; });
  };
  // What nobody offers any more is dealt all the same: its failure then says so.
  if (!offers(slot) && std::any_of(slots_.begin(), slots_.end(), offers)) return false;

  std::uint64_t count = 1;
  if (!singly) {
    const std::uint64_t shares = 2 * std::max<std::uint64_t>(1, ready_slots());
    const std::uint64_t share = (queue_.tasks() + shares - 1) / shares;
    count = std::min({front.tasks.count, job.pace.batch(), share});
    if (count >= kWholeBlocksFrom) {
      count = front.lease->whole_blocks(front.tasks.first, count, front.tasks.count);
    }
  }
  hand_over(index, queue_.take_front(count), now);
  return true;
}

void Dealer::hand_over(std::uint32_t index, Piece piece, MonoTime now) {
  Slot& slot = slots_[index];
  const HeldLease& lease = *piece.lease;
  const Job& job = *lease.job;
  if (slot.bound.insert(job.id).second) {
    duties_.push_back(DealBind{index, executor::Bind{job.id, job.spec}});
  }
  TupleSlice tuples = lease.tuples(piece.tasks);
  const std::uint64_t position = slot.next_position();
  duties_.push_back(DealWork{.slot = index,
                             .work = executor::Work{.job = job.id,
                                                    .position = position,
                                                    .first = piece.tasks.first,
                                                    .count = piece.tasks.count,
                                                    .skip = tuples.skip,
                                                    .token = lease.token,
                                                    .attempt = lease.attempt,
                                                    .blob = {}},
                             .blob = std::move(tuples.blob),
                             .end = position + piece.tasks.count});
  slot.dealt(piece, now);
  if (job.singly()) {
    slot.limited_since = now;
    set_limit(slot, job);
  }
}

void Dealer::set_limit(Slot& slot, const Job& job) {
  const auto limit = time_limit_of(job.spec, job.run_times);
  if (!limit) return;
  slot.limit = *limit;
  slot.kill_at = slot.limited_since + limit->limit;
}

// Another success moves the median, and with it the limits of what runs.
void Dealer::learn_run_time(Job& job, std::uint64_t run_ns) {
  job.run_times.add(run_ns);
  for (Slot& slot : slots_) {
    if (slot.ready() && slot.busy() && slot.front().lease->job == &job) set_limit(slot, job);
  }
}

nanoseconds Dealer::patience(const Slot& slot) const {
  const Piece front = slot.front();
  return std::max(kStuckMin, 4 * front.lease->job->pace.expected(front.tasks.count));
}

// What waits behind a slow task goes to whoever is free first, and to the front of the queue.
void Dealer::steal_from_stuck(MonoTime now) {
  if (ready_slots() < 2) return;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.ready() || slot.stop != Slot::Stop::kNone || slot.waiting() == 0) continue;
    if (now - slot.progress_at >= patience(slot)) lower_end(i, slot.waiting_from());
  }
}

void Dealer::steal_for_idle() {
  if (!queue_.empty()) return;
  for (const Slot& idle : slots_) {
    if (!idle.ready() || idle.busy() || idle.stop != Slot::Stop::kNone) continue;
    std::optional<std::uint32_t> victim;
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      if (!slot.ready() || slot.stop != Slot::Stop::kNone || slot.waiting() == 0) continue;
      if (slot.front().lease->job->pace.expected(slot.waiting()) < kStealMin) continue;
      if (!victim || slot.waiting() > slots_[*victim].waiting()) victim = i;
    }
    if (!victim) return;
    const Slot& slot = slots_[*victim];
    lower_end(*victim, slot.next_position() - (slot.waiting() + 1) / 2);
  }
}

void Dealer::recall_all_unstarted() {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.ready() && slot.stop != Slot::Stop::kAsked && slot.unstarted() > 0) {
      lower_end(i, slot.unstarted_from());
    }
  }
}

void Dealer::lower_end(std::uint32_t index, std::uint64_t end) {
  slots_[index].lower_end(end);
  duties_.push_back(LowerEnd{index, end});
}

void Dealer::kill(std::uint32_t index, KillReason reason) {
  Slot& slot = slots_[index];
  slot.kill_at.reset();
  if (slot.life != Slot::Life::kReady && slot.life != Slot::Life::kStarting) return;
  slot.life = Slot::Life::kDying;
  slot.kill_reason = reason;
  duties_.push_back(KillExecutor{index});
}

bool Dealer::watch() const { return busy_slots() > 0; }

std::optional<MonoTime> Dealer::wake_at() const {
  std::optional<MonoTime> at;
  const auto sooner = [&](std::optional<MonoTime> other) {
    if (other && (!at || *other < *at)) at = other;
  };
  const bool steals = ready_slots() >= 2;
  for (const Slot& slot : slots_) {
    if (!draining_ && slot.life == Slot::Life::kDown) sooner(slot.start_at);
    sooner(slot.kill_at);
    if (steals && slot.ready() && slot.stop == Slot::Stop::kNone && slot.waiting() > 0) {
      sooner(slot.progress_at + patience(slot));
    }
  }
  for (const auto& [job, time] : kills_) sooner(time);
  return at;
}

std::vector<RunningTask> Dealer::running() const {
  std::vector<RunningTask> all;
  for (const Slot& slot : slots_) {
    const auto position = slot.running_position();
    if (!position) continue;
    const auto piece = slot.at(*position);
    if (!piece || !piece->lease->kept || all.size() >= limits::kRunningNamedMax) continue;
    all.push_back({piece->lease->job->id, piece->lease->token, piece->tasks.first});
  }
  return all;
}

std::vector<FunctionOffer> Dealer::offers() const {
  std::vector<FunctionOffer> all;
  for (const Slot& slot : slots_) {
    for (const FunctionOffer& offer : slot.offers) {
      const auto same = [&](const FunctionOffer& other) { return other.name == offer.name; };
      if (all.size() < limits::kFunctionsMax && std::none_of(all.begin(), all.end(), same)) {
        all.push_back(offer);
      }
    }
  }
  return all;
}

bool Dealer::all_ready_once() const {
  return std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.offers.empty() && slot.life != Slot::Life::kReady;
  });
}

std::uint32_t Dealer::ready_slots() const {
  return static_cast<std::uint32_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.ready(); }));
}

std::uint32_t Dealer::busy_slots() const {
  return static_cast<std::uint32_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy(); }));
}

void Dealer::check_invariants() const {
  std::map<AttemptToken, RangeSet> places;
  std::uint64_t tasks = 0;
  const auto note = [&](const Piece& piece) {
    FANMILL_ASSERT(!piece.tasks.empty() && book_.find(piece.lease->token) == piece.lease);
    places[piece.lease->token].add(piece.tasks);
    tasks += piece.tasks.count;
  };
  for (const Piece& piece : queue_.pieces()) note(piece);
  FANMILL_ASSERT(tasks == queue_.tasks());
  for (const Slot& slot : slots_) {
    FANMILL_ASSERT(slot.life != Slot::Life::kDown || !slot.busy());
    for (const Piece& piece : slot.pieces()) note(piece);
  }
  // Every unreported task is in exactly one place.
  FANMILL_ASSERT(tasks == book_.unreported_tasks());
  for (const auto& [token, held] : places) FANMILL_ASSERT(held == book_.find(token)->unreported);
}

}  // namespace fanmill::worker
