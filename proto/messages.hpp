// The wire protocol's messages as plain structs, one variant per direction. PROTOCOL.md explains
// when each is sent; codec.hpp turns them into bytes. A blob that belongs to a message travels
// beside it, opaque, and is named in the comment of the message.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/chunk.hpp"
#include "proto/error.hpp"
#include "proto/ids.hpp"

namespace fanmill {

// ---- parts of messages
// -------------------------------------------------------------------------------------------

// What a worker offers. `signature` is for people and for the check at submit: "(seconds: float,
// message: str) -> null".
struct FunctionOffer {
  std::string name;
  std::string signature;
  friend bool operator==(const FunctionOffer&, const FunctionOffer&) = default;
};

// The name under which workers offer to run commands; JobSpec::argv is then the template.
inline constexpr const char* kCommandFunction = "exec";

// A variable of a command's environment.
struct EnvironmentVariable {
  std::string name;
  std::string value;
  bool placeholders{};  // the value is a template; else it is taken as it is
  friend bool operator==(const EnvironmentVariable&, const EnvironmentVariable&) = default;
};

// What a worker must know of a job to run its tasks. Travels with the first lease of a job in a
// session. From `shell` to `input`: of commands alone; templates have placeholders as argv has.
struct JobSpec {
  std::string function;
  std::vector<std::string> argv;  // of a command: argument vector with placeholders; else empty
  std::vector<std::string>
      names;  // of the positional elements of every tuple (a CSV header); may be empty
  std::uint64_t time_limit_ms{};  // 0: none
  std::uint64_t max_output{};     // bytes of a command's stdout
  std::string shell = {};         // the program that reads argv as a command line; empty: none
  std::string chdir = {};         // template of the working directory; empty: the worker's
  std::vector<EnvironmentVariable> env =
      {};                               // beside what the worker has; the last of a name counts
  std::vector<std::string> input = {};  // at most one: template of stdin; none: /dev/null
  std::uint32_t time_limit_percent{};   // of the median run time of the job's tasks; 0: none
  // Tuples are groups of up to so many values, the last one shorter; 0: they are not.
  std::uint32_t group{};
  bool at_most_once{};  // a task that may have run does not run again
  friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

// What a worker says of itself ("gpu=yes"), and what a job asks of the workers it runs on.
struct Label {
  std::string name;
  std::string value;
  friend auto operator<=>(const Label&, const Label&) = default;
};

// When a job is to end before all its tasks have run.
enum class HaltOn : std::uint8_t { kFailures = 0, kSuccesses = 1, kEnds = 2 };
struct HaltPolicy {
  HaltOn on{};
  std::uint64_t count{};    // of such tasks, unless a part is given
  std::uint32_t percent{};  // of all tasks, once the job is closed; 0: `count` says
  bool beyond{};            // with one more than that
  bool now{};               // what runs is killed; else it ends by itself
  friend bool operator==(const HaltPolicy&, const HaltPolicy&) = default;
};

struct JobOptions {
  JobSpec spec;
  std::string name;
  std::int32_t priority{};
  std::uint32_t retries{};       // further attempts after the function reported failure
  std::uint32_t crash_limit{};   // 0: limits::kCrashLimit
  bool rows_with_tuples{};       // rows carry the tuple beside the value
  bool forget_when_delivered{};  // a map job: nothing is kept once its reader has everything, and
                                 // pauses without producer
  std::uint64_t
      wait_workers_ms{};  // how long an unknown function may wait for a worker that offers it
  std::vector<Label> where = {};  // dealt only to workers that have all of these
  std::uint64_t keep_ms{};  // how long a job that is not forgotten when delivered is kept after its
                            // end; 0: limits::kKeepDefault
  bool named_key{};  // the key was chosen by a person and may come again: JobOpened then tells
                     // the digest of the tuples that are there
  std::vector<HaltPolicy> halt = {};
  friend bool operator==(const JobOptions&, const JobOptions&) = default;
};

// Cumulative since the job (producer) or session (worker) began, never a delta: repeating it
// changes nothing.
struct Credit {
  std::uint64_t tasks{};
  std::uint64_t bytes{};
  friend bool operator==(const Credit&, const Credit&) = default;
};

struct RunningTask {
  JobId job;
  AttemptToken token;
  TaskIndex index;
};

// A lease that a worker still holds, or reports unfinished work of.
struct Claim {
  JobId job;
  AttemptToken token;
  std::vector<IndexRange> unfinished;
};

// How the tasks of one report ended. One report has one outcome.
enum class Outcome : std::uint8_t {
  kSucceeded = 0,
  kFailed = 1,      // the function or command reported failure
  kCrashed = 2,     // the executor died while this task ran (count is 1)
  kTimeLimit = 3,   // killed at the task's time limit (count is 1)
  kWorkerLost = 4,  // recorded by the broker only
  kCancelled = 5,   // recorded by the broker only
};

// Counts of tasks by state. accepted = waiting + running + the terminal ones.
struct JobCounts {
  std::uint64_t accepted{};
  std::uint64_t running{};  // leased to workers
  std::uint64_t succeeded{};
  std::uint64_t failed{};
  std::uint64_t dead_lettered{};
  std::uint64_t cancelled{};
  std::uint64_t terminal() const { return succeeded + failed + dead_lettered + cancelled; }
  friend bool operator==(const JobCounts&, const JobCounts&) = default;
};

enum class RowOrder : std::uint8_t {
  kInput = 0,
  kAsCompleted = 1,
  kRecorded = 2,  // in input order what is recorded now; tasks without a record are passed over
  kFailures = 3,  // of that, what did not succeed, of a job that is kept
};

// Why a job hands out nothing at the moment; for progress lines.
enum class WaitingFor : std::uint8_t {
  kNothing = 0,
  kReader = 1,
  kSlowTask = 2,
  kWorkers = 3,
  kProducer = 4,
  kPaused = 5
};

// ---- both roles → broker
// -----------------------------------------------------------------------------------------

struct Goodbye {};  // the peer ends its session on purpose; a worker has drained

// ---- producer → broker
// -------------------------------------------------------------------------------------------

struct ProducerHello {
  InstanceId instance;
  std::uint32_t attempt{};  // rises with every new socket of this instance
  std::string host;
  std::uint32_t pid{};
  std::string user = {};
};

struct ProducerHeartbeat {};

// Idempotent by key. Answered by JobOpened or Refused.
struct OpenJob {
  std::string key;
  JobOptions options;
};

// Tuples [first, first + count) of the job. Blob: the chunk's bytes. Accepted only if `first` is
// the next index.
struct Submit {
  JobId job;
  TaskIndex first;
  std::uint64_t count{};
  std::vector<Block> blocks;
};

// No tuple follows `total`. Answered by Accepted{closed}.
struct CloseJob {
  JobId job;
  std::uint64_t total{};
};

// Reads the rows of a job from `cursor` on: as completed a record's number - 1, else a task index.
// Sending it again rewinds to the cursor. A job that is not forgotten when delivered has any number
// of readers, one per session, each with a cursor of its own. At most `window_bytes` of rows are
// unacknowledged at any time.
struct Gather {
  JobId job;
  RowOrder order{};
  std::uint64_t cursor{};
  std::uint64_t window_bytes{};
};

// Everything before `cursor` has been taken care of. Answered by JobEnded when that was all, by
// RowsEnded when that was all that is recorded and the order is kRecorded.
struct GatherAck {
  JobId job;
  std::uint64_t cursor{};
};

// Tasks not yet started end as cancelled; running ones are killed after grace_ms (kNoKill: they may
// finish).
struct CancelJob {
  static constexpr std::uint64_t kNoKill = ~std::uint64_t{0};
  JobId job;
  std::uint64_t grace_ms{};
};

enum class Topic : std::uint8_t {
  kJobs = 0,
  kJobDetail = 1,  // the same jobs, told at length
  kWorkers = 2,
  kStatus = 3,
};

// Answered by Answer of the same `request`, or Refused. `selector` chooses jobs: "" and "all" every
// one, "last" the one opened last, else a job's id (task_text.hpp), its number alone, name or key.
// No such job is refused with kNotFound, but for "" and "all".
struct Ask {
  std::uint64_t request{};
  Topic topic{};
  std::string selector;
};

enum class Steering : std::uint8_t {
  kPause = 0,   // nothing is dealt; what was not started comes back, what runs may end
  kResume = 1,  // ends a pause
  kCancel = 2,  // as CancelJob
  kClose = 3,   // no tuple follows those that are accepted
  kForget = 4,  // refused with kConflict while the job has not ended
  kRetry =
      5,  // a new round of what did not succeed; refused with kConflict where no tuples are kept
};

// Done to each of these jobs; repeating it changes nothing. `request` rises within a session, so
// that a late repetition is known. Answered by Answer, its blob as of Topic::kJobs over those that
// still exist. A job that does not exist: Refused, nothing is done.
struct Steer {
  // What `outcomes` of 0 means: everything but what was cancelled.
  static constexpr std::uint32_t kAllFailures = 0b11110;
  std::uint64_t request{};
  std::vector<JobId> jobs;
  Steering action{};
  std::uint64_t grace_ms{};  // of kCancel
  std::uint32_t outcomes{};  // of kRetry: tasks that ended so, a bit for each Outcome
};

// Tuples for an open job, whose indexes the broker assigns in the order of arrival. Idempotent per
// (key, sequence): taken only if `sequence` (from 0, by chunk) is the next one of this key. Blob:
// the chunk's bytes. A count of 0 asks where the key stands. Answered by Pushed or Refused.
struct Push {
  JobId job;
  std::string key;
  std::uint64_t sequence{};
  std::uint64_t count{};
  std::vector<Block> blocks;
};

using FromProducer = std::variant<ProducerHello, ProducerHeartbeat, Goodbye, OpenJob, Submit,
                                  CloseJob, Gather, GatherAck, CancelJob, Ask, Steer, Push>;

// ---- worker → broker
// ---------------------------------------------------------------------------------------------

struct WorkerHello {
  InstanceId instance;
  std::uint32_t attempt{};
  std::string name;
  std::string host;
  std::uint32_t pid{};
  std::uint32_t slots{};
  std::vector<FunctionOffer> offers;
  Credit credit;
  std::vector<Claim> claims;  // leases of earlier sessions that it still holds
  std::vector<Label> labels = {};
  std::string version = {};  // of the program, for people
};

// Names what the worker holds: only that is renewed. `held_digest` is the xor of digest_of() over
// the `held_count` tokens it holds once it has processed leases up to `leases_seen` and sent
// reports up to `reports_sent`.
struct WorkerHeartbeat {
  Credit credit;
  std::uint64_t leases_seen{};
  std::uint64_t reports_sent{};
  std::uint64_t held_count{};
  std::uint64_t held_digest{};
  std::vector<RunningTask> running;  // at most limits::kRunningNamedMax
  bool draining{};                   // give no more
  bool list_attached{};              // `held` is complete
  std::vector<AttemptToken> held;
  std::uint64_t number{};  // from 1 in each session; the reply names it
};

// Tasks [first, first + count) of one lease ended alike. Blob: see result_batch.hpp; opaque to the
// broker. Reports (Results and Returned) share one sequence, are processed in order and sent again
// until acknowledged.
struct Results {
  std::uint64_t report{};  // from 1 in each session
  JobId job;
  AttemptToken token;
  TaskIndex first;
  std::uint64_t count{};
  Outcome outcome{};
  std::uint64_t values_bytes{};  // the part of the blob that holds values
  std::uint64_t run_ns{};        // summed over the tasks
  Credit credit;
};

// Tasks given back: they were never started.
struct Returned {
  std::uint64_t report{};
  JobId job;
  AttemptToken token;
  std::vector<IndexRange> ranges;
  bool unbound{};          // because the worker knows no JobSpec for this job
  std::uint32_t recall{};  // the Recall it answers, or 0
  Credit credit;
};

using FromWorker = std::variant<WorkerHello, WorkerHeartbeat, Goodbye, Results, Returned>;

// ---- broker → producer
// -------------------------------------------------------------------------------------------

struct ProducerWelcome {
  InstanceId instance;
  std::uint32_t attempt{};  // of the hello it answers
  std::uint64_t heartbeat_ms{};
};

struct JobOpened {
  std::string key;
  JobId job;
  std::uint64_t next_index{};  // tuples before it are accepted already
  bool closed{};
  Credit credit;  // tasks: indexes below it may be submitted; bytes: of tuples, since the job began
  std::uint64_t accepted_bytes{};
  std::string signature;   // of the function, as offered; may be empty
  std::string durability;  // "memory", "os" or "sync"
  // XXH3 (64 bits) over the bytes of the tuples before next_index, of a job with a named key; else
  // 0.
  std::uint64_t tuples_digest{};
};

// Tuples before next_index are accepted; a gap or a repeat is answered with it too.
struct Accepted {
  JobId job;
  std::uint64_t next_index{};
  bool closed{};
  Credit credit;
};

// One slice of a recorded batch. Blob: the batch's whole blob, then `tuples_bytes` of tuple blocks.
// The batch covers tasks [batch_first, batch_first + batch_count), the slice [first, first + count)
// within it counts. Outcome kCancelled: no values; the blob holds the tuples alone.
struct Rows {
  JobId job;
  std::uint64_t position{};  // equals the reader's cursor, else it is to be dropped
  std::uint64_t next{};      // the cursor after it
  TaskIndex batch_first;
  std::uint64_t batch_count{};
  TaskIndex first;
  std::uint64_t count{};
  Outcome outcome{};
  bool dead_lettered{};
  AttemptToken token;
  std::uint32_t attempt{};  // 1 for the first
  std::string worker;       // "name@host" or so; empty if none
  std::uint64_t values_bytes{};
  std::uint64_t run_ns{};
  std::uint64_t tuples_bytes{};
  std::uint32_t tuples_skip{};  // tuples to pass over before that of `first`
  std::uint32_t round{};  // above 0: it supersedes what earlier rounds recorded of these tasks
};

// Pushed now and then, best effort.
struct JobStatus {
  JobId job;
  JobCounts counts;
  std::uint32_t workers{};
  std::uint32_t slots{};
  WaitingFor waiting_for{};
  TaskIndex waiting_index;  // for kSlowTask: the first task without a result
};

// Something happened to an attempt that ended nothing yet (a crash that will be tried again), best
// effort. Blob: like that of a failed Results.
struct JobEvent {
  JobId job;
  TaskIndex index;
  Outcome outcome{};
  std::uint32_t attempt{};
  std::uint32_t limit{};
  std::string worker;
};

// Every task has a row and every row is acknowledged.
struct JobEnded {
  JobId job;
  JobCounts counts;
  std::string halted = {};  // the policy that ended it, as a sentence; else empty
  std::uint32_t rounds{};   // behind the first
};

// Answers what cannot be done. `key` for OpenJob, `request` for Ask and Steer, else `job`.
struct Refused {
  std::string key;
  JobId job;
  ErrorCode code{};
  std::string message;
  std::uint64_t request{};
};

struct HeartbeatReply {
  bool list_wanted{};      // a worker's next heartbeat is to carry the list of what it holds
  std::uint64_t number{};  // of the worker's heartbeat that it answers; 0 to a producer
  bool full{};             // to a producer: the broker's disk is, and no tuples are taken
};
struct UnknownSession {};  // say HELLO again

// Blob: a msgpack array of maps, one per job or worker, or one map of the broker's status; the keys
// are in PROTOCOL.md, 1.9.
struct Answer {
  std::uint64_t request{};
};

// To a reader in the order kRecorded: it has acknowledged every row that was recorded when it
// asked.
struct RowsEnded {
  JobId job;
  std::uint64_t cursor{};
  JobCounts counts;
};

// Chunks of this key before `sequence` are accepted. Beyond them as many tuples and bytes may be in
// flight as it says; one over-long chunk may go alone. Sent again when there is more room.
struct Pushed {
  JobId job;
  std::string key;
  std::uint64_t sequence{};
  std::uint64_t next_index{};  // of the job
  Credit room;
  std::uint64_t tasks{};  // in the accepted chunks of this key; 0 with any of them: not told
};

using ToProducer =
    std::variant<ProducerWelcome, JobOpened, Accepted, Rows, JobStatus, JobEvent, JobEnded, Refused,
                 HeartbeatReply, UnknownSession, Answer, RowsEnded, Pushed>;

// ---- broker → worker
// ---------------------------------------------------------------------------------------------

struct WorkerWelcome {
  InstanceId instance;
  std::uint32_t attempt{};
  std::uint64_t heartbeat_ms{};
  std::uint64_t lease_ms{};
  std::vector<AttemptToken>
      keep;  // of the claims: go on; the unstarted tasks of all others are dropped
};

// Tasks [first, first + count) of a job. Blob: the blocks that hold them, `skip` tuples before the
// first. `spec` is empty or has one element; it comes with the first lease of a job in a session.
struct Lease {
  std::uint64_t lease{};  // from 1 in each session
  JobId job;
  AttemptToken token;
  TaskIndex first;
  std::uint64_t count{};
  std::uint32_t skip{};
  std::uint32_t attempt{};  // 1 unless these tasks ran before
  std::vector<Block> blocks;
  std::vector<JobSpec> spec;
};

// Reports up to and including `report` are taken care of.
struct ReportsTaken {
  std::uint64_t report{};
};

// A request: give back up to `count` unstarted tasks, of `job` alone if it is not zero. Answered by
// Returned.
struct Recall {
  std::uint32_t recall{};
  JobId job;
  std::uint64_t count{};
};

// The job is over for this worker: unstarted tasks are dropped, running ones killed after grace_ms.
struct StopJob {
  JobId job;
  std::uint64_t grace_ms{};
};

using ToWorker = std::variant<WorkerWelcome, Lease, ReportsTaken, Recall, StopJob, HeartbeatReply,
                              UnknownSession, Refused>;

}  // namespace fanmill
