#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "proto/channel.hpp"
#include "proto/channel_io.hpp"
#include "proto/door_watch.hpp"
#include "proto/gate_check.hpp"
#include "proto/ipc_path.hpp"

namespace fanmill {
namespace {

constexpr std::size_t kRoutingIdBytes = 5;  // a zero and four bytes that the ROUTER made up
constexpr unsigned kRoutingIdBits = 32;     // above them: which of the sockets

PeerId peer_of(std::size_t socket, const zmq::message_t& routing_id) {
  std::uint64_t value = socket;
  for (std::size_t i = 1; i < kRoutingIdBytes; ++i) {
    value = value << 8 | routing_id.data<unsigned char>()[i];
  }
  return {value};
}

zmq::message_t routing_id_of(PeerId peer) {
  std::array<unsigned char, kRoutingIdBytes> id{};
  for (std::size_t i = 1; i < kRoutingIdBytes; ++i) {
    id[i] = static_cast<unsigned char>(peer.value >> (8 * (kRoutingIdBytes - 1 - i)) & 0xffU);
  }
  return {id.data(), id.size()};
}

// One endpoint of a server.
struct Door {
  Door(void* context, Transport transport) : socket(context, ZMQ_ROUTER, transport) {}
  ZmqSocket socket;
  std::optional<IpcListener> listener;  // its file goes before the socket does
  std::optional<DoorWatch> watch;       // of TCP; it goes before the socket does
  std::string endpoint;
};

Result<void> open_ipc(Door& door, const std::string& path) {
  auto listener = IpcListener::make(path);
  if (!listener) return tl::make_unexpected(listener.error());
  door.listener.emplace(std::move(*listener));
  const int fd = door.listener->release();
  door.socket.set(ZMQ_USE_FD, fd);
  if (zmq_bind(door.socket.handle(), door.endpoint.c_str()) == 0) return {};
  auto failure = zmq_failure("listen at", door.endpoint);
  ::close(fd);
  return failure;
}

Result<void> open_tcp(void* context, Door& door, const TcpSecurity& security) {
  if (security.keys.secret_key.empty() || security.gate == nullptr) {
    return fail(ErrorCode::kUsage, "the endpoint " + door.endpoint +
                                       " is refused: without keys anybody on the network could "
                                       "run tasks here; use ipc://PATH");
  }
  if (!door.socket.serve_curve(security.keys)) return zmq_failure("set the keys of", door.endpoint);
  const auto checked =
      check_strangers_are_refused(context, door.socket, security.keys.public_key, *security.gate);
  if (!checked) return checked;
  if (zmq_bind(door.socket.handle(), door.endpoint.c_str()) != 0) {
    const char* const advice =
        zmq_errno() == EADDRINUSE      ? "; end what listens there, or choose another port"
        : zmq_errno() == EADDRNOTAVAIL ? "; it is no address of this host: 0.0.0.0 is all of them"
                                       : "";
    auto failure = zmq_failure("listen at", door.endpoint);
    failure.value().message += advice;
    return failure;
  }
  door.watch.emplace(context, door.socket.handle());
  std::array<char, 256> bound{};
  std::size_t size = bound.size();
  zmq_getsockopt(door.socket.handle(), ZMQ_LAST_ENDPOINT, bound.data(), &size);
  // The address as it was given: what is bound may be written in ways that nobody would type.
  const std::string_view chosen(bound.data());
  door.endpoint.replace(door.endpoint.rfind(':'), std::string::npos,
                        chosen.substr(chosen.rfind(':')));
  return {};
}

}  // namespace

struct ServerChannel::Impl {
  explicit Impl(void* zmq_context) : context(zmq_context) {}
  void* context;
  std::vector<std::unique_ptr<Door>> doors;
  std::size_t next_door = 0;  // that is read from; each has its turn
  PartSeries series;
  std::uint64_t dropped = 0;
  std::vector<pollfd> polled;
  zmq::message_t last;  // a frame of the last message
  std::size_t last_door = 0;
};

ServerChannel::ServerChannel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerChannel::ServerChannel(ServerChannel&&) noexcept = default;
ServerChannel& ServerChannel::operator=(ServerChannel&&) noexcept = default;
ServerChannel::~ServerChannel() = default;
std::uint64_t ServerChannel::dropped() const { return impl_->dropped; }

void ServerChannel::wait(std::span<pollfd> others, std::optional<nanoseconds> timeout) {
  wait_for_sockets(impl_->polled, others, timeout, [&](auto&& look_at) {
    for (const auto& door : impl_->doors) {
      look_at(door->socket.handle(), door->socket.descriptor());
      // Of the watch the descriptor is enough: it is read to its end in every turn.
      if (door->watch) impl_->polled.push_back({door->watch->descriptor(), POLLIN, 0});
    }
  });
}

std::vector<std::string> ServerChannel::endpoints() const {
  std::vector<std::string> all;
  for (const auto& door : impl_->doors) all.push_back(door->endpoint);
  return all;
}

Result<ServerChannel> ServerChannel::bind(ChannelContext& context, const std::string& endpoint,
                                          const TcpSecurity& security) {
  ServerChannel channel(std::make_unique<Impl>(context.handle()));
  const auto bound = channel.also_bind(endpoint, security);
  if (!bound) return tl::make_unexpected(bound.error());
  return channel;
}

Result<void> ServerChannel::also_bind(const std::string& endpoint, const TcpSecurity& security) {
  const auto parsed = parse_endpoint(endpoint);
  if (!parsed) return tl::make_unexpected(parsed.error());
  auto door = std::make_unique<Door>(impl_->context, parsed->transport);
  door->endpoint = endpoint;
  if (door->socket.handle() == nullptr) return zmq_failure("make a socket for", endpoint);
  door->socket.set(ZMQ_ROUTER_MANDATORY, 1);
  door->socket.set(ZMQ_ROUTER_HANDOVER, 0);
  Result<void> opened;
  switch (parsed->transport) {
    case Transport::kInproc:
      if (zmq_bind(door->socket.handle(), endpoint.c_str()) != 0) {
        opened = zmq_failure("listen at", endpoint);
      }
      break;
    case Transport::kIpc:
      opened = open_ipc(*door, parsed->name);
      break;
    case Transport::kTcp:
      opened = open_tcp(impl_->context, *door, security);
      break;
  }
  if (!opened) return opened;
  impl_->doors.push_back(std::move(door));
  return {};
}

std::optional<Received> ServerChannel::receive() {
  constexpr std::size_t kFrames = 3;  // routing id, header, blob
  for (std::size_t empty = 0; empty < impl_->doors.size();) {
    const std::size_t at = impl_->next_door;
    const Transport transport = impl_->doors[at]->socket.transport();
    std::array<zmq::message_t, kFrames> frames;
    const std::size_t count = impl_->doors[at]->socket.receive(frames);
    impl_->next_door = (at + 1) % impl_->doors.size();
    if (count == 0) {
      ++empty;
      continue;
    }
    empty = 0;
    std::string user;
    if (transport == Transport::kTcp && count == kFrames) {
      // Of the last frame: libzmq may lose that of the first.
      const char* const name = zmq_msg_gets(frames[kFrames - 1].handle(), "User-Id");
      if (name != nullptr) user = name;
    }
    if (count != kFrames || frames[0].size() != kRoutingIdBytes ||
        (transport == Transport::kTcp && user.empty())) {
      ++impl_->dropped;
      continue;
    }
    auto received =
        take(impl_->series, peer_of(at, frames[0]), frames[1], frames[2], impl_->dropped);
    if (received) {
      impl_->last = std::move(frames[1]);
      impl_->last_door = at;
      received->user = std::move(user);
      return received;
    }
  }
  return std::nullopt;
}

std::string ServerChannel::last_sender() {
  const std::string& endpoint = impl_->doors[impl_->last_door]->endpoint;
  const char* const known = zmq_msg_gets(impl_->last.handle(), "Peer-Address");
  std::string name = known != nullptr ? known : "";
  // libzmq says "localhost:UID:GID:PID" of a caller over ipc.
  if (name.starts_with("localhost:"))
    return "process " + name.substr(name.rfind(':') + 1) + " on this host";
  return name.empty() ? "a caller of " + endpoint : name;
}

std::vector<std::string> ServerChannel::broken_off() {
  std::vector<std::string> all;
  for (const auto& door : impl_->doors) {
    if (!door->watch) continue;
    for (std::string& one : door->watch->broken_off()) all.push_back(std::move(one));
  }
  return all;
}

SendStatus ServerChannel::send(PeerId peer, std::string_view header, const Blob& blob) {
  const std::size_t at = peer.value >> kRoutingIdBits;
  if (at >= impl_->doors.size()) return SendStatus::kPeerGone;
  ZmqSocket& socket = impl_->doors[at]->socket;
  return send_in_parts(header, blob, socket.transport() != Transport::kInproc,
                       [&](std::string_view head, const Blob& part) {
                         zmq::message_t to = routing_id_of(peer);
                         if (const int error = socket.send(to, ZMQ_SNDMORE); error != 0) {
                           return error == EAGAIN ? SendStatus::kWouldBlock : SendStatus::kPeerGone;
                         }
                         zmq::message_t first(head.data(), head.size());
                         zmq::message_t second = frame_of(part);
                         socket.send(first, ZMQ_SNDMORE);
                         socket.send(second, 0);
                         return SendStatus::kSent;
                       });
}

}  // namespace fanmill
