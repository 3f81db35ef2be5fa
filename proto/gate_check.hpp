// The trial of a listening socket before it is opened to the network.
#pragma once

#include "proto/error.hpp"
#include "proto/gate.hpp"
#include "proto/zmq_socket.hpp"

namespace fanmill {

// Binds `server`, which has its CURVE settings, for a moment where only this host can reach it, and
// calls with a key that `gate` admits for that moment, with the same key once it is a stranger's,
// and with none. kRefused unless the first gets in and the others do not.
Result<void> check_strangers_are_refused(void* context, ZmqSocket& server,
                                         const std::string& server_key, Gate& gate);

}  // namespace fanmill
