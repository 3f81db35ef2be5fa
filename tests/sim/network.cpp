#include "tests/sim/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/sim_broker.hpp"
#include "tests/sim/text.hpp"

namespace fanmill::sim {
namespace {

template <class Message>
auto decoded(const std::string& header) {
  if constexpr (std::is_same_v<Message, ToWorker>) {
    return decode_to_worker(header);
  } else if constexpr (std::is_same_v<Message, ToProducer>) {
    return decode_to_producer(header);
  } else {
    return decode_to_broker(header);
  }
}

template <class Message>
auto wrapped(SessionId session, const Message& message) {
  if constexpr (std::is_same_v<Message, ToWorker> || std::is_same_v<Message, ToProducer>) {
    return Envelope<Message>{session, message};
  } else {
    return Envelope<ToBroker>{session, message};
  }
}

}  // namespace

Network::Network(World& world)
    : world_(world),
      links_(world.plan.workers.size() + world.plan.producers + world.plan.observers.size()) {}

PeerId Network::connect(PeerNumber peer, PeerEnd end) {
  const PeerId id{++last_id_};
  if (links_[peer].present != PeerId{}) close(links_[peer].present);
  links_[peer].present = id;
  Connection& connection = connections_[id];
  connection.peer = peer;
  connection.end = std::move(end);
  return id;
}

void Network::close(PeerId id) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->open) return;
  connection->open = false;
  if (world_.plan.peer_gone && world_.random.chance(0.7)) {
    world_.events.after(world_.random.magnitude(100us, 2s), [this, id] {
      world_.tell([&] { return fmt::format("broker learns that peer {} is gone", id.value); });
      world_.broker->deliver(broker::PeerGone{id});
    });
  }
}

void Network::partition(PeerNumber peer, bool to_broker, bool from_broker, MonoTime until) {
  Link& link = links_[peer];
  if (to_broker) link.up_blocked_until = std::max(link.up_blocked_until, until);
  if (from_broker) link.down_blocked_until = std::max(link.down_blocked_until, until);
}

void Network::cut(PeerNumber peer) {
  if (Connection* connection = find(links_[peer].present)) connection->cut = true;
}

Network::Connection* Network::find(PeerId id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : &it->second;
}

std::vector<MonoTime> Network::arrivals(Way& way, MonoTime blocked_until) {
  const Plan& plan = world_.plan;
  Random& random = world_.random;
  std::vector<MonoTime> times;
  MonoTime leaves = world_.now();
  if (!world_.calm) {
    if (blocked_until > leaves) {
      if (!plan.partition_holds) return times;
      leaves = blocked_until;
    }
    if (random.chance(plan.loss)) return times;
  }
  const auto one = [&] {
    return leaves + plan.latency +
           (plan.jitter > nanoseconds(0) ? random.exponential(plan.jitter) : nanoseconds(0));
  };
  MonoTime arrives = one();
  const bool strays = !world_.calm && random.chance(plan.reorder);
  if (!strays) way.last = arrives = std::max(arrives, way.last);
  times.push_back(arrives);
  if (!world_.calm && random.chance(plan.repeat))
    times.push_back(one() + random.magnitude(1us, 3s));
  return times;
}

template <class Message, class Deliver>
void Network::carry(Connection& connection, bool up, SessionId session, const Message& message,
                    const Blob& blob, Deliver deliver) {
  Link& link = links_[connection.peer];
  if (world_.trace.hashes || world_.random.chance(world_.plan.codec)) {
    encode(header_, session, message);
    if (world_.trace.hashes) {
      world_.trace.hash(header_);
      world_.trace.hash(blob.view());
      const auto time = world_.now().time_since_epoch().count();
      world_.trace.hash({reinterpret_cast<const char*>(&time), sizeof time});
    }
  } else {
    header_.clear();
  }
  if (connection.cut) return;
  const auto times = arrivals(up ? connection.up : connection.down,
                              up ? link.up_blocked_until : link.down_blocked_until);
  if (times.empty()) {
    world_.tell([&] { return fmt::format("    lost: {}", text_of(message)); });
    return;
  }
  using Carried = decltype(wrapped(session, message));
  std::shared_ptr<const Carried> carried;
  if (header_.empty()) {
    carried = std::make_shared<const Carried>(wrapped(session, message));
  } else {
    auto back = decoded<Message>(header_);
    if (!back)
      violated("what is encoded can be decoded", text_of(message) + ": " + back.error().message);
    carried = std::make_shared<const Carried>(std::move(*back));
  }
  for (const MonoTime time : times) {
    const bool garbled = !world_.calm && world_.random.chance(world_.plan.garble);
    world_.events.at(time, [deliver, carried, blob, garbled] { deliver(*carried, blob, garbled); });
  }
}

template <class Message>
void Network::send_up(PeerId from, SessionId session, const Message& message, const Blob& blob) {
  Connection* connection = find(from);
  if (connection == nullptr || !connection->open) return;
  world_.tell([&] {
    return fmt::format("peer {}.{} s{:04x} → {}", connection->peer, from.value,
                       session.value & 0xffff, text_of(message));
  });
  // What has left arrives even when the sender has closed or died meanwhile.
  carry(
      *connection, true, session, message, blob,
      [this, from](const Envelope<ToBroker>& envelope, const Blob& bytes, bool garbled) {
        if (garbled) {
          world_.broker->deliver(broker::MalformedArrived{from, {ErrorCode::kProtocol, "garbled"}});
        } else {
          world_.broker->deliver(broker::MessageArrived{from, envelope, bytes});
        }
      });
}

template <class Message>
void Network::send_down(PeerId to, SessionId session, const Message& message, const Blob& blob) {
  Connection* connection = find(to);
  if (connection == nullptr) return;
  world_.tell([&] {
    return fmt::format("broker → peer {}.{} s{:04x} {}{}", connection->peer, to.value,
                       session.value & 0xffff, text_of(message),
                       connection->open ? "" : " (closed)");
  });
  if (!connection->open) {
    if (world_.plan.peer_gone && world_.random.chance(0.5))
      world_.broker->deliver(broker::PeerGone{to});
    return;
  }
  carry(*connection, false, session, message, blob,
        [this, to](const Envelope<Message>& envelope, const Blob& bytes, bool garbled) {
          Connection* still = find(to);
          if (still == nullptr || !still->open || still->cut) return;
          if (garbled) {
            still->end.garbled();
          } else if constexpr (std::is_same_v<Message, ToWorker>) {
            if (!still->end.to_worker)
              violated("messages go to the right role", text_of(envelope.message));
            still->end.to_worker(envelope, bytes);
          } else {
            if (!still->end.to_producer) {
              // Strangers are answered in the words of either role.
              if (std::holds_alternative<Refused>(envelope.message) ||
                  std::holds_alternative<UnknownSession>(envelope.message))
                return;
              violated("messages go to the right role", text_of(envelope.message));
            }
            still->end.to_producer(envelope, bytes);
          }
        });
}

void Network::to_broker(PeerId from, SessionId session, const FromWorker& message,
                        const Blob& blob) {
  send_up(from, session, message, blob);
}
void Network::to_broker(PeerId from, SessionId session, const FromProducer& message,
                        const Blob& blob) {
  send_up(from, session, message, blob);
}
void Network::from_broker(PeerId to, SessionId session, const ToWorker& message, const Blob& blob) {
  send_down(to, session, message, blob);
}
void Network::from_broker(PeerId to, SessionId session, const ToProducer& message,
                          const Blob& blob) {
  send_down(to, session, message, blob);
}

}  // namespace fanmill::sim
