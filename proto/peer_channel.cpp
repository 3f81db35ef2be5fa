#include <algorithm>
#include <array>
#include <utility>

#include "proto/channel.hpp"
#include "proto/channel_io.hpp"
#include "proto/ipc_path.hpp"
#include "proto/socket_monitor.hpp"

namespace fanmill {
namespace {

using namespace std::chrono_literals;

constexpr int kFarewellMs = 200;    // how long closing may take to get a last message out
constexpr auto kReadyWithin = 12s;  // finding the host, connecting and the handshake

}  // namespace

struct PeerChannel::Impl {
  Impl(void* context, Transport transport, std::string where)
      : socket(context, ZMQ_DEALER, transport), endpoint(std::move(where)) {
    socket.set(ZMQ_LINGER, kFarewellMs);
    if (transport == Transport::kInproc || socket.handle() == nullptr) return;
    monitor.emplace(context, socket.handle());
    ready_by = mono_now() + kReadyWithin;
  }

  void look_at_connection();
  void end(ErrorCode code, const std::string& sentence) {
    if (!ended) ended = Error{code, sentence};
  }

  ZmqSocket socket;
  std::string endpoint;
  std::optional<SocketMonitor> monitor;  // not over inproc; gone before the socket is
  bool monitor_spoke = false;
  std::optional<MonoTime> ready_by;  // while the handshake is not through
  std::optional<Error> ended;
  bool broke_off = false;
  PartSeries series;
  std::uint64_t dropped = 0;
  std::vector<pollfd> polled;
};

void PeerChannel::Impl::look_at_connection() {
  monitor_spoke = false;
  while (const auto event = monitor->next()) {
    switch (*event) {
      case ConnectionEvent::kReady:
        ready_by.reset();
        break;
      case ConnectionEvent::kKeyRefused:
        end(ErrorCode::kRefused, "the broker at " + endpoint +
                                     " does not admit the key of this join file; it may have been "
                                     "revoked, or the broker has other keys now: copy the join "
                                     "file from its host again");
        break;
      case ConnectionEvent::kBrokenOff:
        if (!ended) broke_off = true;
        [[fallthrough]];
      case ConnectionEvent::kNotOurs:
        if (socket.transport() == Transport::kIpc) {
          end(ErrorCode::kUnreachable, "what listens at " + endpoint + " closed the connection");
          break;
        }
        end(ErrorCode::kRefused,
            "what answers at " + endpoint +
                " is not the broker of this join file: it has another key, or "
                "is no fanmill broker; copy the join file from its host again");
        break;
      case ConnectionEvent::kNobody:
        end(ErrorCode::kUnreachable, "nobody answers at " + endpoint +
                                         "; is the broker running there, and may this host reach "
                                         "the port?");
        break;
      case ConnectionEvent::kEnded:
        end(ErrorCode::kUnreachable, "the connection to " + endpoint + " has ended");
        break;
    }
  }
  if (ready_by && mono_now() >= *ready_by) {
    end(ErrorCode::kUnreachable, "no answer from " + endpoint + " within " +
                                     std::to_string(kReadyWithin.count()) +
                                     " s; is the host's name right, and may this host reach it?");
  }
}

PeerChannel::PeerChannel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerChannel::PeerChannel(PeerChannel&&) noexcept = default;
PeerChannel& PeerChannel::operator=(PeerChannel&&) noexcept = default;
PeerChannel::~PeerChannel() = default;
const std::optional<Error>& PeerChannel::ended() const { return impl_->ended; }
bool PeerChannel::broke_off() const { return impl_->broke_off; }

void PeerChannel::wait(std::span<pollfd> others, std::optional<nanoseconds> timeout) {
  if (impl_->ready_by) {
    const nanoseconds left = std::max(nanoseconds(0), *impl_->ready_by - mono_now());
    timeout = timeout ? std::min(*timeout, left) : left;
  }
  // Of the monitor the descriptor is enough: it is read to its end whenever it has spoken.
  wait_for_sockets(impl_->polled, others, timeout, [&](auto&& look_at) {
    look_at(impl_->socket.handle(), impl_->socket.descriptor());
    if (impl_->monitor) impl_->polled.push_back({impl_->monitor->descriptor(), POLLIN, 0});
  });
  if (impl_->monitor) impl_->monitor_spoke = impl_->polled.back().revents != 0;
}

Result<PeerChannel> PeerChannel::connect(ChannelContext& context, const Address& address) {
  const auto parsed = parse_endpoint(address.endpoint);
  if (!parsed) return tl::make_unexpected(parsed.error());
  if (parsed->transport == Transport::kIpc) {
    // libzmq would say nothing, ever, about a broker that is not there.
    const auto checked = check_ipc_listener(parsed->name);
    if (!checked) return tl::make_unexpected(checked.error());
  }
  if (parsed->transport == Transport::kTcp && address.server_key.empty()) {
    return fail(ErrorCode::kUsage, "a broker at " + address.endpoint +
                                       " is reached with a join file, which it makes at its start; "
                                       "give that file instead");
  }
  auto impl = std::make_unique<Impl>(context.handle(), parsed->transport, address.endpoint);
  if (impl->socket.handle() == nullptr ||
      (parsed->transport == Transport::kTcp && !impl->socket.use_curve(address)) ||
      zmq_connect(impl->socket.handle(), address.endpoint.c_str()) != 0) {
    return zmq_failure("connect to", address.endpoint);
  }
  return PeerChannel(std::move(impl));
}

std::optional<Received> PeerChannel::receive() {
  constexpr std::size_t kFrames = 2;  // header, blob
  for (;;) {
    std::array<zmq::message_t, kFrames> frames;
    const std::size_t count = impl_->socket.receive(frames);
    if (count == 0) {
      if (impl_->monitor_spoke || impl_->ready_by) impl_->look_at_connection();
      return std::nullopt;
    }
    if (count != kFrames) {
      ++impl_->dropped;
      continue;
    }
    auto received = take(impl_->series, PeerId{}, frames[0], frames[1], impl_->dropped);
    if (received) return received;
  }
}

SendStatus PeerChannel::send(std::string_view header, const Blob& blob) {
  if (impl_->ended) return SendStatus::kPeerGone;
  return send_in_parts(header, blob, impl_->socket.transport() != Transport::kInproc,
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
