// Durations and sizes as people write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/duration.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

// 64MiB, 10MB, 512k, 1G; a bare number is bytes; K, M, G and KiB, MiB, GiB are powers of 1024, kB,
// MB and GB of 1000. kUsage otherwise.
Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace fanmill::producer
