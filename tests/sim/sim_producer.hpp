// A producer around the real session: feeds its jobs under credit, reads their rows, and is now and
// then slow, silent or in a mind to cancel.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "producer/session.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/world.hpp"

namespace fanmill::sim {

class SimProducer {
 public:
  SimProducer(World& world, std::uint32_t number);

  void pause(nanoseconds gap);
  void disconnect();
  void leave();  // says goodbye
  std::string text() const;

 private:
  struct Feed {
    const JobPlan* plan{};
    producer::JobHandle handle;
    std::uint64_t next = 0;
    MonoTime feed_at{};
    bool closed = false;
    bool cancelled = false;
    bool ended = false;
    std::optional<MonoTime> close_at;
    std::optional<MonoTime> cancel_at;
    std::optional<MonoTime> pause_at;  // and then again, until it is to go on
    MonoTime resume_at{};              // and then again, until it has ended
    std::uint64_t arrived = 0;         // cursor behind the last rows
    bool reading = false;              // a wake-up to take care of rows is on its way
  };
  struct Waiting {
    std::optional<Envelope<ToProducer>> envelope;  // nothing: it was garbled
    Blob blob;
  };

  PeerNumber peer() const;
  void turn_at(MonoTime time);
  void turn();
  void feed(Feed& feed);
  void submit_chunk(Feed& feed);
  void pause_and_resume(Feed& feed);
  void notice(const producer::Notice& notice);
  void carry_out();
  void reconnect();

  World& world_;
  const std::uint32_t number_;
  producer::Session session_;
  std::vector<Feed> feeds_;
  PeerId connection_;
  std::vector<Waiting> inbox_;
  SessionId last_session_;  // that the broker named
  std::uint64_t steered_ = 0;
  bool connected_told_ = true;
  std::optional<MonoTime> turn_at_;
  std::uint64_t turn_number_ = 0;
  MonoTime paused_until_{};
};

}  // namespace fanmill::sim
