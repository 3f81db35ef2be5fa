// How many cores this process may use.
#pragma once

#include <cstdint>

namespace fanmill::worker {

// The affinity mask, lowered by a CPU quota of its control group (v2 or v1); at least 1.
std::uint32_t usable_cores();

}  // namespace fanmill::worker
