#include "producer/session_job.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {
constexpr nanoseconds kResend = limits::kResendAfter;
}  // namespace

SessionJob::SessionJob(JobHandle handle, std::string key, JobOptions options,
                       std::optional<RowOrder> order, std::uint64_t window_bytes,
                       nanoseconds ack_delay)
    : handle_(handle),
      options_key_(std::move(key)),
      options_(std::move(options)),
      order_(order.value_or(RowOrder::kInput)),
      reads_(order.has_value()),
      window_bytes_(window_bytes),
      ack_delay_(ack_delay) {}

SessionJob::SessionJob(JobHandle handle, JobId job, RowOrder order, std::uint64_t cursor,
                       std::uint64_t window_bytes, nanoseconds ack_delay)
    : handle_(handle),
      order_(order),
      attached_(true),
      window_bytes_(window_bytes),
      ack_delay_(ack_delay),
      job_(job),
      open_wanted_(false),
      received_(cursor),
      done_(cursor) {}

// ---- from the user ----

bool SessionJob::may_submit() const {
  if (over_ || attached_ || !job_ || close_wanted_ || cancel_grace_ms_) return false;
  // Of a named key: its tuples are there, and compared to the end.
  if (closed_) return options_.named_key;
  if (submitted_tasks_ < accepted_tasks_) return true;  // the broker has these tuples already
  return pending_.size() < kUnacknowledgedChunksMax && pending_bytes_ < kUnacknowledgedBytesMax &&
         submitted_tasks_ < credit_.tasks && submitted_bytes_ < credit_.bytes;
}

void SessionJob::submit(ChunkBuilder::Chunk chunk, std::vector<Notice>& out) {
  FANMILL_ASSERT(chunk.tuples > 0 && !close_wanted_);
  if (comparison_) compare(chunk, out);
  Pending pending{.first = submitted_tasks_,
                  .count = chunk.tuples,
                  .bytes_end = submitted_bytes_ + chunk.bytes.size(),
                  .blocks = std::move(chunk.blocks),
                  .bytes = Blob::from(std::move(chunk.bytes))};
  submitted_tasks_ += pending.count;
  submitted_bytes_ = pending.bytes_end;
  if (over_ || cancel_grace_ms_) return;
  if (closed_ && submitted_tasks_ > accepted_tasks_) {
    refused({ErrorCode::kConflict, "the key \"" + options_key_ +
                                       "\" belongs to a job that is closed with " +
                                       std::to_string(accepted_tasks_) +
                                       " tuples, and these are more: choose another "
                                       "--key"},
            out);
    return;
  }
  if (submitted_tasks_ <= accepted_tasks_) {
    accepted_bytes_ = submitted_bytes_;
    return;
  }
  if (pending.first < accepted_tasks_) cut_front(pending, accepted_tasks_ - pending.first);
  pending_bytes_ += pending.bytes.size();
  pending_.push_back(std::move(pending));
}

// Tuples that the broker has are not sent, but must be the same.
void SessionJob::compare(const ChunkBuilder::Chunk& chunk, std::vector<Notice>& out) {
  const std::uint64_t left = comparison_->tasks - submitted_tasks_;
  std::size_t bytes = chunk.bytes.size();
  if (chunk.tuples > left) {
    bytes = 0;
    FANMILL_ASSERT(skip_msgpack(chunk.bytes, bytes, left).has_value());
  }
  comparison_->ours.update(std::string_view(chunk.bytes).substr(0, bytes));
  if (chunk.tuples < left) return;
  if (comparison_->ours.value() != comparison_->digest) {
    refused(
        {ErrorCode::kConflict, "the key \"" + options_key_ + "\" belongs to a job whose first " +
                                   std::to_string(comparison_->tasks) +
                                   " tuples are others than these: choose another --key"},
        out);
  }
  comparison_.reset();
}

void SessionJob::close(std::vector<Notice>& out) {
  if (close_wanted_) return;
  close_wanted_ = true;
  if (!comparison_ || submitted_tasks_ == comparison_->tasks) return;
  refused({ErrorCode::kConflict, "the key \"" + options_key_ + "\" belongs to a job with " +
                                     std::to_string(comparison_->tasks) +
                                     " tuples already, and these are " +
                                     std::to_string(submitted_tasks_) + ": choose another --key"},
          out);
}

void SessionJob::cancel(std::uint64_t grace_ms) {
  if (over_) return;
  cancel_grace_ms_ = grace_ms;
  cancel_sent_ = false;
  cancel_seen_ = false;
  pending_.clear();
  pending_bytes_ = 0;
  sent_ = 0;
}

void SessionJob::rows_done(std::uint64_t cursor, MonoTime now) {
  FANMILL_ASSERT(cursor <= received_);
  if (cursor <= done_) return;
  done_ = cursor;
  if (!ack_at_) ack_at_ = now + ack_delay_;
}

// ---- from the broker ----

void SessionJob::session_began(MonoTime now) {
  if (over_) return;
  bound_ = false;
  sent_ = 0;
  close_sent_ = false;
  cancel_sent_ = false;
  if (attached_) {
    bound_ = gather_wanted_ = true;
    ack_wanted_ = done_ > 0;
    return;
  }
  // A job all of whose rows are here is not opened again: its broker may have forgotten it, and
  // would begin another. Only the end of it is asked for.
  open_wanted_ = !everything_delivered();
  gather_wanted_ = ack_wanted_ = !open_wanted_;
  bound_ = !open_wanted_;
  open_resend_at_ = now;
}

void SessionJob::opened(const JobOpened& message, MonoTime now, std::vector<Notice>& out) {
  if (over_) return;
  if (job_ && *job_ != message.job) {
    if (message.next_index == 0) begun_anew_ = message.job;
    refused(
        {ErrorCode::kUnreachable,
         "the broker has lost this job: it was restarted without a durable store; run it again"},
        out);
    return;
  }
  const bool first_time = !job_;
  job_ = message.job;
  open_wanted_ = false;
  if (!bound_) {
    bound_ = true;
    gather_wanted_ = reads_;
    ack_wanted_ = reads_ && done_ > 0;
  }
  if (first_time && options_.named_key && message.next_index > 0)
    comparison_ = Comparison{message.next_index, message.tuples_digest, {}};
  if (first_time) out.emplace_back(Opened{.handle = handle_, .job = message});
  if (message.next_index > accepted_tasks_) {
    accepted_bytes_ = std::max(accepted_bytes_, message.accepted_bytes);
  }
  take_acceptance(message.next_index, message.closed, message.credit, now);
}

void SessionJob::accepted(const Accepted& message, MonoTime now) {
  if (over_) return;
  take_acceptance(message.next_index, message.closed, message.credit, now);
}

void SessionJob::take_acceptance(std::uint64_t next_index, bool closed, Credit credit,
                                 MonoTime now) {
  if (next_index > accepted_tasks_) {
    accepted_tasks_ = next_index;
    while (!pending_.empty() && pending_.front().first + pending_.front().count <= next_index) {
      accepted_bytes_ = std::max(accepted_bytes_, pending_.front().bytes_end);
      pending_bytes_ -= pending_.front().bytes.size();
      pending_.pop_front();
      if (sent_ > 0) --sent_;
    }
    if (!pending_.empty() && pending_.front().first < next_index) {
      Pending& front = pending_.front();
      pending_bytes_ -= front.bytes.size();
      cut_front(front, next_index - front.first);
      pending_bytes_ += front.bytes.size();
      sent_ = 0;
    }
    submit_resend_at_ = now + kResend;
  }
  credit_.tasks = std::max(credit_.tasks, credit.tasks);
  credit_.bytes = std::max(credit_.bytes, credit.bytes);
  if (credit_.tasks > accepted_tasks_) {
    widest_.tasks = std::max(widest_.tasks, credit_.tasks - accepted_tasks_);
  }
  if (credit_.bytes > accepted_bytes_) {
    widest_.bytes = std::max(widest_.bytes, credit_.bytes - accepted_bytes_);
  }
  if (closed && !closed_) {
    closed_ = true;
    if (cancel_sent_) cancel_seen_ = true;
  }
}

// Tuples that the broker has already: the rest is a chunk of its own.
void SessionJob::cut_front(Pending& chunk, std::uint64_t tuples) {
  FANMILL_ASSERT(tuples < chunk.count);
  const std::string_view bytes = chunk.bytes.view();
  std::size_t at = 0;
  FANMILL_ASSERT(skip_msgpack(bytes, at, tuples).has_value());
  ChunkBuilder rest;
  for (std::uint64_t i = tuples; i < chunk.count; ++i) {
    const std::size_t from = at;
    FANMILL_ASSERT(skip_msgpack(bytes, at, 1).has_value());
    rest.bytes().append(bytes.substr(from, at - from));
    rest.tuple_done();
  }
  ChunkBuilder::Chunk cut = rest.take();
  chunk.first += tuples;
  chunk.count = cut.tuples;
  chunk.blocks = std::move(cut.blocks);
  chunk.bytes = Blob::from(std::move(cut.bytes));
}

Result<void> SessionJob::rows(const Rows& message, const Blob& blob, MonoTime now,
                              std::vector<Notice>& out) {
  if (over_ || message.position != received_) return {};
  const bool in_batch = message.first >= message.batch_first && message.count > 0 &&
                        message.count <= message.batch_count &&
                        message.first - message.batch_first <= message.batch_count - message.count;
  // Of what is recorded, tasks without a record are passed over.
  const bool in_place = is_snapshot() ? message.first.value >= message.position
                                      : message.first.value == message.position;
  const bool in_order = order_ == RowOrder::kAsCompleted
                            ? message.next > message.position
                            : in_place && message.next == message.first.value + message.count;
  if (!in_batch || !in_order || message.values_bytes > blob.size() ||
      message.tuples_bytes > blob.size() - message.values_bytes) {
    return fail(ErrorCode::kProtocol, "rows that contradict themselves");
  }
  received_ = message.next;
  ++unacknowledged_rows_;
  unacknowledged_bytes_ += blob.size();
  gather_resend_at_ = now + kResend;
  seen_.accepted += message.count;
  switch (message.outcome) {
    case Outcome::kSucceeded:
      seen_.succeeded += message.count;
      break;
    case Outcome::kCancelled:
      seen_.cancelled += message.count;
      break;
    case Outcome::kFailed:
    case Outcome::kCrashed:
    case Outcome::kTimeLimit:
    case Outcome::kWorkerLost:
      (message.dead_lettered ? seen_.dead_lettered : seen_.failed) += message.count;
      break;
  }
  out.emplace_back(RowsArrived{.handle = handle_, .rows = message, .blob = blob});
  return {};
}

bool SessionJob::everything_delivered() const {
  return reads_ && !attached_ && job_ && closed_ && done_ == received_ &&
         seen_.accepted == accepted_tasks_;
}

void SessionJob::ended(const JobEnded& message, std::vector<Notice>& out) {
  if (over_) return;
  over_ = true;
  pending_.clear();
  out.emplace_back(Ended{.handle = handle_,
                         .counts = message.counts,
                         .halted = message.halted,
                         .rounds = message.rounds});
}

void SessionJob::rows_ended(const RowsEnded& message, std::vector<Notice>& out) {
  if (is_snapshot() && message.cursor == done_) ended({message.job, message.counts}, out);
}

void SessionJob::refused(Error error, std::vector<Notice>& out) {
  if (over_) return;
  if (error.code == ErrorCode::kNotFound && everything_delivered()) {
    ended({*job_, seen_}, out);  // forgotten once delivered; only the word of it was lost
    return;
  }
  over_ = true;
  pending_.clear();
  out.emplace_back(JobRefused{.handle = handle_, .error = std::move(error)});
}

// ---- what is due ----

// A chunk beyond the broker's whole window goes alone, once nothing else is in flight.
bool SessionJob::within_credit(const Pending& chunk) const {
  if (chunk.first + chunk.count <= credit_.tasks && chunk.bytes_end <= credit_.bytes) return true;
  const bool oversized = chunk.count > widest_.tasks || chunk.bytes.size() > widest_.bytes;
  return oversized && chunk.first == accepted_tasks_ && widest_.tasks > 0 &&
         credit_.tasks >= accepted_tasks_ + widest_.tasks &&
         credit_.bytes >= accepted_bytes_ + widest_.bytes;
}

void SessionJob::collect(MonoTime now, SessionId session, std::vector<ToSend>& out) {
  const auto say = [&](FromProducer message, Blob blob = {}) {
    out.push_back({.message = std::move(message), .session = session, .blob = std::move(blob)});
  };
  if (begun_anew_) say(CancelJob{.job = *std::exchange(begun_anew_, {}), .grace_ms = 0});
  if (over_) return;
  if (open_wanted_) {
    if (now < open_resend_at_) return;
    open_resend_at_ = now + kResend;
    say(OpenJob{.key = options_key_, .options = options_});
    return;
  }
  if (!bound_) return;
  const JobId job = *job_;

  if (cancel_grace_ms_ && !cancel_seen_ && (!cancel_sent_ || now >= cancel_resend_at_)) {
    cancel_sent_ = true;
    cancel_resend_at_ = now + kResend;
    say(CancelJob{.job = job, .grace_ms = *cancel_grace_ms_});
  }

  // Go back to the oldest unacknowledged chunk when nothing moves.
  if (sent_ > 0 && now >= submit_resend_at_) sent_ = 0;
  while (sent_ < pending_.size() && within_credit(pending_[sent_])) {
    const Pending& chunk = pending_[sent_];
    if (sent_ == 0) submit_resend_at_ = now + kResend;
    ++sent_;
    say(Submit{.job = job,
               .first = TaskIndex{chunk.first},
               .count = chunk.count,
               .blocks = chunk.blocks},
        chunk.bytes);
  }

  // Cancelling closes the job where its broker stands.
  const bool close_due = close_wanted_ && !cancel_grace_ms_ && sent_ == pending_.size() &&
                         (!close_sent_ || now >= close_resend_at_);
  if (!closed_ && close_due) {
    close_sent_ = true;
    close_resend_at_ = now + kResend;
    say(CloseJob{.job = job, .total = submitted_tasks_});
  }

  // Rows that the user still holds are no standstill.
  if (reads_ && done_ == received_ && now >= gather_resend_at_) gather_wanted_ = ack_wanted_ = true;
  if (gather_wanted_) {
    gather_wanted_ = false;
    gather_resend_at_ = now + kResend;
    say(Gather{.job = job, .order = order_, .cursor = received_, .window_bytes = window_bytes_});
  }
  // The broker may be waiting for room in the window, or for the end.
  const bool ack_pressing = unacknowledged_rows_ >= limits::kAcksAtOnce ||
                            unacknowledged_bytes_ >= window_bytes_ / 4 || everything_delivered();
  if (ack_wanted_ || (ack_at_ && (ack_pressing || now >= *ack_at_))) {
    ack_wanted_ = false;
    ack_at_.reset();
    unacknowledged_rows_ = unacknowledged_bytes_ = 0;
    gather_resend_at_ = now + kResend;
    say(GatherAck{.job = job, .cursor = done_});
  }
}

std::optional<MonoTime> SessionJob::due_at() const {
  if (over_) return {};
  if (open_wanted_) return open_resend_at_;
  if (!bound_) return {};
  MonoTime due = MonoTime::max();
  if (reads_ && done_ == received_) due = std::min(due, gather_resend_at_);
  if (ack_at_) due = std::min(due, *ack_at_);
  if (sent_ > 0) due = std::min(due, submit_resend_at_);
  if (!closed_ && close_sent_ && !cancel_grace_ms_) due = std::min(due, close_resend_at_);
  if (cancel_grace_ms_ && !cancel_seen_) due = std::min(due, cancel_resend_at_);
  if (due == MonoTime::max()) return {};
  return due;
}

}  // namespace fanmill::producer
