// Deadlines of the core, earliest first. Nothing is ever taken out: who armed one looks, when it is
// due, whether there is still anything to do, and arms the next.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

#include "proto/clock.hpp"

namespace fanmill::broker {

enum class TimerKind : std::uint8_t {
  kWorker,    // id: session; lease ends
  kProducer,  // id: session; silence
  kJob,       // id: job; retries that wait, owner gone
  kStatus,    // id: job; progress to its readers
  kAccept,    // id: job; an Accepted that was put off
  kReports,   // id: session; a ReportsTaken that was put off
  kRecall,    // id: session; a request to give back without an answer
  kOpening,   // id unused; opens that wait for a worker
};

struct Timer {
  MonoTime at;
  TimerKind kind{};
  std::uint64_t id{};
};

class Timers {
 public:
  void arm(MonoTime at, TimerKind kind, std::uint64_t id) { heap_.push({at, kind, id}); }

  std::optional<Timer> take_due(MonoTime now) {
    if (heap_.empty() || heap_.top().at > now) return std::nullopt;
    const Timer timer = heap_.top();
    heap_.pop();
    return timer;
  }

  std::optional<MonoTime> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.top().at;
  }

 private:
  struct Later {
    bool operator()(const Timer& a, const Timer& b) const {
      return std::tuple(a.at, a.kind, a.id) > std::tuple(b.at, b.kind, b.id);
    }
  };
  std::priority_queue<Timer, std::vector<Timer>, Later> heap_;
};

}  // namespace fanmill::broker
