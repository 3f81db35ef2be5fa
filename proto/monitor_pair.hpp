// The events of a ZeroMQ socket, as libzmq's monitor sends them. Inside proto/ alone.
#pragma once

#include <cstdint>
#include <optional>

namespace fanmill {

// Owned by the socket's thread; gone before the socket is closed.
class MonitorPair {
 public:
  MonitorPair(void* context, void* socket, int watched);  // ZMQ_EVENT_…
  ~MonitorPair();
  MonitorPair(const MonitorPair&) = delete;
  MonitorPair& operator=(const MonitorPair&) = delete;

  struct Event {
    std::uint16_t what = 0;  // one of the watched
    std::int32_t value = 0;  // its number: a descriptor or an error
  };
  // The next one, if there is one. Never waits.
  std::optional<Event> next();
  // To wait for it, as of ZmqSocket.
  void* handle() const { return pair_; }
  int descriptor() const { return descriptor_; }

 private:
  void* socket_;
  void* pair_;
  int descriptor_ = -1;
};

}  // namespace fanmill
