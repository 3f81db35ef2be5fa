// One job of a producer's session: what was submitted and not acknowledged, where the reader is,
// and what must be said again. Internal to producer/session.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "producer/session.hpp"
#include "proto/limits.hpp"
#include "proto/tuple_digest.hpp"

namespace fanmill::producer {

// Chunks (and their bytes) handed to submit() and not acknowledged, per job.
inline constexpr std::size_t kUnacknowledgedChunksMax = 32;
inline constexpr std::size_t kUnacknowledgedBytesMax = 16 * limits::kMiB;

class SessionJob {
 public:
  // Without an order no rows are asked for.
  SessionJob(JobHandle handle, std::string key, JobOptions options, std::optional<RowOrder> order,
             std::uint64_t window_bytes, nanoseconds ack_delay);
  // Of a job that is there: its rows alone, from a cursor on.
  SessionJob(JobHandle handle, JobId job, RowOrder order, std::uint64_t cursor,
             std::uint64_t window_bytes, nanoseconds ack_delay);

  // ---- from the user ----
  bool may_submit() const;
  // Both may find that a named key belongs to other tuples: JobRefused.
  void submit(ChunkBuilder::Chunk chunk, std::vector<Notice>& out);
  void close(std::vector<Notice>& out);
  void cancel(std::uint64_t grace_ms);
  void rows_done(std::uint64_t cursor, MonoTime now);

  // ---- from the broker, in the present session; notices are appended to `out` ----
  void session_began(MonoTime now);  // everything unacknowledged is to be said again
  void opened(const JobOpened& message, MonoTime now, std::vector<Notice>& out);
  void accepted(const Accepted& message, MonoTime now);
  Result<void> rows(const Rows& message, const Blob& blob, MonoTime now, std::vector<Notice>& out);
  void ended(const JobEnded& message, std::vector<Notice>& out);
  void rows_ended(const RowsEnded& message, std::vector<Notice>& out);
  void refused(Error error, std::vector<Notice>& out);

  // Whatever is due now, appended to `out`; and when something will be due.
  void collect(MonoTime now, SessionId session, std::vector<ToSend>& out);
  std::optional<MonoTime> due_at() const;

  JobHandle handle() const { return handle_; }
  const std::string& key() const { return options_key_; }
  std::optional<JobId> job() const { return job_; }
  bool over() const { return over_; }
  // The broker has everything that was submitted, and the end of it where close() was called.
  bool settled() const {
    return job_ && !open_wanted_ && pending_.empty() && submitted_tasks_ <= accepted_tasks_ &&
           (!close_wanted_ || closed_);
  }
  std::uint64_t submitted_tasks() const { return submitted_tasks_; }
  std::uint64_t accepted_tasks() const { return accepted_tasks_; }

 private:
  struct Pending {
    std::uint64_t first;
    std::uint64_t count;
    std::uint64_t bytes_end;  // tuple bytes of the job up to the end of this chunk
    std::vector<Block> blocks;
    Blob bytes;
  };
  void take_acceptance(std::uint64_t next_index, bool closed, Credit credit, MonoTime now);
  void cut_front(Pending& chunk, std::uint64_t tuples);
  void compare(const ChunkBuilder::Chunk& chunk, std::vector<Notice>& out);
  bool within_credit(const Pending& chunk) const;
  bool everything_delivered() const;

  const JobHandle handle_;
  const std::string options_key_;
  const JobOptions options_;
  bool is_snapshot() const {
    return order_ == RowOrder::kRecorded || order_ == RowOrder::kFailures;
  }

  const RowOrder order_;
  const bool reads_ = true;
  const bool attached_ = false;  // somebody else opened it
  const std::uint64_t window_bytes_;
  const nanoseconds ack_delay_;

  bool over_ = false;
  std::optional<JobId> job_;
  bool open_wanted_ = true;  // an OpenJob is to be sent (again)
  bool bound_ = false;       // JobOpened came in the present session
  MonoTime open_resend_at_{};

  // Submitting. Chunks [0, sent_) of pending_ have been sent in this session.
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
  std::size_t sent_ = 0;
  std::uint64_t submitted_tasks_ = 0;
  std::uint64_t submitted_bytes_ = 0;
  std::uint64_t accepted_tasks_ = 0;
  std::uint64_t accepted_bytes_ = 0;
  Credit credit_;
  Credit
      widest_;  // the widest window of credit seen: what the broker allows with nothing in flight
  MonoTime submit_resend_at_{};

  // Of a named key: what the broker had when it was opened, and ours as far as it is submitted.
  struct Comparison {
    std::uint64_t tasks;
    std::uint64_t digest;
    TupleDigest ours;
  };
  std::optional<Comparison> comparison_;
  std::optional<JobId> begun_anew_;  // by a broker that lost this job; nobody feeds it

  bool close_wanted_ = false;
  bool close_sent_ = false;
  bool closed_ = false;  // acknowledged
  MonoTime close_resend_at_{};

  std::optional<std::uint64_t> cancel_grace_ms_;
  bool cancel_sent_ = false;
  bool cancel_seen_ = false;
  MonoTime cancel_resend_at_{};

  // Reading.
  std::uint64_t received_ = 0;  // cursor of the next rows to take
  std::uint64_t done_ = 0;      // cursor up to which the user has taken care of them
  bool gather_wanted_ = false;
  bool ack_wanted_ = false;
  std::optional<MonoTime> ack_at_;         // rows were taken care of: they are acknowledged by then
  std::uint64_t unacknowledged_rows_ = 0;  // messages, and their bytes, since the last GatherAck
  std::uint64_t unacknowledged_bytes_ = 0;
  MonoTime gather_resend_at_{};
  JobCounts seen_;  // what the rows received so far say
};

}  // namespace fanmill::producer
