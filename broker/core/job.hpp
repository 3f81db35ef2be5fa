// What the broker knows of one job. The state of its tasks is kept in sets:
//
//   [0, fresh)           dealt at least once; each is in `done`, `ready`, `alone_ready`, `delayed`,
//                        `awaited` or in a lease
//   [fresh, next_index)  accepted, never dealt
//
// and what is peculiar to single tasks (attempts that failed) in one map of exceptions. A task that
// ended while a second attempt of it was out is in `done` and in that lease; done wins.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/index_set.hpp"
#include "broker/core/push_keys.hpp"
#include "broker/core/rates.hpp"
#include "proto/chunk.hpp"
#include "proto/clock.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"
#include "proto/range_set.hpp"
#include "proto/tuple_digest.hpp"

namespace fanmill::broker {

// Tasks beyond those that were dealt which the store is told of in advance, at least.
inline constexpr std::uint64_t kHorizonAhead = 64;

struct Chunk {
  TaskIndex first;
  ChunkTable table;
  std::uint64_t write{};           // the number of its PutChunk
  std::uint64_t unfinished{};      // tasks without a record
  std::uint64_t unacknowledged{};  // tasks whose rows the reader has not acknowledged
  IndexRange range() const { return {first, table.tuples()}; }
};

// A task that did not simply succeed at its first attempt.
struct History {
  std::uint32_t failures{};
  std::uint32_t crashes{};
  std::uint32_t losses{};
  AttemptToken charged = {};         // the last attempt of these
  std::uint32_t refunded{};          // losses whose worker came back
  std::optional<MonoTime> retry_at;  // it waits in `delayed`
  std::uint64_t avoids{};            // digest of the host that it waits to run elsewhere than; or 0
  std::uint32_t attempt() const { return 1 + failures + crashes + losses + refunded; }
};

// A recorded batch, kept while rows of it may have to be sent.
struct Record {
  RecordId id;
  IndexRange batch;
  Outcome outcome{};
  bool dead_lettered{};
  AttemptToken token;
  std::uint32_t attempt{};
  std::string worker;
  std::uint64_t values_bytes{};
  std::uint64_t run_ns{};
  std::uint64_t blob_bytes{};
  std::uint32_t slices{};  // not yet acknowledged
  std::uint32_t round{};   // 0 for the first
};

struct Slice {
  IndexRange range;
  std::shared_ptr<Record> record;
};

struct Reader {
  RowOrder order{};
  std::uint64_t window{};
  // Cursors: as completed the position of a slice, else a task index.
  std::uint64_t acknowledged{};
  std::uint64_t sent{};
  std::uint64_t sent_ever{};  // the highest that `sent` was, before rewinds
  std::uint64_t end{};        // as recorded: behind the last row that was there when it asked
  struct InFlight {
    std::uint64_t next{};
    std::uint64_t bytes{};
  };
  std::deque<InFlight> in_flight;
  std::uint64_t in_flight_bytes{};
  bool stalled = false;     // its window is full: nothing is due before it says something
  bool ended_said = false;  // JobEnded or RowsEnded was sent since the last question
};

struct Line;

struct Job {
  // ---- what was asked for ----
  JobId id;
  std::string key;
  JobOptions options;
  SessionId owner;  // the producer's session that opened it or took it over; zero if gone
  std::optional<MonoTime> owner_gone_at;
  bool closed = false;
  bool cancelled = false;
  std::string halted;   // the policy by which it was, as a sentence; else empty
  bool paused = false;  // its producer is gone for too long
  bool held = false;    // somebody paused it
  bool stands_still() const { return paused || held; }
  std::uint64_t cancel_grace_ms{};
  MonoTime cancel_asked;
  MonoTime opened_at;
  std::optional<MonoTime> ended_at;  // every task has its record

  // ---- tuples ----
  std::uint64_t next_index{};
  std::map<std::uint64_t, Chunk> chunks;  // by first task
  std::uint64_t accepted_bytes{};
  std::uint64_t released_bytes{};     // of chunks that hold nothing up any more
  std::uint64_t held_bytes{};         // of tuples in the store
  std::optional<TupleDigest> digest;  // of a job with a named key
  std::unique_ptr<PushKeys> pushes;   // of a job that somebody pushes to
  Credit credit_said;
  MonoTime submitted_at;

  // ---- tasks ----
  TaskIndex fresh;
  IndexSet ready;
  IndexSet done;
  // ---- suspects (losses.hpp) ----
  IndexSet suspects;     // a worker was lost that had them, and may have died of them
  IndexSet alone;        // of these, twice: each runs alone at its worker
  IndexSet alone_ready;  // of these, to be dealt
  SessionId clearing;    // the worker that gets nothing more until one of them can run there
  std::map<std::uint64_t, History> exceptions;
  std::set<std::pair<MonoTime, std::uint64_t>> delayed;
  // May have been dealt in an earlier life of the broker: whoever has them is to say so until then.
  IndexSet awaited;
  std::optional<MonoTime> awaited_until;
  // No task from `horizon` on has been dealt: so says the write of that number. Up to
  // `horizon_safe` the store is known to say so.
  std::uint64_t horizon{};
  std::uint64_t horizon_write{};
  std::uint64_t horizon_safe{};
  std::uint64_t bound_write{};       // says to which signature it is bound
  std::set<std::uint64_t> avoiding;  // of these, whom a worker of another host may have at once
  std::uint64_t leased{};
  std::string signature;  // of the function as this job is bound to it; may be empty
  JobCounts counts;       // `running` is filled in when asked for

  // ---- rounds (rounds.hpp) ----
  std::uint32_t rounds{};  // behind the first
  struct Fence {
    RangeSet tasks;      // of one round
    AttemptToken token;  // the last one of those before
  };
  std::vector<Fence> fences;

  // ---- measures ----
  bool measured = false;
  double mean_ns{};  // of one task
  std::uint64_t batch_limit = 1;
  MovingRate recorded;  // tasks

  // ---- its turn (fair_shares.hpp) ----
  Line* line = nullptr;  // nothing: it is over
  double time{};         // virtual: slot time it was given, in ns
  double placed{};       // that time, where it stands in its line
  bool waiting = false;  // it stands there

  // ---- rows ----
  std::uint64_t records{};
  std::uint64_t unacknowledged_bytes{};
  std::map<std::uint64_t, Slice> rows;      // by first task, unless forgotten as acknowledged
  std::map<std::uint64_t, Slice> failures;  // of these, what did not succeed, of a job that is kept
  std::deque<Slice> log;  // in the order of recording; log[0] has position log_start
  std::uint64_t log_start{};
  // Of a job that forgets what is delivered: the only order it still can be read in, up to where
  // rows were acknowledged (a cursor), and up to where they were ever sent.
  std::optional<RowOrder> order;
  std::uint64_t forgotten{};
  std::uint64_t sent_ever{};
  std::map<SessionId, Reader> readers;  // one at most of a job that forgets what is delivered

  // ---- bookkeeping of the turn ----
  bool dirty = false;            // rows, credit or end may be due
  bool accept_due = false;       // an Accepted was asked for
  bool accept_armed = false;     // a kAccept timer is out
  std::uint32_t accepts_owed{};  // chunks taken since the last Accepted
  bool status_armed = false;     // a kStatus timer is out
  bool stopped = false;          // the workers were told that it is over

  bool all_done() const { return closed && counts.terminal() == next_index; }
  bool has_work() const {
    return !ready.empty() || fresh.value < next_index || !alone_ready.empty();
  }

  Chunk* chunk_of(TaskIndex index);
  std::uint32_t attempt_of(TaskIndex index) const;
  // Up to `most` tasks that may be dealt next, of one chunk and one attempt: those that came back
  // first, by index. Empty if there are none. `fresh_too`: also such as were never dealt.
  IndexRange next_tasks(std::uint64_t most, bool fresh_too) const;
  void taken(IndexRange tasks);             // what next_tasks() gave is dealt now
  void make_ready(IndexRange tasks);        // none of which is held, waits or has a record
  void clear_suspicion(IndexRange tasks);   // of one loss
  void forget_suspicion(IndexRange tasks);  // they have a record
  // Tasks that wait in `delayed` no longer do.
  void forget_delay(std::map<std::uint64_t, History>::iterator exception);
  void move_due_retries(MonoTime now);
  Credit credit(std::uint64_t window_tasks, std::uint64_t window_bytes) const;
  JobCounts counted() const;
  // What is left of the grace that a cancelled job's running tasks have.
  std::uint64_t grace_left_ms(MonoTime now) const;
};

}  // namespace fanmill::broker
