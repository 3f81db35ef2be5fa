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
  // It dies, and starts again on what its disk has after that time.
  void kill(nanoseconds away);
  const SimStore& store() const { return store_; }
  const broker::Core& core() const { return *core_; }
  bool alive() const { return core_.has_value(); }

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
  void live();

  World& world_;
  SimStore store_;
  std::optional<broker::Core> core_;  // none: it is dead
  std::vector<broker::Event> inbox_;
  std::deque<Held> held_;
  std::optional<MonoTime> turn_at_;
  std::uint64_t turn_number_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t committing_ = 0;  // up to this write; 0: nothing
  std::uint64_t before_ = 0;      // writes of earlier lives
  std::uint64_t durable_told_ = 0;
  std::uint64_t life_ = 1;
  MonoTime paused_until_{};
  nanoseconds gap_{};
};

}  // namespace fanmill::sim
