// Whether a broker that somebody follows is still there: says when it goes and comes back, when its
// disk is full, and when there is no point in waiting for it any longer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "producer/client.hpp"
#include "proto/clock.hpp"

namespace fanmill::producer {

// Looks for a broker that went so often: the timeout of a turn without a connection.
inline constexpr auto kReconnectEvery = std::chrono::milliseconds(100);

class BrokerWatch {
 public:
  using Say = std::function<void(std::string_view)>;
  // What is followed: jobs that a broker has anyway, or one that goes with its producer.
  enum class Follows : std::uint8_t { kKeptJobs, kOwnJob };

  // `given`: as people named the broker; empty: the one of a private run.
  BrokerWatch(Client& client, std::string given, Follows follows, Say say, MonoTime now)
      : client_(client),
        given_(std::move(given)),
        follows_(follows),
        say_(std::move(say)),
        began_(now) {}

  // As the broker says of the followed job.
  void durability(std::string_view level) {
    kept_in_memory_ = level == "memory";
    durable_ = !kept_in_memory_;
  }

  // To be asked once a turn. An error (kUnreachable, kRefused): nothing is to be hoped for. One
  // that was there once is waited for: for jobs that it keeps, as long as it takes; for one in its
  // memory during limits::kProducerGoneAfter, and not at all if nobody listens any more on this
  // host.
  std::optional<Error> look(MonoTime now);

 private:
  void tell_full();

  Client& client_;
  const std::string given_;
  const Follows follows_;
  const Say say_;  // may be empty
  const MonoTime began_;
  bool kept_in_memory_ = false;
  bool durable_ = false;
  bool was_there_ = false;
  bool full_ = false;
  std::optional<MonoTime> lost_at_;
};

}  // namespace fanmill::producer
