// A run in a few lines, at its end. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "producer/run_stats.hpp"
#include "proto/clock.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct Summary {
  std::map<Outcome, std::uint64_t> counts;
  std::uint64_t further_attempts{};
  nanoseconds elapsed{};
  std::uint32_t slots{};  // 0: not known
  nanoseconds busy{};     // run times of all tasks together
  std::vector<SlowTask> slowest;
};

// 97 of 100 tasks done, 2 failed, 1 crashed, 4 tried again, in 12.34 s (8.1 a second)
// 4 slots, 91 % busy; slowest: task 17 (5,"x") 2.31 s, task 3 (1,"y") 2.30 s
std::vector<std::string> summary_lines(const Summary& summary);

// 12.3 ms, 2.31 s, 2:05
std::string duration_text(nanoseconds time);

}  // namespace fanmill::producer
