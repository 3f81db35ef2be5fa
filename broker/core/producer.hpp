// What the broker knows of one producer session.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "proto/clock.hpp"
#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill::broker {

struct Producer {
  SessionId session;
  PeerId peer;
  InstanceId instance;
  std::uint32_t attempt{};  // of the hello
  MonoTime heard;
  std::uint32_t strikes{};
  std::string user;
  std::string host;
  std::uint32_t pid{};
  std::uint64_t steered{};  // the highest request that was done
  std::set<JobId> jobs;     // that it opened, reads or pushes to

  // "user@host pid 12", for people.
  std::string who() const {
    return (user.empty() ? host : user + "@" + host) + " pid " + std::to_string(pid);
  }
};

// An OpenJob that waits for a worker that offers its function.
struct Opening {
  SessionId session;
  std::string key;
  JobOptions options;
  MonoTime since;
};

}  // namespace fanmill::broker
