// Who may connect over TCP: the ZAP handler (ZeroMQ RFC 27) of this process. It answers libzmq's
// question about every CURVE handshake from a list of public keys; whoever is not on it is refused.
#pragma once

#include <memory>
#include <string>

#include "proto/channel.hpp"
#include "proto/error.hpp"

namespace fanmill {

class Gate {
 public:
  // Takes the context's one place for a handler and answers on a thread of its own. To be opened
  // before any channel listens on TCP, and to outlive it. kSystem if the place is taken.
  static Result<Gate> open(ChannelContext& context);
  Gate(Gate&&) noexcept;
  Gate& operator=(Gate&&) noexcept;
  ~Gate();

  // From the next handshake on. `user` is what Received::user then says. Any thread.
  void admit(const std::string& public_key, const std::string& user);
  void turn_away(const std::string& public_key);

 private:
  struct State;
  explicit Gate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill
