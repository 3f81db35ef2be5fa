// What both kinds of channel do with their sockets. Inside proto/ alone.
#pragma once

#include <poll.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/channel.hpp"
#include "proto/limits.hpp"
#include "proto/part_series.hpp"
#include "proto/zmq_socket.hpp"

namespace fanmill {

// kSystem, with what libzmq says.
tl::unexpected<Error> zmq_failure(const std::string& doing, const std::string& endpoint);

// One look at each socket and one poll(2): zmq_poll does four for the same. The descriptor of a
// socket tells of commands, not of messages, so it counts only while no message is at hand.
template <class EachSocket>
void wait_for_sockets(std::vector<pollfd>& polled, std::span<pollfd> others,
                      std::optional<nanoseconds> timeout, EachSocket&& each_socket) {
  polled.assign(others.begin(), others.end());
  each_socket([&](void* socket, int descriptor) {
    int events = 0;
    std::size_t size = sizeof events;
    zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
    if ((events & ZMQ_POLLIN) != 0) timeout = nanoseconds(0);
    polled.push_back({descriptor, POLLIN, 0});
  });
  wait_for(polled, timeout);
  for (std::size_t i = 0; i < others.size(); ++i) others[i].revents = polled[i].revents;
}

// Calls send_one(header, blob) for every part and then for the message itself, until one fails.
template <class SendOne>
SendStatus send_in_parts(std::string_view header, const Blob& blob, bool split,
                         SendOne&& send_one) {
  std::size_t at = 0;
  while (split && blob.size() - at > limits::kPartBytesMax) {
    const SendStatus status =
        send_one(part_header(blob.size() - at), blob.slice(at, limits::kPartBytesMax));
    if (status != SendStatus::kSent) return status;
    at += limits::kPartBytesMax;
  }
  return send_one(header, at == 0 ? blob : blob.slice(at, blob.size() - at));
}

// Takes one message of the wire; nothing if it was a part, or is dropped (then `dropped` counts).
std::optional<Received> take(PartSeries& series, PeerId peer, zmq::message_t& header,
                             zmq::message_t& blob, std::uint64_t& dropped);

}  // namespace fanmill
