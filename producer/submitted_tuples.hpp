// The tuples of tasks that have no row yet, so that a slow one can be named with its parameters: a
// copy of what was submitted, as far as the bound goes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "proto/chunk.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

inline constexpr std::size_t kTuplesKeptBytes = 4 * limits::kMiB;

class SubmittedTuples {
 public:
  // Tuples [first, …). Passed over where it would exceed the bound.
  void add(std::uint64_t first, const ChunkBuilder::Chunk& chunk);
  // Nobody will ask for a tuple before this one.
  void forget_before(std::uint64_t index);
  // The msgpack of one tuple; empty where it is not kept.
  std::string find(std::uint64_t index) const;
  std::size_t bytes() const { return bytes_; }

 private:
  struct Kept {
    std::uint64_t first;
    ChunkBuilder::Chunk chunk;
  };
  std::deque<Kept> kept_;  // by rising index
  std::size_t bytes_ = 0;
};

}  // namespace fanmill::producer
