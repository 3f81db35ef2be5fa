// One executor as the agent sees it: its life, the sub-batches it was dealt, and how far it is.
// Positions number the tasks of one process; a slot maps them back to leases.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "worker/time_limit.hpp"
#include "worker/work_queue.hpp"

namespace fanmill::worker {

// kTimeIsOver: the worker's own time.
enum class KillReason : std::uint8_t { kNone, kTimeLimit, kStopJob, kMisbehaved, kTimeIsOver };

class Slot {
 public:
  enum class Life : std::uint8_t {
    kDown,      // to be started at start_at
    kStarting,  // StartExecutor is out
    kReady,
    kDying,  // KillExecutor is out
  };
  enum class Stop : std::uint8_t {
    kNone,
    kAsked,     // LowerEnd is out, ExecutorFreed is to come
    kStopping,  // tasks may still run up to the end; Stopped is to come, or the last Done
  };

  Life life = Life::kDown;
  std::optional<MonoTime> start_at;  // in kDown
  std::uint32_t failed_starts = 0;   // in a row
  bool uses_page = false;
  std::vector<FunctionOffer> offers;  // of the last process that was ready
  std::set<JobId> bound;
  Stop stop = Stop::kNone;
  // Of what runs, where its job has a time limit:
  MonoTime limited_since{};
  TimeLimit limit;                  // as it is, or was when it was killed
  std::optional<MonoTime> kill_at;  // none as long as the limit is not known
  KillReason kill_reason = KillReason::kNone;
  MonoTime progress_at{};  // last time it was seen to move

  // A process begins: positions count from 0 again.
  void begin_process();

  // The next task dealt gets this position.
  std::uint64_t next_position() const { return next_; }
  // Tasks [next_position, …) are handed over.
  void dealt(Piece piece, MonoTime now);

  // Tasks at positions [position, position + count) are done and leave the slot. Nothing if they
  // are not all outstanding, in one sub-batch.
  std::optional<Piece> complete(std::uint64_t position, std::uint64_t count);
  // Removes everything outstanding from `position` on.
  std::vector<Piece> take_from(std::uint64_t position);
  // The task at `position`, if it is outstanding.
  std::optional<Piece> at(std::uint64_t position) const;

  // What the page said: returns whether anything moved.
  bool progress(std::uint64_t started, std::uint64_t finished);
  // The position of the task that runs, as far as is known.
  std::optional<std::uint64_t> running_position() const;
  // The lowest outstanding position that is not known to have started, and how many there are.
  std::uint64_t unstarted_from() const;
  std::uint64_t unstarted() const;
  // The same for what certainly waits: the first outstanding task may have started unseen.
  std::uint64_t waiting_from() const;
  std::uint64_t waiting() const;

  // LowerEnd went out; the executor will meet `end`.
  void lower_end(std::uint64_t end);
  // Its answer came; tasks from `from` on will not run. They leave the slot.
  std::vector<Piece> freed(std::uint64_t from);
  // The executor met the end at `position`, and what it had from there on leaves the slot.
  std::vector<Piece> stopped(std::uint64_t position);

  bool busy() const { return !deals_.empty(); }
  bool ready() const { return life == Life::kReady; }
  std::size_t deals() const { return deals_.size(); }
  std::uint64_t tasks() const { return tasks_; }
  // Tasks of its first sub-batch.
  Piece front() const { return {deals_.front().lease, deals_.front().tasks}; }
  std::vector<Piece> pieces() const;
  bool holds(const Job& job) const;
  // The task that runs is one of this job, as far as is known. Nobody else's work is to end with
  // it.
  bool runs(const Job& job) const;

 private:
  struct Deal {
    HeldLease* lease;
    std::uint64_t position;
    IndexRange tasks;
    std::uint64_t end() const { return position + tasks.count; }
  };
  void settle_stop();
  std::uint64_t outstanding_from(std::uint64_t position) const;

  std::deque<Deal> deals_;  // by rising position, with gaps where tasks are done
  std::uint64_t tasks_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t started_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t asked_end_ = 0;
  bool must_stop_ = false;  // something was freed, so Stopped is certain to come
};

}  // namespace fanmill::worker
