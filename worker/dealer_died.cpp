// What follows from a dead executor: only the task that ran is to blame, everything else of the
// slot runs again, but for tasks that have run and run at most once.
#include <algorithm>
#include <string>
#include <utility>

#include "proto/limits.hpp"
#include "worker/dealer.hpp"
#include "worker/failure_report.hpp"
#include "worker/mutation.hpp"

namespace fanmill::worker {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kQuickStarts = 5;  // failed ones in a row before a pause

nanoseconds start_delay(std::uint32_t failed_starts) {
  if (failed_starts < kQuickStarts) return nanoseconds{0};
  const std::uint32_t doublings = std::min(failed_starts - kQuickStarts, 5u);
  return std::min<nanoseconds>(milliseconds(100) * (1 << doublings), milliseconds(2000));
}

std::string describe_end(const Slot& slot, const ExecutorDied& died) {
  switch (slot.kill_reason) {
    case KillReason::kTimeLimit:
      return describe_time_limit(slot.limit);
    case KillReason::kMisbehaved:
      return "killed because its executor broke the executor protocol";
    case KillReason::kTimeIsOver:
      return "killed because its worker left, and it runs at most once";
    case KillReason::kStopJob:
      return "killed when a job was cancelled, and it runs at most once";
    case KillReason::kNone:
      break;
  }
  return describe_death(died);
}

}  // namespace

void Dealer::on_died(const ExecutorDied& died, MonoTime now) {
  Slot* slot = slot_of(died.slot);
  if (slot == nullptr || slot->life == Slot::Life::kDown) return;
  slot->failed_starts = slot->life == Slot::Life::kStarting ||
                                (slot->kill_reason == KillReason::kMisbehaved && !slot->busy())
                            ? slot->failed_starts + 1
                            : 0;
  slot->progress(died.started, died.finished);
  std::optional<std::uint64_t> guilty = slot->running_position();
  // Whoever breaks the executor protocol would do so for ever if nobody were charged for it.
  if (slot->kill_reason == KillReason::kMisbehaved && !guilty && slot->busy()) {
    guilty = slot->next_position() - slot->tasks();
  }
  if (mutated(Mutation::kChargeUnstarted) && slot->at(died.started)) guilty = died.started;

  const std::optional<Piece> task = guilty ? slot->at(*guilty) : std::nullopt;
  std::vector<Piece> unharmed =
      slot->take_from(std::max(slot->unstarted_from(), guilty ? *guilty + 1 : 0));
  std::vector<Piece> begun;
  if (guilty) {
    begun = slot->take_from(*guilty + 1);
    slot->take_from(*guilty);
  }
  const std::vector<Piece> before = slot->take_from(0);
  begun.insert(begun.end(), before.begin(), before.end());

  const KillReason reason = slot->kill_reason;
  slot->life = Slot::Life::kDown;
  slot->start_at = now + start_delay(slot->failed_starts);
  slot->stop = Slot::Stop::kNone;
  slot->kill_at.reset();

  if (task) {
    // Killed for the sake of a stopped job, or because the worker leaves: nobody is to blame, and
    // take_back knows what may go on. What runs at most once never looks unstarted: a StopJob may
    // be a late one, from before another round, and the broker would deal it again.
    const Job& job = *task->lease->job;
    const bool excused =
        ((job.stopped || reason == KillReason::kStopJob || reason == KillReason::kTimeIsOver) &&
         !job.spec.at_most_once) ||
        (reason == KillReason::kTimeLimit && mutated(Mutation::kTimeLimitRequeues));
    if (excused) {
      unharmed.push_back(*task);
    } else {
      report(died.slot, *task, died, now, describe_end(slots_[died.slot], died));
    }
  }
  // Their results are lost with the executor.
  for (const Piece& piece : begun) {
    if (!piece.lease->job->spec.at_most_once || mutated(Mutation::kRepeatAtMostOnce)) {
      unharmed.push_back(piece);
      continue;
    }
    for (TaskIndex at = piece.tasks.first; at < piece.tasks.end(); at = at + 1)
      report(died.slot, {piece.lease, {at, 1}}, died, now,
             "its executor died before this task was reported, and it runs at most once");
  }
  HeldLease* reported = last_reported_ ? book_.find(last_reported_->token) : nullptr;
  if (reported != nullptr) {
    book_.reopen(*reported, last_reported_->tasks);
    unharmed.push_back({reported, last_reported_->tasks});
  }
  last_reported_.reset();
  std::sort(unharmed.begin(), unharmed.end(), [](const Piece& a, const Piece& b) {
    return std::pair(a.lease->job->id, a.tasks.first) < std::pair(b.lease->job->id, b.tasks.first);
  });
  take_back(unharmed);
  answer_recalls();
}

// Told that its job is cancelled, a task ends early, and that is no failure of its own.
void Dealer::ended_early(std::uint32_t slot, const Piece& piece, MonoTime now) {
  if (!piece.lease->job->spec.at_most_once) {
    give_back({piece});
    return;
  }
  for (TaskIndex at = piece.tasks.first; at < piece.tasks.end(); at = at + 1)
    report(slot, {piece.lease, {at, 1}}, ExecutorDied{}, now,
           "ended early when its job was cancelled, and it runs at most once");
}

void Dealer::report(std::uint32_t index, Piece guilty, const ExecutorDied& died, MonoTime now,
                    std::string message) {
  HeldLease& lease = *guilty.lease;
  if (lease.kept) {
    const bool timed_out = slots_[index].kill_reason == KillReason::kTimeLimit;
    Failure failure{.code = timed_out ? ErrorCode::kTimeLimit : ErrorCode::kCrashed,
                    .message = std::move(message),
                    .exit_code = died.exit_code,
                    .signal = died.signal,
                    .tuple = {}};
    const MonoTime began =
        lease.job->singly() ? slots_[index].limited_since : slots_[index].progress_at;
    const auto ran = std::max<nanoseconds>(now - began, nanoseconds{0});
    reports_.add(Results{.report = 0,
                         .job = lease.job->id,
                         .token = lease.token,
                         .first = guilty.tasks.first,
                         .count = 1,
                         .outcome = timed_out ? Outcome::kTimeLimit : Outcome::kCrashed,
                         .values_bytes = 0,
                         .run_ns = static_cast<std::uint64_t>(ran.count()),
                         .credit = {}},
                 death_report(std::move(failure), died, guilty, ran, index + 1));
  }
  settle(guilty);
}

}  // namespace fanmill::worker
