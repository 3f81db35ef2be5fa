// What an input holds, seen without running anything: for --dry-run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "producer/source.hpp"

namespace fanmill::producer {

struct Preview {
  std::vector<std::string> tuples;     // JSON: an object where the elements have names
  std::optional<std::uint64_t> total;  // unless only the end of a stream would show it
  std::optional<Error> error;          // of the input, behind those tuples
};

// Waits for the first `shown` tuples of a stream. Files are read to their end, for the count and
// for what is malformed in them.
Preview preview(TupleSource& source, std::size_t shown);

}  // namespace fanmill::producer
