// How many files this process may have open, against how many its slots need.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <optional>

#include "proto/error.hpp"

namespace fanmill::worker {

// Of each slot: the socket, what is printed, the parking place of commands, the process.
inline constexpr std::uint64_t kFilesPerSlot = 5;
// Sockets, input, output, and what a start holds for a moment.
inline constexpr std::uint64_t kFilesBeside = 128;

// Raises the soft limit of this process if so many slots need it, and then returns the limits as
// they were, for the processes it starts: some programs take a high limit ill. kUsage: the hard
// limit is too low; the sentence says how many slots would go.
Result<std::optional<rlimit>> allow_files_of(std::uint32_t slots);

}  // namespace fanmill::worker
