#include "proto/zmq_socket.hpp"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill {
namespace {

// Stand under DRAFT in zmq.h, and work: their return codes are looked at.
constexpr int kZapEnforceDomain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN
constexpr const char* kZapDomain = "fanmill";

constexpr int kHandshakeMs = 5000;
constexpr int kConnectMs = 5000;
constexpr int kBacklog = 1024;  // a whole cluster may start at once
// A peer that is gone without a word is found within half a minute, whatever the routers between
// do.
constexpr int kKeepAliveAfterSeconds = 10;
constexpr int kKeepAliveEverySeconds = 5;
constexpr int kKeepAliveCount = 3;
constexpr int kRetransmitMs = 20000;
constexpr std::size_t kUncopiedFrom = 16 * limits::kKiB;

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

void release_owner(void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }

}  // namespace

ZmqSocket::ZmqSocket(void* context, int type, Transport transport)
    : socket_(zmq_socket(context, type)), transport_(transport) {
  if (socket_ == nullptr) return;
  set(ZMQ_LINGER, 0);
  set(ZMQ_SNDHWM, 0);  // credit is the bound; a full queue would stall the heartbeats behind it
  set(ZMQ_RCVHWM, 0);
  set(ZMQ_HEARTBEAT_IVL, 0);
  set(ZMQ_RECONNECT_IVL, -1);
  set(ZMQ_HANDSHAKE_IVL, kHandshakeMs);
  const auto frame_max = static_cast<std::int64_t>(limits::kFrameBytesMax);
  zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
  if (transport == Transport::kTcp) {
    set(ZMQ_IPV6, 1);  // and IPv4
    set(ZMQ_BACKLOG, kBacklog);
    set(ZMQ_CONNECT_TIMEOUT, kConnectMs);
    set(ZMQ_TCP_KEEPALIVE, 1);
    set(ZMQ_TCP_KEEPALIVE_IDLE, kKeepAliveAfterSeconds);
    set(ZMQ_TCP_KEEPALIVE_INTVL, kKeepAliveEverySeconds);
    set(ZMQ_TCP_KEEPALIVE_CNT, kKeepAliveCount);
    set(ZMQ_TCP_MAXRT, kRetransmitMs);
  }
  std::size_t size = sizeof descriptor_;
  zmq_getsockopt(socket_, ZMQ_FD, &descriptor_, &size);
}

ZmqSocket::~ZmqSocket() {
  if (socket_ != nullptr) zmq_close(socket_);
}

void ZmqSocket::set(int option, int value) {
  zmq_setsockopt(socket_, option, &value, sizeof value);
}

bool ZmqSocket::set(int option, const std::string& text) {
  return zmq_setsockopt(socket_, option, text.data(), text.size()) == 0;
}

bool ZmqSocket::serve_curve(const CurveKeys& keys) {
  const int yes = 1;
  return zmq_setsockopt(socket_, ZMQ_CURVE_SERVER, &yes, sizeof yes) == 0 &&
         set(ZMQ_CURVE_SECRETKEY, keys.secret_key) && set(ZMQ_ZAP_DOMAIN, kZapDomain) &&
         zmq_setsockopt(socket_, kZapEnforceDomain, &yes, sizeof yes) == 0;
}

bool ZmqSocket::use_curve(const Address& address) {
  return set(ZMQ_CURVE_SERVERKEY, address.server_key) &&
         set(ZMQ_CURVE_PUBLICKEY, address.keys.public_key) &&
         set(ZMQ_CURVE_SECRETKEY, address.keys.secret_key);
}

bool ZmqSocket::is_readable() const {
  int events = 0;
  std::size_t size = sizeof events;
  zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size);
  return (events & ZMQ_POLLIN) != 0;
}

bool ZmqSocket::receive_one(zmq::message_t& frame) {
  int rc = 0;
  do {
    rc = zmq_msg_recv(frame.handle(), socket_, ZMQ_DONTWAIT);
  } while (rc < 0 && zmq_errno() == EINTR);
  return rc >= 0;
}

void ZmqSocket::arrived() { message_arrived(); }

int ZmqSocket::send(zmq::message_t& frame, int flags) {
  message_leaves();
  for (;;) {
    if (zmq_msg_send(frame.handle(), socket_, flags | ZMQ_DONTWAIT) >= 0) return 0;
    if (zmq_errno() != EINTR) return zmq_errno();
  }
}

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

Blob blob_of(zmq::message_t&& frame) {
  if (frame.size() == 0) return {};
  auto owner = std::make_shared<zmq::message_t>(std::move(frame));
  const std::string_view bytes(owner->data<char>(), owner->size());
  return {std::move(owner), bytes};
}

}  // namespace fanmill
