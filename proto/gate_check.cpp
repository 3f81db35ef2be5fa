#include "proto/gate_check.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <random>

#include "proto/clock.hpp"
#include "proto/curve_keys.hpp"
#include "proto/socket_monitor.hpp"

namespace fanmill {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;

// How the broker's door answers one caller.
std::optional<ConnectionEvent> outcome_of(void* context, const std::string& endpoint,
                                          const Address* with) {
  ZmqSocket caller(context, ZMQ_DEALER, Transport::kIpc);
  if (caller.handle() == nullptr || (with != nullptr && !caller.use_curve(*with))) return {};
  SocketMonitor monitor(context, caller.handle());
  if (zmq_connect(caller.handle(), endpoint.c_str()) != 0) return {};
  const MonoTime until = mono_now() + kPatience;
  while (mono_now() < until) {
    if (const auto event = monitor.next()) return event;
    std::array<zmq_pollitem_t, 1> items{{{monitor.handle(), 0, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), 100);
  }
  return {};
}

}  // namespace

Result<void> check_strangers_are_refused(void* context, ZmqSocket& server,
                                         const std::string& server_key, Gate& gate) {
  // An abstract socket: no file, and no other host.
  std::random_device random;
  const std::string endpoint =
      "ipc://@fanmill-trial-" + std::to_string(getpid()) + "-" + std::to_string(random());
  if (zmq_bind(server.handle(), endpoint.c_str()) != 0) {
    return fail(ErrorCode::kSystem,
                std::string("cannot try out the key check: ") + zmq_strerror(zmq_errno()));
  }
  Address caller;
  caller.server_key = server_key;
  caller.keys = make_curve_keys();
  gate.admit(caller.keys.public_key, "trial");
  const auto admitted = outcome_of(context, endpoint, &caller);
  gate.turn_away(caller.keys.public_key);
  const auto stranger = outcome_of(context, endpoint, &caller);
  const auto without_key = outcome_of(context, endpoint, nullptr);
  zmq_unbind(server.handle(), endpoint.c_str());
  if (admitted == ConnectionEvent::kReady && stranger == ConnectionEvent::kKeyRefused &&
      without_key && without_key != ConnectionEvent::kReady) {
    return {};
  }
  return fail(ErrorCode::kRefused,
              "the trial of the key check failed: it does not tell a known key from a stranger's; "
              "nothing listens on TCP; use ipc://PATH");
}

}  // namespace fanmill
