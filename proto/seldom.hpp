// How often a line about a stranger is written: whoever is on the other side decides how often it
// comes, and must not fill the log.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

#include "proto/clock.hpp"

namespace fanmill {

class Seldom {
 public:
  static constexpr auto kPause = std::chrono::minutes(1);  // between lines of one key
  static constexpr std::size_t kKeysMax = 256;             // further ones wait for the next minute

  // A line about `key` may be written now.
  bool may_tell(const std::string& key, MonoTime now) {
    if (const auto known = told_.find(key); known != told_.end()) {
      if (now < known->second + kPause) return false;
      known->second = now;
      return true;
    }
    if (told_.size() >= kKeysMax) {
      std::erase_if(told_, [now](const auto& one) { return now >= one.second + kPause; });
      if (told_.size() >= kKeysMax) return false;
    }
    told_.emplace(key, now);
    return true;
  }

 private:
  std::map<std::string, MonoTime> told_;
};

}  // namespace fanmill
