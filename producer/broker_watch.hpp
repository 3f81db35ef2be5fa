// Whether a broker that a command follows is still there: says when it goes and comes back, and
// when there is no point in waiting for it any longer.
#pragma once

#include <optional>
#include <string>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "proto/clock.hpp"

namespace fanmill::producer {

// Looks for a broker that went so often: the timeout of a turn without a connection.
inline constexpr auto kReconnectEvery = std::chrono::milliseconds(100);

class BrokerWatch {
 public:
  // `given`: as people named the broker.
  BrokerWatch(Client& client, Console& console, std::string given, bool quiet, MonoTime now)
      : client_(client), console_(console), given_(std::move(given)), quiet_(quiet), began_(now) {}

  // To be asked once a turn. An error (kUnreachable, kRefused): nothing is to be hoped for. A
  // broker that was there once is waited for as long as it takes.
  std::optional<Error> look(MonoTime now);

 private:
  Client& client_;
  Console& console_;
  const std::string given_;
  const bool quiet_;
  const MonoTime began_;
  bool was_there_ = false;
  std::optional<MonoTime> lost_at_;
};

}  // namespace fanmill::producer
