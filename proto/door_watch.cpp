#include "proto/door_watch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <zmq.h>

#include <array>
#include <utility>

namespace fanmill {
namespace {

constexpr int kWatched =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

std::string caller_of(int fd) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&from), &size) != 0) return {};
  const void* address = nullptr;
  if (from.ss_family == AF_INET) address = &reinterpret_cast<sockaddr_in&>(from).sin_addr;
  if (from.ss_family == AF_INET6) address = &reinterpret_cast<sockaddr_in6&>(from).sin6_addr;
  if (address == nullptr || inet_ntop(from.ss_family, address, text.data(),
                                      static_cast<socklen_t>(text.size())) == nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace

DoorWatch::DoorWatch(void* context, void* socket) : events_(context, socket, kWatched) {}

std::vector<std::string> DoorWatch::broken_off() {
  std::vector<std::string> all;
  while (const auto event = events_.next()) {
    const auto [what, value] = *event;
    if (what == ZMQ_EVENT_ACCEPTED) {
      callers_[value] = caller_of(value);
    } else if (what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
      // libzmq's one thread says next whose connection it was.
      broken_ = true;
    } else if (what == ZMQ_EVENT_DISCONNECTED) {
      const auto known = callers_.find(value);
      std::string caller = known == callers_.end() ? "" : std::move(known->second);
      if (known != callers_.end()) callers_.erase(known);
      if (!std::exchange(broken_, false)) continue;
      all.push_back(caller.empty() ? "an unknown address" : std::move(caller));
    }
  }
  return all;
}

}  // namespace fanmill
