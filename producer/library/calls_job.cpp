#include "producer/library/calls_job.hpp"

#include <utility>

#include "producer/row_batch.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

// Calls that the broker has not taken yet.
constexpr std::size_t kWaitingBytesMax = 64 * limits::kMiB;

std::shared_ptr<client::CallState> ended_call(FailurePtr failure) {
  auto call = std::make_shared<client::CallState>();
  call->failure = std::move(failure);
  call->ready.store(true, std::memory_order_release);
  return call;
}

}  // namespace

// ---- the I/O thread's side ----

std::optional<MonoTime> CallsJob::turn(Session& session, JobHandle job, MonoTime now) {
  const std::lock_guard lock(mutex_);
  while (session.may_submit(job) && !(outbox_.empty() && builder_.empty())) {
    if (outbox_.empty()) {
      session.submit(job, builder_.take(), now);
    } else {
      outbox_bytes_ -= outbox_.front().bytes.size();
      session.submit(job, std::move(outbox_.front()), now);
      outbox_.pop_front();
    }
  }
  if (waiting_for_room_ > 0 && outbox_bytes_ < kWaitingBytesMax) room_.notify_all();
  if (close_wanted_ && !closed_ && outbox_.empty() && builder_.empty()) {
    closed_ = true;
    session.close(job, now);
  }
  return {};
}

void CallsJob::rows(RowsArrived arrived, Session& session, MonoTime now) {
  const std::lock_guard lock(mutex_);
  take(arrived);
  session.rows_done(arrived.handle, arrived.rows.next, now);
}

void CallsJob::take(const RowsArrived& arrived) {
  auto batch = RowBatch::make(arrived.rows, arrived.blob.view());
  FailurePtr garbled = batch ? nullptr : job_failure(batch.error());
  Row row;
  for (std::uint64_t i = 0; i < arrived.rows.count; ++i) {
    const std::uint64_t index = arrived.rows.first.value + i;
    if (garbled == nullptr) {
      const auto more = batch->next(row);
      if (!more) garbled = job_failure(more.error());
    }
    FailurePtr failure = garbled;
    if (failure == nullptr && arrived.rows.outcome != Outcome::kSucceeded) {
      failure = task_failure(arrived.rows, row);
    }
    settle(index, failure == nullptr ? row.value : std::string_view(), std::move(failure));
  }
  while (!open_.empty() && open_.front() == nullptr) {
    open_.pop_front();
    ++open_first_;
  }
}

void CallsJob::settle(std::uint64_t index, std::string_view value, FailurePtr failure) {
  if (index < open_first_ || index - open_first_ >= open_.size()) return;
  const auto call = std::move(open_[index - open_first_]);
  if (call == nullptr) return;
  call->value.assign(value);
  call->failure = std::move(failure);
  call->ready.store(true, std::memory_order_release);
}

void CallsJob::rows_came() {
  const std::lock_guard lock(mutex_);
  if (waiting_ > 0) ended_.notify_all();
}

void CallsJob::over(std::optional<JobCounts>, FailurePtr failure) {
  const std::lock_guard lock(mutex_);
  over_ = true;
  failure_ = failure != nullptr ? std::move(failure) : closed_failure();
  for (const auto& call : open_) {
    if (call == nullptr) continue;
    call->failure = failure_;
    call->ready.store(true, std::memory_order_release);
  }
  open_.clear();
  outbox_.clear();
  ended_.notify_all();
  room_.notify_all();
}

// ---- the users' side ----

std::shared_ptr<client::CallState> CallsJob::submit(std::string_view tuple) {
  if (tuple.size() > limits::kTupleBytesMax) {
    return ended_call(job_failure({ErrorCode::kBadArguments, "parameters of more than 256 MiB"}));
  }
  auto call = std::make_shared<client::CallState>();
  std::unique_lock lock(mutex_);
  if (outbox_bytes_ >= kWaitingBytesMax && !over_) {
    ++waiting_for_room_;
    room_.wait(lock, [this] { return outbox_bytes_ < kWaitingBytesMax || over_; });
    --waiting_for_room_;
  }
  if (over_) return ended_call(failure_);
  builder_.bytes().append(tuple);
  builder_.tuple_done();
  if (builder_.full()) {
    outbox_.push_back(builder_.take());
    outbox_bytes_ += outbox_.back().bytes.size();
  }
  open_.push_back(call);
  return call;
}

void CallsJob::wait(const client::CallState& call) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  ended_.wait(lock, [&] { return call.ready.load(std::memory_order_acquire); });
  --waiting_;
}

bool CallsJob::wait_until(const client::CallState& call,
                          std::chrono::steady_clock::time_point end) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  const bool ready =
      ended_.wait_until(lock, end, [&] { return call.ready.load(std::memory_order_acquire); });
  --waiting_;
  return ready;
}

void CallsJob::close() {
  const std::lock_guard lock(mutex_);
  close_wanted_ = true;
}

bool CallsJob::is_over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

CallsHandle::~CallsHandle() {
  if (io_->is_foreign()) return;
  job_->close();
  io_->wake();
}

std::shared_ptr<client::CallState> CallsHandle::submit(std::string_view tuple) {
  if (io_->is_foreign()) return ended_call(foreign_failure());
  auto call = job_->submit(tuple);
  io_->wake();
  return call;
}

// In a forked child nobody will ever end a call.
void CallsHandle::wait(const client::CallState& call) {
  if (!io_->is_foreign()) job_->wait(call);
}

bool CallsHandle::wait_until(const client::CallState& call,
                             std::chrono::steady_clock::time_point end) {
  return io_->is_foreign() || job_->wait_until(call, end);
}

}  // namespace fanmill::producer
