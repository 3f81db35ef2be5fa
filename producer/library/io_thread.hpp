// The thread behind a fanmill::Pool: it owns the connection, the session and, in a private run,
// everything of that. Jobs are driven by it through JobDriver.
#pragma once

#include <fanmill/settings.hpp>
#include <memory>
#include <optional>
#include <string>

#include "producer/library/failures.hpp"
#include "producer/session.hpp"
#include "proto/clock.hpp"

namespace fanmill::producer {

// One job as the I/O thread sees it: everything here is called by that thread alone.
class JobDriver {
 public:
  JobDriver(JobOptions options, RowOrder order) : options_(std::move(options)), order_(order) {}
  JobDriver(const JobDriver&) = delete;
  JobDriver& operator=(const JobDriver&) = delete;
  virtual ~JobDriver() = default;

  const JobOptions& options() const { return options_; }
  RowOrder order() const { return order_; }

  // Once a turn: hand over what may be submitted, what was done with, and what is to be cancelled.
  // When the next turn is wanted at the latest, if that matters.
  virtual std::optional<MonoTime> turn(Session& session, JobHandle job, MonoTime now) = 0;
  // Rows, each once; then, at the end of a turn in which there were some, rows_came().
  virtual void rows(RowsArrived rows, Session& session, MonoTime now) = 0;
  virtual void rows_came() = 0;
  // The last call. One of the two is there.
  virtual void over(std::optional<JobCounts> counts, FailurePtr failure) = 0;

 private:
  const JobOptions options_;
  const RowOrder order_;
};

class IoThread {
 public:
  // Waits until it is connected, or has failed to start. `installed`: see client::Engine.
  static std::shared_ptr<IoThread> start(const PoolSettings& settings, const char* installed);
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread();

  // From any thread:
  FailurePtr start_failure() const;
  std::uint32_t slots() const;
  bool is_private() const;
  // This process was forked from the one that has the thread: nothing may be touched.
  bool is_foreign() const;
  void add(std::shared_ptr<JobDriver> driver);  // where it cannot run, over() is called at once
  void wake();                                  // a turn is wanted
  void stop();                                  // jobs that are not over end cancelled; joins

 private:
  struct State;
  explicit IoThread(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::producer
