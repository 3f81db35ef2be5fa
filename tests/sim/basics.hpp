// What every room of the simulator shares: random numbers, virtual time and its event queue, what
// a broken promise is, and the trace.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/clock.hpp"

namespace fanmill::sim {

using namespace std::chrono_literals;

// splitmix64, by S. Vigna.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double probability) { return probability > 0 && unit() < probability; }
  // Uniform in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + next() % (high - low + 1);
  }
  nanoseconds between(nanoseconds low, nanoseconds high) {
    return low + nanoseconds(static_cast<std::int64_t>(
                     next() % static_cast<std::uint64_t>((high - low).count() + 1)));
  }
  // Every order of magnitude between the two is as likely as another.
  nanoseconds magnitude(nanoseconds low, nanoseconds high) {
    const double ratio = static_cast<double>(high.count()) / static_cast<double>(low.count());
    return nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(low.count()) * std::pow(ratio, unit())));
  }
  nanoseconds exponential(nanoseconds mean) {
    return nanoseconds(
        static_cast<std::int64_t>(-std::log1p(-unit()) * static_cast<double>(mean.count())));
  }

 private:
  std::uint64_t state_;
};

// A promise was broken: the name of the invariant, and what was seen.
struct Violation {
  std::string invariant;
  std::string text;
};
[[noreturn]] inline void violated(std::string invariant, std::string text) {
  throw Violation{std::move(invariant), std::move(text)};
}

// Events in the order of (time, number of the request).
class EventQueue {
 public:
  using Action = std::function<void()>;

  MonoTime now() const { return now_; }
  std::uint64_t served() const { return served_; }
  bool empty() const { return heap_.empty(); }
  MonoTime next() const { return std::get<0>(heap_.top()); }

  void at(MonoTime time, Action action) {
    std::size_t place = actions_.size();
    if (free_.empty()) {
      actions_.push_back(std::move(action));
    } else {
      place = free_.back();
      free_.pop_back();
      actions_[place] = std::move(action);
    }
    heap_.push({std::max(time, now_), requested_++, place});
  }
  void after(nanoseconds delay, Action action) { at(now_ + delay, std::move(action)); }

  void serve_next() {
    const auto [time, number, place] = heap_.top();
    heap_.pop();
    now_ = time;
    ++served_;
    const Action action = std::exchange(actions_[place], {});
    free_.push_back(place);
    action();
  }

 private:
  using Entry = std::tuple<MonoTime, std::uint64_t, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
  std::vector<Action> actions_;
  std::vector<std::size_t> free_;
  MonoTime now_{std::chrono::hours(1)};
  std::uint64_t requested_ = 0;
  std::uint64_t served_ = 0;
};

// What happened, for people (only when asked for) and as a hash over every message (only when
// asked for).
class Trace {
 public:
  bool keeps = false;   // the last lines
  bool prints = false;  // every line, as it happens
  bool hashes = false;

  bool wanted() const { return keeps || prints; }
  void line(MonoTime now, const std::string& text) {
    char time[32];
    std::snprintf(time, sizeof time, "%14.6f  ",
                  std::chrono::duration<double>(now.time_since_epoch()).count() - 3600);
    if (prints) std::printf("%s%s\n", time, text.c_str());
    if (!keeps) return;
    last_.push_back(time + text);
    if (last_.size() > kKept) last_.pop_front();
  }
  void hash(std::string_view bytes) { hash_ = mix(hash_ ^ std::hash<std::string_view>{}(bytes)); }
  std::uint64_t hash() const { return hash_; }
  const std::deque<std::string>& last() const { return last_; }

 private:
  static constexpr std::size_t kKept = 40;
  std::deque<std::string> last_;
  std::uint64_t hash_ = 0;
};

}  // namespace fanmill::sim
