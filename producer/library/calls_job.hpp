// A job that calls are added to one by one, and whose rows end them. Calls made while the I/O
// thread was busy leave in one chunk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <fanmill/detail/engine.hpp>
#include <memory>
#include <mutex>
#include <string_view>

#include "producer/library/io_thread.hpp"
#include "proto/chunk.hpp"

namespace fanmill::producer {

class CallsJob : public JobDriver {
 public:
  using JobDriver::JobDriver;

  // ---- the I/O thread's ----
  std::optional<MonoTime> turn(Session& session, JobHandle job, MonoTime now) override;
  void rows(RowsArrived rows, Session& session, MonoTime now) override;
  void rows_came() override;
  void over(std::optional<JobCounts> counts, FailurePtr failure) override;

  // ---- the users' ----
  std::shared_ptr<client::CallState> submit(std::string_view tuple);
  void wait(const client::CallState& call);
  bool wait_until(const client::CallState& call, std::chrono::steady_clock::time_point end);
  void close();  // no further call is made
  bool is_over() const;

 private:
  void settle(std::uint64_t index, std::string_view value, FailurePtr failure);
  void take(const RowsArrived& arrived);

  mutable std::mutex mutex_;       // of what follows
  std::condition_variable ended_;  // calls, that somebody waits for
  std::condition_variable room_;
  std::size_t waiting_ = 0;
  std::size_t waiting_for_room_ = 0;
  ChunkBuilder builder_;
  std::deque<ChunkBuilder::Chunk> outbox_;  // full ones, before what is in the builder
  std::size_t outbox_bytes_ = 0;
  std::deque<std::shared_ptr<client::CallState>> open_;  // calls from open_first_ on; null: ended
  std::uint64_t open_first_ = 0;
  bool close_wanted_ = false;
  bool closed_ = false;
  bool over_ = false;
  FailurePtr failure_;
};

// The users' end: gone, no further call is made.
class CallsHandle : public client::Calls {
 public:
  CallsHandle(std::shared_ptr<IoThread> io, std::shared_ptr<CallsJob> job)
      : io_(std::move(io)), job_(std::move(job)) {}
  ~CallsHandle() override;

  std::shared_ptr<client::CallState> submit(std::string_view tuple) override;
  void wait(const client::CallState& call) override;
  bool wait_until(const client::CallState& call,
                  std::chrono::steady_clock::time_point end) override;
  bool is_over() const { return job_->is_over(); }

 private:
  const std::shared_ptr<IoThread> io_;
  const std::shared_ptr<CallsJob> job_;
};

}  // namespace fanmill::producer
