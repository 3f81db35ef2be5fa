// A life of the broker on its store: from one start to the end of that process.
#pragma once

#include <compare>
#include <cstdint>

#include "proto/ids.hpp"

namespace fanmill::broker {

struct Life {
  std::uint32_t epoch = 1;  // higher than that of every earlier life on the same store
  // Drawn at random, and told apart by it from a life of the same epoch on another copy of the
  // store that was put back or gone on with elsewhere. In the upper bits of every token's counter.
  std::uint32_t incarnation = 0;
  friend constexpr auto operator<=>(const Life&, const Life&) = default;
};

inline constexpr int kIncarnationBits =
    24;  // and 40 for the leases of a life: 10⁶ a second for 12 days
inline constexpr int kLeaseBits = 64 - kIncarnationBits;

// Every token of the life is higher.
constexpr AttemptToken before_tokens_of(Life life) {
  return {life.epoch, std::uint64_t{life.incarnation} << kLeaseBits};
}

constexpr Life life_of(AttemptToken token) {
  return {token.epoch, static_cast<std::uint32_t>(token.counter >> kLeaseBits)};
}

}  // namespace fanmill::broker
