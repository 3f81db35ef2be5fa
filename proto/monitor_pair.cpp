#include "proto/monitor_pair.hpp"

#include <zmq.h>

#include <atomic>
#include <cstring>
#include <string>
#include <zmq.hpp>

namespace fanmill {
namespace {

std::string fresh_name() {
  static std::atomic<std::uint64_t> count{0};
  return "inproc://monitor-" + std::to_string(count.fetch_add(1));
}

}  // namespace

MonitorPair::MonitorPair(void* context, void* socket, int watched)
    : socket_(socket), pair_(zmq_socket(context, ZMQ_PAIR)) {
  const std::string name = fresh_name();
  const int none = 0;
  zmq_setsockopt(pair_, ZMQ_LINGER, &none, sizeof none);
  zmq_socket_monitor(socket_, name.c_str(), watched);
  zmq_connect(pair_, name.c_str());
  std::size_t size = sizeof descriptor_;
  zmq_getsockopt(pair_, ZMQ_FD, &descriptor_, &size);
}

MonitorPair::~MonitorPair() {
  zmq_socket_monitor(socket_, nullptr, 0);
  if (pair_ != nullptr) zmq_close(pair_);
}

std::optional<MonitorPair::Event> MonitorPair::next() {
  while (true) {
    zmq::message_t message;
    zmq::message_t endpoint;
    if (zmq_msg_recv(message.handle(), pair_, ZMQ_DONTWAIT) < 0) return std::nullopt;
    if (message.more()) zmq_msg_recv(endpoint.handle(), pair_, ZMQ_DONTWAIT);
    Event event;
    if (message.size() < sizeof event.what + sizeof event.value) continue;
    std::memcpy(&event.what, message.data(), sizeof event.what);
    std::memcpy(&event.value, message.data<char>() + sizeof event.what, sizeof event.value);
    return event;
  }
}

}  // namespace fanmill
