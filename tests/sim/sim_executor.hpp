// An executor process in virtual time: the page, the frames and the stop rules of
// worker/executor.cpp, with tasks that take the time and end as the plan says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "proto/blob.hpp"
#include "proto/executor_frames.hpp"
#include "proto/result_batch.hpp"
#include "tests/sim/world.hpp"

namespace fanmill::sim {

class SimExecutor : public std::enable_shared_from_this<SimExecutor> {
 public:
  struct DoneFrame {
    executor::Done done;
    Blob blob;
    std::uint32_t ordinal{};
    IndexRange tasks;
    std::uint64_t token{};
  };
  using Frame = std::variant<DoneFrame, executor::Stopped>;
  struct Agent {  // what it is connected to
    std::function<void(Frame)> send;
    std::function<void(int signal)> died;
  };

  SimExecutor(World& world, InstanceId instance, Agent agent)
      : world_(world), instance_(instance), agent_(std::move(agent)) {}

  void give(const executor::Bind& bind);
  void give(const executor::Work& work, const Blob& blob);
  void give(const executor::Forget& forget);
  void raise_end(std::uint64_t end) { end_ = end; }
  std::uint64_t lower_end(std::uint64_t end);

  // The process ends; what ran is `state` from then on.
  void kill(int signal, RunState state);
  bool alive() const { return alive_; }
  bool running() const { return running_; }
  std::uint64_t started() const { return started_; }
  std::uint64_t finished() const { return finished_; }

 private:
  struct Work {
    const JobPlan* job{};
    executor::Work frame;
    Blob blob;
    std::size_t at = 0;      // in the blob
    std::uint64_t next = 0;  // of its tasks
  };
  using Incoming = std::variant<executor::Bind, Work, executor::Forget>;

  void wake(nanoseconds after);
  void go();
  bool take_incoming();
  void end_task(Work& work, nanoseconds took);
  void begin_report(const Work& work, Outcome outcome);
  void close_report();
  void flush();
  void stop_at(std::uint64_t position);

  World& world_;
  InstanceId instance_;
  Agent agent_;
  bool alive_ = true;
  bool busy_ = false;     // until a wake-up that is on its way
  bool running_ = false;  // one task, until then
  std::uint64_t started_ = 0, finished_ = 0, end_ = 0;
  std::uint64_t position_ = 0;  // behind the last that was given
  std::uint64_t execution_ = 0;

  std::deque<Incoming> socket_;
  std::deque<Work> queue_;  // at most one: what is being worked on
  std::set<JobId> bound_;
  bool passing_over_ = false;

  struct Report {
    const JobPlan* job{};
    std::uint64_t position{};
    IndexRange tasks;
    std::uint64_t token{};
    Outcome outcome{};
    std::string values;
    nanoseconds run{};
    std::vector<Failure> failures;
  };
  std::optional<Report> report_;
  std::vector<DoneFrame> closed_;
  nanoseconds unsent_{};
};

}  // namespace fanmill::sim
