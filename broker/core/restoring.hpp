// Jobs of earlier lives of the broker, as a store gives them back: they go on where they were.
#pragma once

#include "broker/core/recovered.hpp"
#include "broker/core/world.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

// Refused (kMalformedInput) where what the store says cannot be: two records of one task, a record
// that is missing, tuples or records beyond the end.
Result<void> restore(World& world, Recovered recovered);

}  // namespace fanmill::broker
