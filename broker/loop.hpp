// The broker's loop: one ROUTER socket and a store around the pure core. One thread owns it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/core/core.hpp"
#include "broker/store.hpp"
#include "proto/channel.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

struct LoopOptions {
  std::vector<std::string> endpoints;  // as of ServerChannel; at least one
  TcpSecurity security;                // for those over TCP
  CoreConfig core;
  std::unique_ptr<Store> store;
  Recovered recovered;  // what the store has of earlier lives
};

class Loop {
 public:
  // Bound when it returns: peers may connect at once. Errors are those of ServerChannel, and of
  // Core::restore.
  static Result<Loop> bind(ChannelContext& context, LoopOptions options);
  Loop(Loop&&) noexcept;
  Loop& operator=(Loop&&) noexcept;
  ~Loop();

  // As bound, in the order of the options.
  std::vector<std::string> endpoints() const;

  // Until request_stop(), or until the store fails: its error.
  Result<void> run();
  void request_stop();  // from any thread or signal handler

 private:
  struct State;
  explicit Loop(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::broker
