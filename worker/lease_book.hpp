// What the worker holds: the jobs it knows and the leases with tasks that are not reported yet.
// Linear in leases and ranges, never in tasks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "proto/blob.hpp"
#include "proto/chunk.hpp"
#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "proto/range_set.hpp"
#include "worker/pace.hpp"
#include "worker/time_limit.hpp"

namespace fanmill::worker {

struct Job {
  JobId id;
  JobSpec spec;
  JobPace pace;
  RunTimes run_times;            // of its successes, where its time limit is a share of them
  std::uint64_t leases = 0;      // in the book
  std::uint64_t last_lease = 0;  // orders jobs by use
  bool stopped = false;          // by StopJob: nothing of it starts any more
  bool told_to_end = false;      // what runs of it too, and is killed after the grace
  bool singly() const { return has_time_limit(spec); }
};

// The tuples of some tasks: whole blocks, `skip` tuples before the first.
struct TupleSlice {
  Blob blob;
  std::uint32_t skip{};
};

struct HeldLease {
  Job* job;
  AttemptToken token;
  IndexRange range;
  std::uint32_t skip{};
  std::uint32_t attempt{};
  ChunkTable table;
  Blob blob;
  // Tasks whose end is not reported: at any time exactly those in the queue or at an executor.
  RangeSet unreported;
  // False once a welcome did not name it: what runs may still succeed, everything else of it is
  // moot, and heartbeats do not name it.
  bool kept = true;

  TupleSlice tuples(IndexRange tasks) const;
  // At least `count` tasks from `first` on, rather a few more if that ends with a whole block,
  // and never beyond `most`.
  std::uint64_t whole_blocks(TaskIndex first, std::uint64_t count, std::uint64_t most) const;
};

// Some tasks of one lease.
struct Piece {
  HeldLease* lease;
  IndexRange tasks;
};

class LeaseBook {
 public:
  explicit LeaseBook(Credit window) : window_(window) {}

  // ---- jobs ----
  Job* find_job(JobId id);
  // Makes the job known, or renews what is known of it. Jobs without leases beyond a bound are
  // forgotten, the longest unused first; they are appended to `forgotten`.
  Job& learn_job(JobId id, const JobSpec& spec, std::vector<JobId>& forgotten);
  void erase_job(JobId id);

  // ---- leases ----
  // A message of this session has brought so much, whether it is kept or not.
  void count_received(std::uint64_t tasks, std::uint64_t bytes);
  HeldLease* find(AttemptToken token) const;
  // `lease` is well formed (see well_formed) and its token is not in the book.
  HeldLease& add(Job& job, const Lease& lease, ChunkTable table, const Blob& blob);
  // These tasks are reported or dropped; the lease ends, and `lease` is gone, with its last task.
  void settle(HeldLease& lease, const std::vector<IndexRange>& tasks);
  void unkeep(HeldLease& lease);
  // For Mutation::kRequeueReported alone: settled tasks of a lease that goes on are open again.
  void reopen(HeldLease& lease, IndexRange tasks);
  std::vector<HeldLease*> leases();

  // ---- what the session tells of it ----
  void begin_session();  // leases received in it are counted from 0
  Credit credit() const;
  std::uint64_t held_count() const { return held_count_; }
  std::uint64_t held_digest() const { return held_digest_; }
  std::vector<AttemptToken> held() const;
  std::uint64_t unreported_tasks() const { return tasks_; }
  // The mean run time of a task, of the job with leases whose tasks take longest.
  nanoseconds longest_expected() const;

  void check_invariants() const;

 private:
  Credit window_;
  std::map<JobId, std::unique_ptr<Job>> jobs_;
  std::map<AttemptToken, std::unique_ptr<HeldLease>> leases_;
  std::uint64_t held_count_ = 0;
  std::uint64_t held_digest_ = 0;
  std::uint64_t tasks_ = 0;  // unreported, in all leases
  std::uint64_t bytes_ = 0;  // of all leases
  Credit received_;          // in this session
  std::uint64_t clock_ = 0;  // counts leases, to order jobs by use
};

// The table of a lease's blob, or why the message contradicts itself.
Result<ChunkTable> well_formed(const Lease& lease, const Blob& blob);

}  // namespace fanmill::worker
