// Callers of a listening TCP socket whose handshake breaks off: with the key of another broker, or
// speaking something else. libzmq drops them without a word. Inside proto/ alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/monitor_pair.hpp"

namespace fanmill {

// Owned by the socket's thread; gone before the socket is closed.
class DoorWatch {
 public:
  DoorWatch(void* context, void* socket);

  // Where they called from, since the last time. Never waits. "an unknown address" for one that was
  // gone before it could be asked.
  std::vector<std::string> broken_off();
  int descriptor() const { return events_.descriptor(); }

 private:
  MonitorPair events_;
  std::map<int, std::string> callers_;  // by descriptor
  bool broken_ = false;                 // the next one to disconnect
};

}  // namespace fanmill
