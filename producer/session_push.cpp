#include "producer/session_push.hpp"

#include <utility>

#include "producer/session_job.hpp"

namespace fanmill::producer {

// Chunks that the broker has from an earlier run under the same key are handed over too, and passed
// over.
bool SessionPush::may_push() const {
  if (over_ || !known_) return false;
  if (next_ < taken_) return true;
  return pending_.size() < kUnacknowledgedChunksMax && pending_bytes_ < kUnacknowledgedBytesMax;
}

void SessionPush::push(ChunkBuilder::Chunk chunk, std::vector<Notice>& out) {
  FANMILL_ASSERT(chunk.tuples > 0);
  pushed_tasks_ += chunk.tuples;
  const std::uint64_t sequence = next_++;
  if (over_) return;
  if (sequence < taken_) {
    // The last of them may have been shorter: what its input has behind that would be passed over.
    if (next_ == taken_ && taken_tasks_ != 0 && pushed_tasks_ != taken_tasks_) {
      refused(
          {ErrorCode::kConflict,
           "under the key \"" + key_ + "\" " + std::to_string(taken_tasks_) +
               " tuples were pushed, and the input has other ones by now: choose another --key"},
          out);
    }
    return;
  }
  pending_bytes_ += chunk.bytes.size();
  pending_.push_back(
      {sequence, chunk.tuples, std::move(chunk.blocks), Blob::from(std::move(chunk.bytes))});
}

void SessionPush::session_began() {
  sent_ = 0;
  resend_at_ = MonoTime::min();
}

void SessionPush::pushed(const Pushed& message, MonoTime now) {
  if (over_ || message.sequence < taken_) return;
  if (!std::exchange(known_, true)) taken_tasks_ = message.tasks;
  room_ = message.room;
  if (message.sequence == taken_) return;
  taken_ = message.sequence;
  resend_at_ = now + limits::kResendAfter;
  while (!pending_.empty() && pending_.front().sequence < taken_) {
    pending_bytes_ -= pending_.front().bytes.size();
    pending_.pop_front();
    if (sent_ > 0) --sent_;
  }
}

void SessionPush::refused(Error error, std::vector<Notice>& out) {
  if (over_) return;
  over_ = true;
  out.emplace_back(PushRefused{.handle = handle_, .error = std::move(error)});
}

void SessionPush::collect(MonoTime now, SessionId session, std::vector<ToSend>& out) {
  if (over_) return;
  const auto say = [&](Push message, Blob blob) {
    out.push_back({.message = std::move(message), .session = session, .blob = std::move(blob)});
    resend_at_ = now + limits::kResendAfter;
  };
  if (!known_) {
    if (now >= resend_at_)
      say({.job = job_, .key = key_, .sequence = 0, .count = 0, .blocks = {}}, {});
    return;
  }
  if (sent_ > 0 && now >= resend_at_) sent_ = 0;
  Credit in_flight;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const Pending& chunk = pending_[i];
    in_flight.tasks += chunk.count;
    in_flight.bytes += chunk.bytes.size();
    const bool fits = in_flight.tasks <= room_.tasks && in_flight.bytes <= room_.bytes;
    if (!fits && i > 0) break;
    // The first may be longer than all room there ever is; one that only has to wait is asked for
    // again after a while.
    if (i < sent_ || (!fits && now < resend_at_)) continue;
    sent_ = i + 1;
    say({.job = job_,
         .key = key_,
         .sequence = chunk.sequence,
         .count = chunk.count,
         .blocks = chunk.blocks},
        chunk.bytes);
    if (!fits) break;
  }
}

std::optional<MonoTime> SessionPush::due_at() const {
  if (over_ || settled()) return {};
  return resend_at_;
}

}  // namespace fanmill::producer
