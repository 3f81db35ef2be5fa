#include "proto/socket_monitor.hpp"

#include <zmq.h>

namespace fanmill {
namespace {

constexpr int kWatched = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

SocketMonitor::SocketMonitor(void* context, void* socket) : events_(context, socket, kWatched) {}

std::optional<ConnectionEvent> SocketMonitor::next() {
  while (const auto event = events_.next()) {
    switch (event->what) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        ready_ = true;
        return ConnectionEvent::kReady;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return ConnectionEvent::kKeyRefused;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return ConnectionEvent::kNotOurs;
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return ConnectionEvent::kBrokenOff;
      case ZMQ_EVENT_CLOSED:
        return ready_ ? ConnectionEvent::kEnded : ConnectionEvent::kNobody;
      case ZMQ_EVENT_DISCONNECTED:
        return ready_ ? ConnectionEvent::kEnded : ConnectionEvent::kBrokenOff;
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace fanmill
