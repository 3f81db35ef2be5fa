// Links between the broker and its peers: late, lossy, repeating, reordering, partitioned. A peer's
// connection has an address (PeerId) that is never used again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "proto/blob.hpp"
#include "proto/codec.hpp"
#include "tests/sim/world.hpp"

namespace fanmill::sim {

// Peers are numbered: workers from 0, then producers, then observers.
using PeerNumber = std::uint32_t;
// What a peer's end of a connection is given: a message, or that it was garbled.
struct PeerEnd {
  std::function<void(const Envelope<ToWorker>&, const Blob&)> to_worker;
  std::function<void(const Envelope<ToProducer>&, const Blob&)> to_producer;
  std::function<void()> garbled;
};

class Network {
 public:
  explicit Network(World& world);

  PeerId connect(PeerNumber peer, PeerEnd end);
  void close(PeerId id);
  void partition(PeerNumber peer, bool to_broker, bool from_broker, MonoTime until);
  // The transport loses the peer's present connection and neither end is told now.
  void cut(PeerNumber peer);

  void to_broker(PeerId from, SessionId session, const FromWorker& message, const Blob& blob);
  void to_broker(PeerId from, SessionId session, const FromProducer& message, const Blob& blob);
  void from_broker(PeerId to, SessionId session, const ToWorker& message, const Blob& blob);
  void from_broker(PeerId to, SessionId session, const ToProducer& message, const Blob& blob);

 private:
  struct Way {  // one direction of a connection
    MonoTime last{};
  };
  struct Connection {
    PeerNumber peer{};
    PeerEnd end;
    bool open = true;
    bool cut = false;
    Way up, down;
  };
  struct Link {  // of a peer
    MonoTime up_blocked_until{};
    MonoTime down_blocked_until{};
    PeerId present;
  };

  Connection* find(PeerId id);
  // When copies of a message arrive; none if it is lost.
  std::vector<MonoTime> arrivals(Way& way, MonoTime blocked_until);
  template <class Message, class Deliver>
  void carry(Connection& connection, bool up, SessionId session, const Message& message,
             const Blob& blob, Deliver deliver);
  template <class Message>
  void send_up(PeerId from, SessionId session, const Message& message, const Blob& blob);
  template <class Message>
  void send_down(PeerId to, SessionId session, const Message& message, const Blob& blob);

  World& world_;
  std::vector<Link> links_;
  std::map<PeerId, Connection> connections_;
  std::uint64_t last_id_ = 0;
  std::string header_;
};

}  // namespace fanmill::sim
