// The producer's session with a broker: submits under credit, gathers by cursor, repeats what was
// not acknowledged and survives reconnects. Pure; the loop around it is producer/client.hpp, and
// the simulator's is tests/sim.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/blob.hpp"
#include "proto/chunk.hpp"
#include "proto/clock.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct SessionConfig {
  InstanceId instance;
  std::string host;
  std::uint32_t pid{};
  std::string user = {};
  std::uint64_t seed = 0;
  std::uint64_t window_bytes = limits::kGatherWindowBytes;
  nanoseconds ack_delay = limits::kAckDelay;  // of GatherAck; zero: at once
};

// Local number of a job of this session, from 0 in the order of open().
struct JobHandle {
  std::uint32_t value{};
  friend constexpr auto operator<=>(JobHandle, JobHandle) = default;
};

// Local number of a push of this session, from 0 in the order of begin_push().
struct PushHandle {
  std::uint32_t value{};
  friend constexpr auto operator<=>(PushHandle, PushHandle) = default;
};

// Number of a question or of an order to steer, from 1 in the life of this session's instance.
struct RequestId {
  std::uint64_t value{};
  friend constexpr auto operator<=>(RequestId, RequestId) = default;
};

// ---- what the session tells its user, in order ----
struct Opened {
  JobHandle handle;
  JobOpened job;
};
struct RowsArrived {  // handed over exactly once and in cursor order; call rows_done() when taken
                      // care of
  JobHandle handle;
  Rows rows;
  Blob blob;
};
struct StatusArrived {
  JobHandle handle;
  JobStatus status;
};
struct EventArrived {
  JobHandle handle;
  JobEvent event;
  Blob blob;
};
struct Ended {
  JobHandle handle;
  JobCounts counts;
  std::string halted = {};  // the policy that ended it, as a sentence; else empty
  std::uint32_t rounds{};   // behind the first
};
struct JobRefused {  // this job is over
  JobHandle handle;
  Error error;
};
struct AnswerArrived {  // once for each request; the document is as in PROTOCOL.md, 1.9
  RequestId request;
  Blob document;
};
struct RequestRefused {  // instead of an answer; nothing was done
  RequestId request;
  Error error;
};
struct PushRefused {  // this push is over
  PushHandle handle;
  Error error;
};
using Notice = std::variant<Opened, RowsArrived, StatusArrived, EventArrived, Ended, JobRefused,
                            AnswerArrived, RequestRefused, PushRefused>;

struct ToSend {
  FromProducer message;
  SessionId session;
  Blob blob;
};
struct SessionDuties {
  bool reconnect = false;
  std::vector<ToSend> send;
  std::vector<Notice> notices;
  std::optional<MonoTime> wake_at;
};

class Session {
 public:
  Session(SessionConfig config, MonoTime now);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // ---- from the transport ----
  void connected(MonoTime now);
  void message(const Envelope<ToProducer>& envelope, const Blob& blob, MonoTime now);
  // Bytes that are no message, or no connection to be had: another one is asked for after a while.
  void garbled(const Error& error, MonoTime now);
  void tick(MonoTime now);

  // ---- from the user ----
  // `key` makes the job idempotent. Rows are asked for from the start, in `order`; without one,
  // never: such a job does not end here, it is settled().
  JobHandle open(std::string key, JobOptions options, std::optional<RowOrder> order, MonoTime now);
  // The rows of a job that is there, from `cursor` on (see Gather). In the order kRecorded it ends
  // with what is recorded; else with the job.
  JobHandle attach(JobId job, RowOrder order, std::uint64_t cursor, MonoTime now);
  // Whether another chunk may be submitted now: opened, not closed, within credit and with few
  // chunks unacknowledged.
  bool may_submit(JobHandle job) const;
  void submit(JobHandle job, ChunkBuilder::Chunk chunk, MonoTime now);  // only if may_submit()
  void close(JobHandle job, MonoTime now);
  void cancel(JobHandle job, std::uint64_t grace_ms, MonoTime now);  // see CancelJob
  void rows_done(JobHandle job, std::uint64_t cursor,
                 MonoTime now);  // Rows::next of the last rows taken care of
  // Tuples for an open job. Chunks that the broker has under this key from an earlier run are
  // passed over by their number: hand over the same ones again.
  PushHandle begin_push(JobId job, std::string key, MonoTime now);
  bool may_push(PushHandle push) const;
  void push(PushHandle push, ChunkBuilder::Chunk chunk, MonoTime now);  // only if may_push()
  bool settled(PushHandle push) const;                                  // the broker has all of it
  // Both are said again, also in a later session, until they are answered: AnswerArrived or
  // RequestRefused.
  RequestId ask(Topic topic, std::string selector, MonoTime now);
  // At most limits::kJobsSteeredMax jobs.
  RequestId steer(std::vector<JobId> jobs, Steering action, std::uint64_t grace_ms, MonoTime now,
                  std::uint32_t outcomes = 0);
  void drop(RequestId request);  // nobody waits for its answer any more
  void goodbye(MonoTime now);

  SessionDuties take_duties(MonoTime now);
  bool is_connected() const;    // welcomed, and not silent since
  bool broker_is_full() const;  // its disk: it takes no tuples; as its last heartbeat said
  std::uint64_t submitted(JobHandle job) const;  // tasks handed to submit()
  std::uint64_t accepted(JobHandle job) const;   // tasks acknowledged
  // Everything submitted is acknowledged, and the end of it where close() was called.
  bool settled(JobHandle job) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::producer
