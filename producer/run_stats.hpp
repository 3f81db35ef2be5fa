// What a run's rows say beside their values: how busy the slots were, how often tasks ran again,
// and which took longest. Work per message, and per task only where tasks take kSlowTaskFrom or
// more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "producer/submitted_tuples.hpp"
#include "proto/clock.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

inline constexpr std::size_t kSlowestNamed = 3;
// Among tasks with a mean below kSlowTaskFrom a shorter one was only interrupted by the kernel.
inline constexpr auto kSlowAmongTiny = std::chrono::milliseconds(100);
// Mean run time of a batch from which workers report that of each task.
inline constexpr auto kSlowTaskFrom = std::chrono::microseconds(100);

struct SlowTask {
  std::uint64_t index{};
  nanoseconds run{};
  std::string tuple;  // msgpack; empty if not at hand
};

class RunStats {
 public:
  // Rows come in input order, so what lies before them is never asked for again.
  explicit RunStats(bool in_order) : in_order_(in_order) {}

  void submitted(std::uint64_t first, const ChunkBuilder::Chunk& chunk);
  void rows(const Rows& rows, std::string_view blob);

  nanoseconds busy() const { return busy_; }
  std::uint64_t further_attempts() const { return further_attempts_; }
  std::vector<SlowTask> slowest() const;  // the longest first

 private:
  void look_for_slow(const Rows& rows, std::string_view blob);

  const bool in_order_;
  bool are_tiny_ = false;  // tasks so short that none of them will be named
  SubmittedTuples tuples_;
  std::uint64_t tasks_ = 0;
  nanoseconds busy_{};
  std::uint64_t further_attempts_ = 0;
  std::vector<SlowTask> slowest_;
};

}  // namespace fanmill::producer
