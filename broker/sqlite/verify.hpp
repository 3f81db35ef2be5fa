// Reads a whole store and says what it found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/error.hpp"

namespace fanmill::broker::sqlite {

struct Verified {
  std::uint64_t jobs{};
  std::uint64_t tasks{};
  std::uint64_t records{};
  std::uint64_t recorded{};  // tasks
  std::uint64_t blobs{};
  std::uint64_t bytes{};              // of blobs
  std::vector<std::string> troubles;  // empty: all is as it was written
};

// Every blob is read, and the file is left as it is. The error is that of a file which is no store
// or cannot be read; what is wrong inside one is in `troubles`.
Result<Verified> verify(const std::string& path);

}  // namespace fanmill::broker::sqlite
