// A job that somebody iterates over: tuples go from the user's thread to the I/O thread in chunks,
// rows come back in the broker's batches, and each side has a bounded queue of the other's work.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <fanmill/detail/engine.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "producer/library/io_thread.hpp"
#include "producer/library/open_chunk.hpp"
#include "proto/chunk.hpp"

namespace fanmill::producer {

// What both threads share of one job.
class StreamJob : public JobDriver {
 public:
  using JobDriver::JobDriver;

  // ---- the I/O thread's ----
  std::optional<MonoTime> turn(Session& session, JobHandle job, MonoTime now) override;
  void rows(RowsArrived rows, Session& session, MonoTime now) override;
  void rows_came() override;
  void over(std::optional<JobCounts> counts, FailurePtr failure) override;

  // ---- the user's ----
  OpenChunk& open_chunk() { return open_chunk_; }
  bool room() const;  // for another chunk
  void put(ChunkBuilder::Chunk chunk, bool last);
  std::optional<RowsArrived> try_take();
  // Until there are rows, or room where that is wanted, or the job is over.
  void wait(bool for_room);
  void done(std::uint64_t cursor);  // rows up to there are not looked at any more
  void cancel(std::uint64_t grace_ms, bool abandon);
  bool is_cancelled() const;
  bool is_over() const;
  std::optional<JobCounts> counts() const;
  FailurePtr failure() const;

 private:
  bool has_room() const;
  std::optional<MonoTime> look_at_range(Session& session, JobHandle job, MonoTime now);

  // The I/O thread's.
  std::vector<RowsArrived> came_;    // of this turn
  std::uint64_t puts_seen_ = 0;      // of puts_
  std::optional<MonoTime> look_at_;  // at the range, unless a chunk comes before

  OpenChunk open_chunk_;  // both threads', as it says

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  bool waiting_ = false;
  bool waits_for_room_ = false;
  std::deque<ChunkBuilder::Chunk> outbox_;
  std::uint64_t puts_ = 1;  // and one for the first chunk's beginning
  bool input_ended_ = false;
  bool closed_ = false;  // at the session
  std::deque<RowsArrived> arrived_;
  std::uint64_t done_ = 0;
  std::uint64_t done_told_ = 0;
  std::optional<std::uint64_t> cancel_grace_ms_;
  bool cancel_told_ = false;
  bool abandoned_ = false;
  bool over_ = false;
  std::optional<JobCounts> counts_;
  FailurePtr failure_;
};

// The user's end of it.
class StreamHandle : public client::Stream {
 public:
  StreamHandle(std::shared_ptr<IoThread> io, std::shared_ptr<StreamJob> job,
               std::uint64_t read_ahead);
  ~StreamHandle() override;

  bool next(client::Input& input, client::Batch& batch) override;
  void cancel(std::chrono::milliseconds grace) override;
  std::optional<Counts> counts() const override;
  client::FailurePtr failure() const override;

 private:
  bool wants_input() const;
  void feed(client::Input& input);
  bool unpack(RowsArrived rows, client::Batch& batch);

  const std::shared_ptr<IoThread> io_;
  const std::shared_ptr<StreamJob> job_;
  const std::uint64_t read_ahead_;  // 0: no bound of its own
  bool input_open_ = true;
  bool input_is_slow_ = false;
  std::uint64_t target_ = 1;            // tuples of the next chunk
  std::uint64_t taken_ = 0;             // tuples from the input
  std::uint64_t given_ = 0;             // rows handed out and done with
  std::optional<RowsArrived> current_;  // the batch that the user looks at
  FailurePtr own_failure_;
};

}  // namespace fanmill::producer
