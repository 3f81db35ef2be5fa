// Durations and sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/duration.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

// 64MiB, 10MB, 512k, 1G; a bare number is bytes; K, M, G and KiB, MiB, GiB are powers of 1024, kB,
// MB and GB of 1000. kUsage otherwise.
Result<std::uint64_t> parse_size(std::string_view text);

// For people, in at most two units and rounded down: 250ms, 3.2s, 3m12s, 1h30m, 2d4h. A whole
// number of a unit has that alone: 5m, 7d.
std::string short_duration(std::chrono::nanoseconds time);
// 0, 512B, 1.5KiB, 64MiB, rounded to three digits.
std::string short_size(std::uint64_t bytes);

}  // namespace fanmill::producer
