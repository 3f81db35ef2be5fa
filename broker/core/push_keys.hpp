// Who pushes to a job, and how far each has come.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill::broker {

struct Pusher {
  std::uint64_t next{};   // the sequence of its next chunk
  std::uint64_t tasks{};  // in the chunks before
  SessionId session;      // that pushed under this key last; zero if gone
  std::uint64_t round{};
  bool due = false;  // it is to be told where it stands
};

// Room is told in rounds, one each time a good part of it has become free. It is shared among those
// who were heard in this round or the one before, so that who has long pushed its last holds none.
struct PushKeys {
  std::map<std::string, Pusher> keys;
  std::vector<std::string> due;
  Credit said;
  std::uint64_t round = 1;
  std::uint64_t heard{};  // keys, in this round
  std::uint64_t heard_before{};
};

}  // namespace fanmill::broker
