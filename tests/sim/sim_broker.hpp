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
  // Commits find no room for so long, but for some that a reserve beside the store lets through.
  void fill_disk(nanoseconds lasts);
  // The next commit fails, and the broker ends with it, for so long.
  void fail_next_sync(nanoseconds away);
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
  void end_commit();
  bool has_no_room();
  void tell_of_room(std::uint64_t life);
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
  MonoTime full_until_{};         // the disk is
  std::uint64_t reserve_ = 0;     // commits that it has room for all the same
  bool full_told_ = false;        // to the core
  std::optional<nanoseconds> sync_fails_;
  std::uint64_t before_ = 0;  // writes of earlier lives
  std::uint64_t durable_told_ = 0;
  std::uint64_t life_ = 1;
  MonoTime paused_until_{};
  nanoseconds gap_{};
};

}  // namespace fanmill::sim
