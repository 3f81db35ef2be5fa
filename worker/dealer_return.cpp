// The dealer's dealings with the broker: leases in, tasks back.
#include <algorithm>
#include <utility>

#include "worker/dealer.hpp"
#include "worker/failure_report.hpp"
#include "worker/mutation.hpp"

namespace fanmill::worker {

bool Dealer::on_lease(const Lease& lease, const Blob& blob) {
  auto table = well_formed(lease, blob);
  if (!table) return false;
  book_.count_received(lease.count, blob.size());
  std::vector<JobId> forgotten;
  Job* job = book_.find_job(lease.job);
  if (job == nullptr && !lease.spec.empty()) {
    job = &book_.learn_job(lease.job, lease.spec.front(), forgotten);
  }
  for (const JobId id : forgotten) forget_job(id);
  if (book_.find(lease.token) != nullptr) return true;
  if (job == nullptr || job->stopped || draining_) {
    reports_.add(Returned{.report = 0,
                          .job = lease.job,
                          .token = lease.token,
                          .ranges = {{lease.first, lease.count}},
                          .unbound = job == nullptr,
                          .recall = 0,
                          .credit = {}});
    return true;
  }
  HeldLease& held = book_.add(*job, lease, std::move(*table), blob);
  queue_.push_back({&held, held.range});
  return true;
}

void Dealer::on_recall(const Recall& recall) {
  if (recall.recall <= last_recall_) return;
  last_recall_ = recall.recall;
  recalls_.push_back({recall.recall, recall.job, recall.count});
  const Job* job = book_.find_job(recall.job);
  const std::uint64_t queued = recall.job == JobId{} ? queue_.tasks()
                               : job != nullptr      ? queue_.tasks_of(*job)
                                                     : recall.count;
  if (queued < recall.count) recall_all_unstarted();
  answer_recalls();
}

void Dealer::answer_recalls() {
  const auto asked = [](const Slot& slot) { return slot.stop == Slot::Stop::kAsked; };
  if (recalls_.empty() || std::any_of(slots_.begin(), slots_.end(), asked)) return;
  for (const RecallInHand& recall : std::exchange(recalls_, {})) answer(recall);
}

void Dealer::answer(const RecallInHand& recall) {
  const Job* job = book_.find_job(recall.job);
  std::vector<Piece> pieces;
  if (job != nullptr || recall.job == JobId{}) pieces = queue_.take_back(recall.wanted, job);
  if (mutated(Mutation::kRecallStarted)) {
    for (const RunningTask& task : running()) {
      reports_.add(Returned{.report = 0,
                            .job = task.job,
                            .token = task.token,
                            .ranges = {{task.index, 1}},
                            .unbound = false,
                            .recall = recall.number,
                            .credit = {}});
    }
  }
  if (!pieces.empty()) {
    give_back(pieces, recall.number);
    return;
  }
  reports_.add(Returned{.report = 0,
                        .job = recall.job,
                        .token = {},
                        .ranges = {},
                        .unbound = false,
                        .recall = recall.number,
                        .credit = {}});
}

void Dealer::on_stop_job(const StopJob& stop, MonoTime now) {
  Job* job = book_.find_job(stop.job);
  if (job == nullptr) return;
  job->stopped = true;
  if (stop.grace_ms != CancelJob::kNoKill) {
    job->told_to_end = true;
    // Repetitions do not put it off.
    const MonoTime at = now + std::chrono::milliseconds(std::min(stop.grace_ms, kTimeLimitMaxMs));
    const auto [known, fresh] = kills_.try_emplace(stop.job, at);
    if (!fresh) known->second = std::min(known->second, at);
  }
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.ready() && slot.stop != Slot::Stop::kAsked && slot.unstarted() > 0 &&
        slot.holds(*job)) {
      lower_end(i, slot.unstarted_from());
    }
    if (slot.busy() && slot.holds(*job) && stop.grace_ms != CancelJob::kNoKill) {
      duties_.push_back(TellStopped{i, job->id});
    }
  }
  if (job->leases == 0) {
    forget_job(stop.job);
    book_.erase_job(stop.job);
  } else {
    give_back(queue_.take_job(*job));
  }
}

void Dealer::on_kept(std::vector<AttemptToken> kept) {
  last_recall_ = 0;
  recalls_.clear();
  std::sort(kept.begin(), kept.end());
  for (HeldLease* lease : book_.leases()) {
    if (std::binary_search(kept.begin(), kept.end(), lease->token)) continue;
    book_.unkeep(*lease);
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      const auto pieces = slot.pieces();
      const bool holds = std::any_of(pieces.begin(), pieces.end(),
                                     [&](const Piece& piece) { return piece.lease == lease; });
      if (holds && slot.ready() && slot.stop != Slot::Stop::kAsked && slot.unstarted() > 0) {
        lower_end(i, slot.unstarted_from());
      }
    }
    for (const Piece& piece : queue_.take_lease(*lease)) settle(piece);
  }
}

// Tasks that came back unstarted from an executor: to the queue's front, unless they are not to run
// here at all.
void Dealer::take_back(const std::vector<Piece>& pieces) {
  std::vector<Piece> away;
  for (auto it = pieces.rbegin(); it != pieces.rend(); ++it) {
    const HeldLease& lease = *it->lease;
    if (!lease.kept || lease.job->stopped || draining_) {
      away.push_back(*it);
    } else {
      queue_.put_front(*it);
    }
  }
  give_back(away);
}

// One Returned per lease; nothing for leases that the broker has given up.
void Dealer::give_back(const std::vector<Piece>& pieces, std::uint32_t recall) {
  std::vector<std::pair<HeldLease*, RangeSet>> by_lease;
  for (const Piece& piece : pieces) {
    const auto it = std::find_if(by_lease.begin(), by_lease.end(),
                                 [&](const auto& entry) { return entry.first == piece.lease; });
    if (it == by_lease.end()) {
      by_lease.emplace_back(piece.lease, RangeSet(piece.tasks));
    } else {
      it->second.add(piece.tasks);
    }
  }
  for (const auto& [lease, tasks] : by_lease) {
    if (lease->kept) {
      reports_.add(Returned{.report = 0,
                            .job = lease->job->id,
                            .token = lease->token,
                            .ranges = tasks.ranges(),
                            .unbound = false,
                            .recall = recall,
                            .credit = {}});
    }
    settle(*lease, tasks.ranges());
  }
}

void Dealer::settle(const Piece& piece) { settle(*piece.lease, {piece.tasks}); }

void Dealer::settle(HeldLease& lease, const std::vector<IndexRange>& tasks) {
  Job& job = *lease.job;
  book_.settle(lease, tasks);
  if (job.stopped && job.leases == 0) {
    const JobId id = job.id;
    forget_job(id);
    book_.erase_job(id);
  }
}

void Dealer::forget_job(JobId job) {
  kills_.erase(job);
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].bound.erase(job) != 0 && slots_[i].ready()) {
      duties_.push_back(DealForget{i, executor::Forget{job}});
    }
  }
}

}  // namespace fanmill::worker
