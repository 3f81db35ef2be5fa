// The loop around the real broker core: collects events into turns, carries duties out in their
// order, and holds back what waits for the store.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "broker/core/core.hpp"
#include "tests/sim/sim_store.hpp"
#include "tests/sim/world.hpp"

namespace fanmill::sim {

class SimBroker {
 public:
  explicit SimBroker(World& world);

  void deliver(broker::Event event);
  void pause(nanoseconds gap);
  const SimStore& store() const { return store_; }
  const broker::Core& core() const { return core_; }

 private:
  struct Held {
    std::uint64_t write;
    broker::Outgoing message;
  };
  void turn_at(MonoTime time);
  void turn();
  void step(const broker::Event& event);
  void carry_out();
  void send(const broker::Outgoing& message);
  void commit_later();

  World& world_;
  SimStore store_;
  broker::Core core_;
  std::vector<broker::Event> inbox_;
  std::deque<Held> held_;
  std::optional<MonoTime> turn_at_;
  std::uint64_t turn_number_ = 0;
  std::uint64_t turns_ = 0;
  bool committing_ = false;
  std::uint64_t durable_told_ = 0;
  MonoTime paused_until_{};
  nanoseconds gap_{};
};

}  // namespace fanmill::sim
