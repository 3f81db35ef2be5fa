#include "producer/library/stream_job.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "producer/row_batch.hpp"
#include "proto/limits.hpp"

namespace fanmill {
namespace {

// The user's thread turns to rows after so many chunks.
constexpr int kChunksPerTurn = 4;
// Chunks that wait for the I/O thread, per job.
constexpr std::size_t kOutboxChunksMax = 8;

}  // namespace

struct client::TupleSink::State {
  producer::OpenChunk& chunk;
  producer::IoThread& io;
};

std::string& client::TupleSink::begin_tuple() { return state_->chunk.begin_tuple(); }

bool client::TupleSink::tuple_done() {
  if (!state_->chunk.tuple_done()) return false;
  if (state_->chunk.is_wanted()) [[unlikely]] {
    state_->io.wake();
  }
  return true;
}

namespace producer {

// ---- the I/O thread's side ----

std::optional<MonoTime> StreamJob::turn(Session& session, JobHandle job, MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (cancel_grace_ms_ && !cancel_told_) {
    cancel_told_ = true;
    outbox_.clear();
    session.cancel(job, *cancel_grace_ms_, now);
  }
  bool took = false;
  while (!outbox_.empty() && session.may_submit(job)) {
    session.submit(job, std::move(outbox_.front()), now);
    outbox_.pop_front();
    took = true;
  }
  if (input_ended_ && outbox_.empty() && !closed_ && !cancel_told_) {
    closed_ = true;
    session.close(job, now);
  }
  if (done_ > done_told_) {
    done_told_ = done_;
    session.rows_done(job, done_, now);
  }
  if (took && waiting_ && waits_for_room_ && has_room()) {
    waiting_ = false;
    changed_.notify_one();
  }
  return look_at_range(session, job, now);
}

// A range that has given nothing for a while may be long in coming: what it gave before leaves.
std::optional<MonoTime> StreamJob::look_at_range(Session& session, JobHandle job, MonoTime now) {
  if (puts_seen_ != puts_ || open_chunk_.is_offered()) {
    puts_seen_ = puts_;
    open_chunk_.want_nothing();
    look_at_ = now + OpenChunk::kTimeMax;
  }
  if (!look_at_ || input_ended_ || !outbox_.empty() || !session.may_submit(job)) return {};
  if (now < *look_at_) return look_at_;
  look_at_.reset();
  if (auto chunk = open_chunk_.take()) session.submit(job, std::move(*chunk), now);
  return {};
}

void StreamJob::rows(RowsArrived rows, Session& session, MonoTime now) {
  bool abandoned = false;
  {
    const std::lock_guard lock(mutex_);
    abandoned = abandoned_;
  }
  if (abandoned) {
    session.rows_done(rows.handle, rows.rows.next, now);
  } else {
    came_.push_back(std::move(rows));
  }
}

void StreamJob::rows_came() {
  if (came_.empty()) return;
  const std::lock_guard lock(mutex_);
  if (abandoned_) {
    done_ = std::max(done_, came_.back().rows.next);
  } else {
    std::move(came_.begin(), came_.end(), std::back_inserter(arrived_));
  }
  came_.clear();
  if (std::exchange(waiting_, false)) changed_.notify_one();
}

void StreamJob::over(std::optional<JobCounts> counts, FailurePtr failure) {
  const std::lock_guard lock(mutex_);
  over_ = true;
  counts_ = counts;
  failure_ = std::move(failure);
  outbox_.clear();
  waiting_ = false;
  changed_.notify_all();
}

// ---- the user's side ----

bool StreamJob::has_room() const {
  return outbox_.size() < kOutboxChunksMax && !cancel_grace_ms_ && !over_;
}

bool StreamJob::room() const {
  const std::lock_guard lock(mutex_);
  return has_room();
}

void StreamJob::put(ChunkBuilder::Chunk chunk, bool last) {
  const std::lock_guard lock(mutex_);
  if (over_ || cancel_grace_ms_) return;
  ++puts_;
  if (chunk.tuples > 0) outbox_.push_back(std::move(chunk));
  input_ended_ = input_ended_ || last;
}

std::optional<RowsArrived> StreamJob::try_take() {
  const std::lock_guard lock(mutex_);
  if (arrived_.empty()) return {};
  std::optional<RowsArrived> rows(std::move(arrived_.front()));
  arrived_.pop_front();
  return rows;
}

void StreamJob::wait(bool for_room) {
  std::unique_lock lock(mutex_);
  waits_for_room_ = for_room;
  while (arrived_.empty() && !over_ && !(for_room && has_room())) {
    waiting_ = true;
    changed_.wait(lock);
  }
  waiting_ = false;
}

void StreamJob::done(std::uint64_t cursor) {
  const std::lock_guard lock(mutex_);
  done_ = std::max(done_, cursor);
}

void StreamJob::cancel(std::uint64_t grace_ms, bool abandon) {
  const std::lock_guard lock(mutex_);
  abandoned_ = abandoned_ || abandon;
  if (abandoned_ && !arrived_.empty()) {
    done_ = std::max(done_, arrived_.back().rows.next);
    arrived_.clear();
  }
  if (!cancel_grace_ms_) cancel_grace_ms_ = grace_ms;
  if (std::exchange(waiting_, false)) changed_.notify_one();
}

bool StreamJob::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancel_grace_ms_.has_value();
}

bool StreamJob::is_over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

std::optional<JobCounts> StreamJob::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

FailurePtr StreamJob::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

StreamHandle::StreamHandle(std::shared_ptr<IoThread> io, std::shared_ptr<StreamJob> job,
                           std::uint64_t read_ahead)
    : io_(std::move(io)), job_(std::move(job)), read_ahead_(read_ahead) {
  if (io_->is_foreign()) own_failure_ = foreign_failure();
}

StreamHandle::~StreamHandle() {
  if (io_->is_foreign() || job_->is_over()) return;
  if (current_) job_->done(current_->rows.next);
  job_->cancel(0, true);
  io_->wake();
}

void StreamHandle::cancel(std::chrono::milliseconds grace) {
  if (io_->is_foreign()) return;
  job_->cancel(static_cast<std::uint64_t>(std::max<std::int64_t>(grace.count(), 0)), false);
  io_->wake();
}

std::optional<Counts> StreamHandle::counts() const {
  if (io_->is_foreign()) return {};
  const auto counts = job_->counts();
  if (!counts) return {};
  return Counts{.accepted = counts->accepted,
                .succeeded = counts->succeeded,
                .failed = counts->failed,
                .dead_lettered = counts->dead_lettered,
                .cancelled = counts->cancelled};
}

client::FailurePtr StreamHandle::failure() const {
  if (own_failure_ != nullptr || io_->is_foreign()) return own_failure_;
  return job_->failure();
}

bool StreamHandle::wants_input() const {
  return input_open_ && (read_ahead_ == 0 || taken_ - given_ < read_ahead_);
}

// One chunk. It grows with the pace of the input: a slow one is not kept waiting for a full chunk.
void StreamHandle::feed(client::Input& input) {
  OpenChunk& open = job_->open_chunk();
  SinkState state{open, *io_};
  client::TupleSink sink;
  set(sink, &state);
  open.begin(read_ahead_ == 0 ? target_ : std::min(target_, read_ahead_ - (taken_ - given_)));
  const bool more = input.fill(sink);
  OpenChunk::Ended ended = open.end();
  input_is_slow_ = ended.took >= OpenChunk::kTimeMax;
  target_ = input_is_slow_ ? std::max<std::uint64_t>(ended.tuples / 2, 1)
                           : std::min<std::uint64_t>(target_ * 2, limits::kChunkTuplesMax);
  taken_ += ended.tuples;
  if (ended.too_long) {
    own_failure_ =
        job_failure({ErrorCode::kBadArguments,
                     "tuple " + std::to_string(taken_) + " is longer than " +
                         std::to_string(limits::kTupleBytesMax / limits::kMiB) + " MiB"});
    input_open_ = false;
    cancel(std::chrono::milliseconds(0));
    return;
  }
  input_open_ = more;
  job_->put(std::move(ended.chunk), !more);
  io_->wake();
}

bool StreamHandle::next(client::Input& input, client::Batch& batch) {
  if (io_->is_foreign()) {
    own_failure_ = foreign_failure();
    return false;
  }
  if (current_) {
    given_ += current_->rows.count;
    job_->done(current_->rows.next);
    current_.reset();
  }
  while (true) {
    // Rows that are there go before a tuple that may be long in coming.
    auto rows = input_is_slow_ ? job_->try_take() : std::nullopt;
    for (int i = 0; !rows && i < kChunksPerTurn && wants_input() && job_->room(); ++i) {
      feed(input);
      if (input_is_slow_) break;
    }
    if (!rows) rows = job_->try_take();
    if (rows) {
      if (unpack(std::move(*rows), batch)) return true;
      continue;
    }
    if (job_->is_over()) {
      // What came between the look for rows and this one.
      rows = job_->try_take();
      if (rows && unpack(std::move(*rows), batch)) return true;
      return false;
    }
    if (wants_input() && job_->room()) continue;
    io_->wake();  // what was done with is acknowledged, so that more may come
    job_->wait(wants_input());
  }
}

bool StreamHandle::unpack(RowsArrived arrived, client::Batch& batch) {
  current_.emplace(std::move(arrived));
  const Rows& rows = current_->rows;
  auto made = RowBatch::make(rows, current_->blob.view());
  if (!made) {
    own_failure_ = job_failure(made.error());
    job_->done(rows.next);
    current_.reset();
    cancel(std::chrono::milliseconds(0));
    return false;
  }
  batch.first = rows.first.value;
  batch.count = rows.count;
  batch.attempt = rows.attempt;
  batch.mean_run_ns = rows.batch_count > 0 ? rows.run_ns / rows.batch_count : 0;
  batch.run_ns.clear();
  batch.notes.clear();
  if (const auto& all = made->columns().run_ns; !all.empty()) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(rows.first - rows.batch_first);
    batch.run_ns.assign(from, from + static_cast<std::ptrdiff_t>(rows.count));
  }
  if (made->only_values() && rows.tuples_bytes == 0) {
    batch.values = made->values_left();
    return true;
  }
  Row row;
  while (made->next(row).value_or(false)) {
    client::TaskNote& note = batch.notes.emplace_back();
    note.value = row.value;
    note.tuple = row.tuple;
    if (rows.outcome != Outcome::kSucceeded) note.failure = task_failure(rows, row);
    if (row.output != nullptr) {
      note.out = row.output->out;
      note.err = row.output->err;
    }
  }
  if (batch.notes.size() == rows.count) return true;
  own_failure_ = job_failure({ErrorCode::kProtocol, "rows are shorter than they say"});
  cancel(std::chrono::milliseconds(0));
  return false;
}

}  // namespace producer
}  // namespace fanmill
