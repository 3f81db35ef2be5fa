// What becomes of one ZeroMQ connection, as libzmq's monitor tells it: it is silent about refused
// handshakes and hosts that are not there everywhere else.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/monitor_pair.hpp"

namespace fanmill {

enum class ConnectionEvent : std::uint8_t {
  kReady,       // the handshake succeeded
  kKeyRefused,  // the other side does not admit our key
  kNotOurs,     // the other side speaks something else
  kBrokenOff,   // in the handshake: the other side has another key than we believe, or it was cut
  kNobody,      // no connection could be made
  kEnded,
};

// Of one connecting socket that does not reconnect. Owned by the socket's thread; gone before the
// socket is closed.
class SocketMonitor {
 public:
  SocketMonitor(void* context, void* socket);

  // The next event, if there is one. Never waits.
  std::optional<ConnectionEvent> next();
  // To wait for it, as of ZmqSocket.
  void* handle() const { return events_.handle(); }
  int descriptor() const { return events_.descriptor(); }

 private:
  MonitorPair events_;
  bool ready_ = false;
};

}  // namespace fanmill
