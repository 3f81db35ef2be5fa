// The loop around the real agent core of one worker, and its executors. When the agent is killed
// everything of it dies; a fresh instance starts later.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tests/sim/network.hpp"
#include "tests/sim/sim_executor.hpp"
#include "tests/sim/world.hpp"
#include "worker/agent_core.hpp"

namespace fanmill::sim {

class SimWorker {
 public:
  SimWorker(World& world, std::uint32_t number);

  void start();
  void kill(nanoseconds down);
  void drain(nanoseconds down);
  void pause(nanoseconds gap);
  void kill_some_executor();
  void disconnect();

  bool idle() const;
  InstanceId instance() const { return instance_; }
  std::string text() const;
  void check() const;

 private:
  struct SlotState {
    std::shared_ptr<SimExecutor> executor;
    MonoTime last_frame{};  // frames of one executor arrive in order
  };

  void deliver(worker::Event event);
  void turn_at(MonoTime time);
  void turn();
  void step(const worker::Event& event);
  void reconnect();
  void begin_executor(std::uint32_t slot);
  void executor_says(std::uint32_t slot, nanoseconds delay, worker::Event event);
  bool carry_out(worker::AgentDuties duties);  // whether there is more to do at once
  void stop(RunState running);

  World& world_;
  const std::uint32_t number_;
  const WorkerPlan& plan_;
  std::uint64_t life_ = 0;  // rises with every start and end of an agent
  std::optional<worker::AgentCore> agent_;
  InstanceId instance_;
  PeerId connection_;
  std::vector<SlotState> slots_;
  struct Waiting {
    worker::Event event;
    std::optional<SimExecutor::DoneFrame> done;  // what an ExecutorDone speaks of
  };
  std::vector<Waiting> inbox_;
  std::optional<MonoTime> turn_at_;
  std::uint64_t turn_number_ = 0;
  std::uint64_t turns_ = 0;
  bool watch_ = false;
  nanoseconds down_after_drain_{};
  MonoTime paused_until_{};
};

}  // namespace fanmill::sim
