#include "proto/door_watch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <zmq.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>
#include <zmq.hpp>

namespace fanmill {
namespace {

constexpr int kWatched =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

std::string name_of_pair() {
  static std::atomic<std::uint64_t> count{0};
  return "inproc://door-" + std::to_string(count.fetch_add(1));
}

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

DoorWatch::DoorWatch(void* context, void* socket)
    : socket_(socket), pair_(zmq_socket(context, ZMQ_PAIR)) {
  const std::string name = name_of_pair();
  const int none = 0;
  zmq_setsockopt(pair_, ZMQ_LINGER, &none, sizeof none);
  zmq_socket_monitor(socket_, name.c_str(), kWatched);
  zmq_connect(pair_, name.c_str());
  std::size_t size = sizeof descriptor_;
  zmq_getsockopt(pair_, ZMQ_FD, &descriptor_, &size);
}

DoorWatch::~DoorWatch() {
  zmq_socket_monitor(socket_, nullptr, 0);
  if (pair_ != nullptr) zmq_close(pair_);
}

std::vector<std::string> DoorWatch::broken_off() {
  std::vector<std::string> all;
  while (true) {
    zmq::message_t event;
    zmq::message_t endpoint;
    if (zmq_msg_recv(event.handle(), pair_, ZMQ_DONTWAIT) < 0) return all;
    if (event.more()) zmq_msg_recv(endpoint.handle(), pair_, ZMQ_DONTWAIT);
    std::uint16_t what = 0;
    std::int32_t value = 0;
    if (event.size() < sizeof what + sizeof value) continue;
    std::memcpy(&what, event.data(), sizeof what);
    std::memcpy(&value, event.data<char>() + sizeof what, sizeof value);
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
}

}  // namespace fanmill
