// A ZeroMQ socket of this project's settings, and its messages. Only the thread that owns it may
// touch it. Inside proto/ alone.
#pragma once

#include <poll.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>
#include <zmq.hpp>

#include "proto/address.hpp"
#include "proto/blob.hpp"
#include "proto/clock.hpp"

namespace fanmill {

class ZmqSocket {
 public:
  // `type`: as of zmq_socket. handle() is null where the system has no more of them.
  ZmqSocket(void* context, int type, Transport transport);
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  void* handle() const { return socket_; }
  Transport transport() const { return transport_; }
  void set(int option, int value);
  // False: refused by libzmq.
  bool set(int option, const std::string& text);

  // Before bind: CURVE with these keys, and every caller is the Gate's to judge. False where libzmq
  // does not take one of the settings: then nothing may be bound.
  bool serve_curve(const CurveKeys& keys);
  // Before connect.
  bool use_curve(const Address& address);

  // A message is at hand.
  bool is_readable() const;
  // Readable when is_readable() may have changed.
  int descriptor() const { return descriptor_; }

  // The frames of the next message. Not more than there is room for: of a longer one the count is
  // frames.size() + 1 and the rest is gone. 0: nothing waits.
  template <std::size_t N>
  std::size_t receive(std::array<zmq::message_t, N>& frames) {
    std::size_t count = 0;
    zmq::message_t surplus;
    for (;;) {
      zmq::message_t& frame = count < N ? frames[count] : surplus;
      if (!receive_one(frame)) return 0;  // frames of one message arrive together
      count = std::min(count + 1, N + 1);
      if (!frame.more()) {
        arrived();
        return count;
      }
    }
  }
  // 0 or the error number. Never waits.
  int send(zmq::message_t& frame, int flags);

 private:
  bool receive_one(zmq::message_t& frame);
  static void arrived();

  void* socket_;
  Transport transport_;
  int descriptor_ = -1;
};

// Blobs from 16 KiB on are not copied.
zmq::message_t frame_of(const Blob& blob);
// Keeps the message alive as long as the blob.
Blob blob_of(zmq::message_t&& frame);

}  // namespace fanmill
