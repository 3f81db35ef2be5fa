// The numbers of `--range NAME=FIRST..LAST[..STEP]`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/error.hpp"

namespace fanmill::producer {

// Value i is (first + i * step) / divisor, exactly what the same decimals give when typed: no error
// adds up on the way.
struct Range {
  std::string name;
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t divisor = 1;  // a power of ten
  std::uint64_t count = 0;
  bool decimal = false;  // the values are doubles: one of the numbers has a decimal point
};

// LAST is included where the steps meet it. STEP is 1 unless given. kUsage: no name, no end, a step
// of nothing or in the wrong direction, numbers with more digits than a double (integers: than 64
// bits) can hold.
Result<Range> parse_range(std::string_view text);

}  // namespace fanmill::producer
