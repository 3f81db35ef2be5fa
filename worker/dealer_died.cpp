// What follows from a dead executor: only the task that ran is to blame, everything else of the
// slot runs again.
#include <algorithm>
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
  std::vector<Piece> unharmed;
  if (guilty) {
    unharmed = slot->take_from(*guilty + 1);
    slot->take_from(*guilty);
  }
  const std::vector<Piece> before = slot->take_from(0);
  unharmed.insert(unharmed.begin(), before.begin(), before.end());

  const KillReason reason = slot->kill_reason;
  slot->life = Slot::Life::kDown;
  slot->start_at = now + start_delay(slot->failed_starts);
  slot->stop = Slot::Stop::kNone;
  slot->kill_at.reset();

  if (task) {
    // Killed for the sake of a stopped job, or because the worker leaves: nobody is to blame, and
    // take_back knows what may go on.
    const bool excused =
        reason == KillReason::kStopJob || reason == KillReason::kTimeIsOver ||
        task->lease->job->stopped ||
        (reason == KillReason::kTimeLimit && mutated(Mutation::kTimeLimitRequeues));
    if (excused) {
      unharmed.push_back(*task);
    } else {
      report_guilty(died.slot, *task, died, now);
    }
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

void Dealer::report_guilty(std::uint32_t index, Piece guilty, const ExecutorDied& died,
                           MonoTime now) {
  HeldLease& lease = *guilty.lease;
  if (lease.kept) {
    const KillReason reason = slots_[index].kill_reason;
    const bool timed_out = reason == KillReason::kTimeLimit;
    Failure failure{.code = timed_out ? ErrorCode::kTimeLimit : ErrorCode::kCrashed,
                    .message = timed_out ? describe_time_limit(slots_[index].limit)
                               : reason == KillReason::kMisbehaved
                                   ? "killed because its executor broke the executor protocol"
                                   : describe_death(died),
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
