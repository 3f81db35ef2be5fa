// A line: the jobs that the same workers can run, and of them those that wait to be dealt, in the
// order of their turns. There are as many lines as there are different demands on workers, so a
// worker looks at a few lines and never at all jobs.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill::broker {

struct Job;

// What the jobs of a line ask of a worker.
struct Demand {
  std::string function;
  std::string signature;  // empty: any
  std::vector<Label> where;
  friend auto operator<=>(const Demand&, const Demand&) = default;
};

struct Line {
  // Higher priorities first, then who was served least (fair_shares.hpp), then the elder.
  struct Turn {
    std::int32_t priority{};
    double time{};
    JobId id;
    Job* job = nullptr;
    bool operator<(const Turn& other) const {
      if (priority != other.priority) return priority > other.priority;
      if (time != other.time) return time < other.time;
      return id < other.id;
    }
  };

  Demand demand;
  std::uint64_t jobs{};   // that are not over
  std::uint64_t slots{};  // of workers that can run them and may be given something
  std::set<Turn> waiting;
  // The most tasks per slot that one of those who wait has wanted, since the first of them came.
  std::uint64_t fullest{};
  // Those that share workers with it, and how many slots these have: the most first, so it begins
  // with itself. As of World::offers_changed.
  struct Rival {
    Line* line = nullptr;
    std::uint64_t slots{};
  };
  std::vector<Rival> rivals;
  std::uint64_t rivals_as_of{};
};

}  // namespace fanmill::broker
