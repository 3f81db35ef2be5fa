// Which executor runs what: takes leases, deals sub-batches, takes back what is not started (early
// steal, recall, drain, end of the lease), and finds out who is to blame for a dead executor. What
// it tells the broker goes into the ReportQueue. Its work is per sub-batch, never per task, except
// for tasks that failed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "worker/agent_core.hpp"
#include "worker/lease_book.hpp"
#include "worker/report_queue.hpp"
#include "worker/slot.hpp"
#include "worker/work_queue.hpp"

namespace fanmill::worker {

class Dealer {
 public:
  Dealer(std::uint32_t slots, LeaseBook& book, ReportQueue& reports, MonoTime now);

  // ---- from the broker ----
  bool on_lease(const Lease& lease, const Blob& blob);  // false: it contradicts itself
  void on_recall(const Recall& recall);
  void on_stop_job(const StopJob& stop, MonoTime now);
  // A session began; of the leases of earlier ones only these go on.
  void on_kept(std::vector<AttemptToken> kept);

  // ---- from executors ----
  void on_ready(const ExecutorReady& ready);
  void on_done(const ExecutorDone& done, MonoTime now);
  void on_stopped(const ExecutorStopped& stopped);
  void on_freed(const ExecutorFreed& freed);
  void on_progress(const ExecutorProgress& progress, MonoTime now);
  void on_died(const ExecutorDied& died, MonoTime now);

  void drain();
  // The worker's time is over: what runs is killed, and goes back as if it had never begun.
  void kill_what_runs();

  // ---- duties ----
  struct Leave {
    bool lease_valid{};   // else nothing starts, not even what waits at executors
    bool reports_flow{};  // else nothing further is dealt
  };
  void deal(Leave leave, MonoTime now);
  std::vector<ExecutorDuty> take_duties() { return std::exchange(duties_, {}); }
  bool watch() const;  // progress is of interest
  std::optional<MonoTime> wake_at() const;

  // ---- what the session tells ----
  std::vector<RunningTask> running() const;
  std::vector<FunctionOffer> offers() const;
  bool all_ready_once() const;

  std::uint32_t busy_slots() const;
  bool idle() const { return queue_.empty() && busy_slots() == 0; }
  std::uint64_t queued_tasks() const { return queue_.tasks(); }
  // What a task takes of the job in hand whose tasks take longest, as far as that is known.
  nanoseconds longest_expected() const { return book_.longest_expected(); }
  void check_invariants() const;

 private:
  struct RecallInHand {
    std::uint32_t number{};
    JobId job;
    std::uint64_t wanted{};
  };
  // dealer.cpp
  void serve_timers(MonoTime now);
  void refill(MonoTime now);
  bool deal_to(std::uint32_t slot, std::size_t depth, MonoTime now);
  void hand_over(std::uint32_t slot, Piece piece, MonoTime now);
  static void set_limit(Slot& slot, const Job& job);
  void learn_run_time(Job& job, std::uint64_t run_ns);
  void steal_from_stuck(MonoTime now);
  void steal_for_idle();
  void recall_all_unstarted();
  void lower_end(std::uint32_t slot, std::uint64_t end);
  void kill(std::uint32_t slot, KillReason reason);
  nanoseconds patience(const Slot& slot) const;
  std::uint32_t ready_slots() const;
  Slot* slot_of(std::uint32_t slot);
  // dealer_return.cpp
  void take_back(const std::vector<Piece>& pieces);
  void give_back(const std::vector<Piece>& pieces, std::uint32_t recall = 0);
  void settle(const Piece& piece);
  void settle(HeldLease& lease, const std::vector<IndexRange>& tasks);
  void forget_job(JobId job);
  void answer_recalls();
  void answer(const RecallInHand& recall);
  // dealer_died.cpp
  void ended_early(std::uint32_t slot, const Piece& piece, MonoTime now);
  void report(std::uint32_t slot, Piece guilty, const ExecutorDied& died, MonoTime now,
              std::string message);

  LeaseBook& book_;
  ReportQueue& reports_;
  std::vector<Slot> slots_;
  WorkQueue queue_;
  std::vector<ExecutorDuty> duties_;
  std::vector<RecallInHand> recalls_;  // not answered yet
  std::uint32_t last_recall_ = 0;
  std::map<JobId, MonoTime> kills_;  // when running tasks of stopped jobs are killed
  bool draining_ = false;
  struct Reported {
    AttemptToken token;
    IndexRange tasks;
  };
  std::optional<Reported> last_reported_;  // for Mutation::kRequeueReported alone
};

}  // namespace fanmill::worker
