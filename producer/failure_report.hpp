// Tells people on stderr what went wrong while it happens, and counts how tasks ended. Called from
// the main thread (events) and from the writer thread (rows), so it holds a mutex.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "producer/console.hpp"
#include "producer/session.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

class FailureReport {
 public:
  // `told_max` failures are told in full, the others only counted; with `quiet` none is told.
  FailureReport(Console& console, bool quiet, std::uint64_t told_max = 10);

  void event(const JobEvent& event, std::string_view blob);
  void rows(const Rows& rows, std::string_view blob);

  // Rows so far, by outcome.
  std::map<Outcome, std::uint64_t> counts() const;
  std::uint64_t failed() const;  // all but succeeded and cancelled

 private:
  void tell(const std::string& text);

  Console& console_;
  const bool quiet_;
  const std::uint64_t told_max_;
  mutable std::mutex mutex_;
  std::uint64_t told_ = 0;
  std::map<Outcome, std::uint64_t> counts_;
};

// One failure as lines: "task 17 (5,"x") crashed: killed by …, attempt 1 of 3", then the indented
// tail of its stderr. Pure.
struct FailureText {
  std::uint64_t index{};
  std::string_view tuple;  // msgpack, or empty
  Outcome outcome{};
  std::string_view message;
  std::uint32_t attempt{};
  std::uint32_t limit{};  // 0: not known
  std::string_view error_tail;
  bool again = false;          // it will be tried again
  bool dead_lettered = false;  // it was given up
};
std::string failure_text(const FailureText& failure);

// [1,"x"] as (1,"x"), an object as ({"a":1}); cut where it is longer. Empty for no tuple.
std::string tuple_text(std::string_view tuple, std::size_t chars_max);

}  // namespace fanmill::producer
