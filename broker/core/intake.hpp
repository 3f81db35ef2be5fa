// Tuples that a job takes, whoever brings them, and how many it may be brought.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/core/world.hpp"

namespace fanmill::broker {

// The job's next `count` tuples. Refused where the table does not fit the bytes, and for nothing.
Result<void> take_chunk(World& world, Job& job, std::uint64_t count,
                        const std::vector<Block>& blocks, const Blob& bytes);

Credit credit_of(const World& world, const Job& job);
// So much that it is worth a message: by an eighth of the window.
bool credit_has_grown(const World& world, Credit said, Credit now);

}  // namespace fanmill::broker
