#include "proto/channel.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "proto/clock.hpp"
#include "proto/ipc_path.hpp"
#include "proto/limits.hpp"
#include "proto/part_series.hpp"

namespace fanmill {
namespace {

using namespace std::string_view_literals;

constexpr int kZeroCopyReceive = 10;  // ZMQ_ZERO_COPY_RECV: works, though zmq.h calls it draft
constexpr int kHandshakeMs = 5000;
constexpr int kFarewellMs = 200;  // how long closing may take to get a last message out
constexpr std::size_t kUncopiedFrom = 16 * limits::kKiB;

enum class Transport : std::uint8_t { kInproc, kIpc };

struct Endpoint {
  Transport transport;
  std::string name;  // or path
};

Result<Endpoint> parse(const std::string& endpoint) {
  const auto after = [&](std::string_view scheme) { return endpoint.substr(scheme.size()); };
  if (endpoint.starts_with("inproc://"sv) && endpoint.size() > "inproc://"sv.size()) {
    return Endpoint{Transport::kInproc, after("inproc://"sv)};
  }
  if (endpoint.starts_with("ipc://"sv)) {
    std::string path = after("ipc://"sv);
    if (path.empty() || path == "*" || path.front() == '@') {
      return fail(ErrorCode::kUsage, "the endpoint " + endpoint +
                                         " names no file; write ipc:// and the path of a socket, "
                                         "as in ipc:///run/user/1000/fanmill.sock");
    }
    return Endpoint{Transport::kIpc, std::move(path)};
  }
  if (endpoint.starts_with("tcp://"sv)) {
    return fail(ErrorCode::kUsage,
                "the endpoint " + endpoint +
                    " is refused: without keys anybody on the network could run tasks here, and "
                    "this version has no keys; use ipc://PATH");
  }
  return fail(ErrorCode::kUsage, "unknown endpoint " + endpoint + "; use ipc://PATH");
}

tl::unexpected<Error> system_failure(const std::string& doing, const std::string& endpoint) {
  return fail(ErrorCode::kSystem,
              "cannot " + doing + " " + endpoint + ": " + zmq_strerror(zmq_errno()));
}

// libzmq hands messages from thread to thread where ThreadSanitizer cannot see it.
#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
char hand_over;
void message_leaves() { __tsan_release(&hand_over); }
void message_arrived() { __tsan_acquire(&hand_over); }
#else
void message_leaves() {}
void message_arrived() {}
#endif

// A ZeroMQ socket of two-frame messages. Only the thread that owns it may touch it.
class Socket {
 public:
  Socket(ChannelContext& context, int type) : socket_(zmq_socket(context.handle(), type)) {
    if (socket_ == nullptr) return;
    set(ZMQ_LINGER, 0);
    set(ZMQ_SNDHWM, 0);  // credit is the bound; a full queue would stall the heartbeats behind it
    set(ZMQ_RCVHWM, 0);
    set(ZMQ_HEARTBEAT_IVL, 0);
    set(ZMQ_RECONNECT_IVL, -1);
    set(ZMQ_HANDSHAKE_IVL, kHandshakeMs);
    const auto frame_max = static_cast<std::int64_t>(limits::kFrameBytesMax);
    zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    std::size_t size = sizeof descriptor_;
    zmq_getsockopt(socket_, ZMQ_FD, &descriptor_, &size);
  }
  ~Socket() {
    if (socket_ != nullptr) zmq_close(socket_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void* handle() const { return socket_; }
  void set(int option, int value) { zmq_setsockopt(socket_, option, &value, sizeof value); }

  // The frames of the next message. Not more than there is room for: of a longer one `count` is
  // frames.size() + 1 and the rest is gone. 0: nothing waits.
  template <std::size_t N>
  std::size_t receive(std::array<zmq::message_t, N>& frames) {
    std::size_t count = 0;
    zmq::message_t surplus;
    for (;;) {
      zmq::message_t& frame = count < N ? frames[count] : surplus;
      int rc = 0;
      do {
        rc = zmq_msg_recv(frame.handle(), socket_, ZMQ_DONTWAIT);
      } while (rc < 0 && zmq_errno() == EINTR);
      if (rc < 0) return 0;  // frames of one message arrive together
      count = std::min(count + 1, N + 1);
      if (!frame.more()) {
        message_arrived();
        return count;
      }
    }
  }

  // One look at the socket and one poll(2): zmq_poll does four for the same. The descriptor of a
  // socket tells of commands, not of messages, so it counts only while no message is at hand.
  void wait(std::span<pollfd> others, std::optional<nanoseconds> timeout) {
    int events = 0;
    std::size_t size = sizeof events;
    zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size);
    if ((events & ZMQ_POLLIN) != 0) timeout = nanoseconds(0);
    polled_.assign(others.begin(), others.end());
    polled_.push_back({descriptor_, POLLIN, 0});
    wait_for(polled_, timeout);
    for (std::size_t i = 0; i < others.size(); ++i) others[i].revents = polled_[i].revents;
  }

  int send(zmq::message_t& frame, int flags) {
    message_leaves();
    for (;;) {
      if (zmq_msg_send(frame.handle(), socket_, flags | ZMQ_DONTWAIT) >= 0) return 0;
      if (zmq_errno() != EINTR) return zmq_errno();
    }
  }

 private:
  void* socket_;
  int descriptor_ = -1;
  std::vector<pollfd> polled_;
};

void release_owner(void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }

zmq::message_t frame_of(const Blob& blob) {
  if (blob.size() < kUncopiedFrom || blob.owner() == nullptr) {
    return {blob.view().data(), blob.size()};
  }
  // The owner is let go on the I/O thread; what it destroys there must not mind.
  auto owner = std::make_unique<std::shared_ptr<const void>>(blob.owner());
  zmq::message_t frame(const_cast<char*>(blob.view().data()), blob.size(), &release_owner,
                       owner.get());
  static_cast<void>(owner.release());
  return frame;
}

// Keeps the message alive as long as the blob.
Blob blob_of(zmq::message_t&& frame) {
  if (frame.size() == 0) return {};
  auto owner = std::make_shared<zmq::message_t>(std::move(frame));
  const std::string_view bytes(owner->data<char>(), owner->size());
  return {std::move(owner), bytes};
}

constexpr std::size_t kRoutingIdBytes = 5;  // a zero and four bytes that the ROUTER made up

PeerId peer_of(const zmq::message_t& routing_id) {
  std::uint64_t value = 0;
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

// Calls send_one(header, blob) for every part and then for the message itself, until one fails.
template <class SendOne>
SendStatus send_in_parts(std::string_view header, const Blob& blob, bool split,
                         SendOne&& send_one) {
  std::size_t at = 0;
  while (split && blob.size() - at > limits::kPartBytesMax) {
    const SendStatus status =
        send_one(part_header(blob.size() - at), blob.slice(at, limits::kPartBytesMax));
    if (status != SendStatus::kSent) return status;
    at += limits::kPartBytesMax;
  }
  return send_one(header, at == 0 ? blob : blob.slice(at, blob.size() - at));
}

// Takes one message of the wire; nothing if it was a part, or is dropped (then `dropped` counts).
std::optional<Received> take(PartSeries& series, PeerId peer, zmq::message_t& header,
                             zmq::message_t& blob, std::uint64_t& dropped) {
  const std::string_view head(header.data<char>(), header.size());
  if (is_part(head)) {
    const std::string_view bytes(blob.data<char>(), blob.size());
    if (!series.add_part(peer, head, bytes, mono_now())) ++dropped;
    return std::nullopt;
  }
  std::optional<Blob> whole = series.finish(peer, blob_of(std::move(blob)));
  if (!whole || head.size() > limits::kHeaderBytesMax) {
    ++dropped;
    return std::nullopt;
  }
  return Received{peer, std::string(head), std::move(*whole)};
}

}  // namespace

void wait_for(std::span<pollfd> fds, std::optional<nanoseconds> timeout) {
  timespec limit{};
  if (timeout) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
    limit = {seconds.count(), (*timeout - seconds).count()};
  }
  if (::ppoll(fds.data(), fds.size(), timeout ? &limit : nullptr, nullptr) <= 0) {
    for (pollfd& fd : fds) fd.revents = 0;
  }
}

// ---- ChannelContext ----

struct ChannelContext::Impl {
  zmq::context_t context;
};

ChannelContext::ChannelContext() : impl_(std::make_unique<Impl>()) {
  // Received blobs are kept for long: they must not pin whole receive buffers.
  zmq_ctx_set(impl_->context.handle(), kZeroCopyReceive, 0);
}
ChannelContext::~ChannelContext() = default;
void* ChannelContext::handle() const { return impl_->context.handle(); }

// ---- ServerChannel ----

struct ServerChannel::Impl {
  Impl(ChannelContext& context, Transport used) : socket(context, ZMQ_ROUTER), transport(used) {}
  Socket socket;
  std::optional<IpcListener> listener;  // its file goes before the socket does
  Transport transport;
  PartSeries series;
  std::uint64_t dropped = 0;
};

ServerChannel::ServerChannel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerChannel::ServerChannel(ServerChannel&&) noexcept = default;
ServerChannel& ServerChannel::operator=(ServerChannel&&) noexcept = default;
ServerChannel::~ServerChannel() = default;
void ServerChannel::wait(std::span<pollfd> others, std::optional<nanoseconds> timeout) {
  impl_->socket.wait(others, timeout);
}
std::uint64_t ServerChannel::dropped() const { return impl_->dropped; }

Result<ServerChannel> ServerChannel::bind(ChannelContext& context, const std::string& endpoint) {
  const auto parsed = parse(endpoint);
  if (!parsed) return tl::make_unexpected(parsed.error());
  auto impl = std::make_unique<Impl>(context, parsed->transport);
  if (impl->socket.handle() == nullptr) return system_failure("make a socket for", endpoint);
  impl->socket.set(ZMQ_ROUTER_MANDATORY, 1);
  impl->socket.set(ZMQ_ROUTER_HANDOVER, 0);
  if (parsed->transport == Transport::kInproc) {
    if (zmq_bind(impl->socket.handle(), endpoint.c_str()) != 0) {
      return system_failure("listen at", endpoint);
    }
    return ServerChannel(std::move(impl));
  }
  auto listener = IpcListener::make(parsed->name);
  if (!listener) return tl::make_unexpected(listener.error());
  impl->listener.emplace(std::move(*listener));
  const int fd = impl->listener->release();
  impl->socket.set(ZMQ_USE_FD, fd);
  if (zmq_bind(impl->socket.handle(), endpoint.c_str()) != 0) {
    auto failure = system_failure("listen at", endpoint);
    ::close(fd);
    return failure;
  }
  return ServerChannel(std::move(impl));
}

std::optional<Received> ServerChannel::receive() {
  constexpr std::size_t kFrames = 3;  // routing id, header, blob
  for (;;) {
    std::array<zmq::message_t, kFrames> frames;
    const std::size_t count = impl_->socket.receive(frames);
    if (count == 0) return std::nullopt;
    if (count != kFrames || frames[0].size() != kRoutingIdBytes) {
      ++impl_->dropped;
      continue;
    }
    auto received = take(impl_->series, peer_of(frames[0]), frames[1], frames[2], impl_->dropped);
    if (received) return received;
  }
}

SendStatus ServerChannel::send(PeerId peer, std::string_view header, const Blob& blob) {
  return send_in_parts(header, blob, impl_->transport != Transport::kInproc,
                       [&](std::string_view head, const Blob& part) {
                         zmq::message_t to = routing_id_of(peer);
                         if (const int error = impl_->socket.send(to, ZMQ_SNDMORE); error != 0) {
                           return error == EAGAIN ? SendStatus::kWouldBlock : SendStatus::kPeerGone;
                         }
                         zmq::message_t first(head.data(), head.size());
                         zmq::message_t second = frame_of(part);
                         impl_->socket.send(first, ZMQ_SNDMORE);
                         impl_->socket.send(second, 0);
                         return SendStatus::kSent;
                       });
}

// ---- PeerChannel ----

struct PeerChannel::Impl {
  Impl(ChannelContext& context, Transport used) : socket(context, ZMQ_DEALER), transport(used) {
    socket.set(ZMQ_LINGER, kFarewellMs);
  }
  Socket socket;
  Transport transport;
  PartSeries series;
  std::uint64_t dropped = 0;
};

PeerChannel::PeerChannel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerChannel::PeerChannel(PeerChannel&&) noexcept = default;
PeerChannel& PeerChannel::operator=(PeerChannel&&) noexcept = default;
PeerChannel::~PeerChannel() = default;
void PeerChannel::wait(std::span<pollfd> others, std::optional<nanoseconds> timeout) {
  impl_->socket.wait(others, timeout);
}

Result<PeerChannel> PeerChannel::connect(ChannelContext& context, const std::string& endpoint) {
  const auto parsed = parse(endpoint);
  if (!parsed) return tl::make_unexpected(parsed.error());
  if (parsed->transport == Transport::kIpc) {
    // libzmq would say nothing, ever, about a broker that is not there.
    const auto checked = check_ipc_listener(parsed->name);
    if (!checked) return tl::make_unexpected(checked.error());
  }
  auto impl = std::make_unique<Impl>(context, parsed->transport);
  if (impl->socket.handle() == nullptr ||
      zmq_connect(impl->socket.handle(), endpoint.c_str()) != 0) {
    return system_failure("connect to", endpoint);
  }
  return PeerChannel(std::move(impl));
}

std::optional<Received> PeerChannel::receive() {
  constexpr std::size_t kFrames = 2;  // header, blob
  for (;;) {
    std::array<zmq::message_t, kFrames> frames;
    const std::size_t count = impl_->socket.receive(frames);
    if (count == 0) return std::nullopt;
    if (count != kFrames) {
      ++impl_->dropped;
      continue;
    }
    auto received = take(impl_->series, PeerId{}, frames[0], frames[1], impl_->dropped);
    if (received) return received;
  }
}

SendStatus PeerChannel::send(std::string_view header, const Blob& blob) {
  return send_in_parts(header, blob, impl_->transport != Transport::kInproc,
                       [&](std::string_view head, const Blob& part) {
                         zmq::message_t first(head.data(), head.size());
                         // Without a high-water mark it is refused only when the connection ended.
                         if (impl_->socket.send(first, ZMQ_SNDMORE) != 0) {
                           return SendStatus::kPeerGone;
                         }
                         zmq::message_t second = frame_of(part);
                         return impl_->socket.send(second, 0) == 0 ? SendStatus::kSent
                                                                   : SendStatus::kPeerGone;
                       });
}

}  // namespace fanmill
