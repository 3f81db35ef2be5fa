#include "proto/socket_monitor.hpp"

#include <zmq.h>

#include <array>
#include <atomic>
#include <cstring>
#include <zmq.hpp>

namespace fanmill {
namespace {

constexpr int kWatched = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::string fresh_name() {
  static std::atomic<std::uint64_t> count{0};
  return "inproc://monitor-" + std::to_string(count.fetch_add(1));
}

}  // namespace

SocketMonitor::SocketMonitor(void* context, void* socket)
    : socket_(socket), pair_(zmq_socket(context, ZMQ_PAIR)) {
  const std::string name = fresh_name();
  const int none = 0;
  zmq_setsockopt(pair_, ZMQ_LINGER, &none, sizeof none);
  zmq_socket_monitor(socket_, name.c_str(), kWatched);
  zmq_connect(pair_, name.c_str());
  std::size_t size = sizeof descriptor_;
  zmq_getsockopt(pair_, ZMQ_FD, &descriptor_, &size);
}

SocketMonitor::~SocketMonitor() {
  zmq_socket_monitor(socket_, nullptr, 0);
  if (pair_ != nullptr) zmq_close(pair_);
}

std::optional<ConnectionEvent> SocketMonitor::next() {
  while (true) {
    zmq::message_t event;
    zmq::message_t endpoint;
    if (zmq_msg_recv(event.handle(), pair_, ZMQ_DONTWAIT) < 0) return std::nullopt;
    if (event.more()) zmq_msg_recv(endpoint.handle(), pair_, ZMQ_DONTWAIT);
    std::uint16_t what = 0;
    if (event.size() < sizeof what) continue;
    std::memcpy(&what, event.data(), sizeof what);
    switch (what) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        ready_ = true;
        return ConnectionEvent::kReady;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return ConnectionEvent::kKeyRefused;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return ConnectionEvent::kNotOurs;
      case ZMQ_EVENT_CLOSED:
        return ready_ ? ConnectionEvent::kEnded : ConnectionEvent::kNobody;
      case ZMQ_EVENT_DISCONNECTED:
        return ready_ ? ConnectionEvent::kEnded : ConnectionEvent::kNotOurs;
      default:
        break;
    }
  }
}

}  // namespace fanmill
