// Files that hold secrets: of mode 0600, replaced in one step.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/error.hpp"

namespace fanmill {

// kNotFound: there is none. kSystem: it cannot be read, is longer than `size_max`, no regular file,
// belongs to another user, or others may read or write it; the message says how to mend it.
Result<std::string> read_private_file(const std::string& path, std::size_t size_max);

// A temporary file beside it, synced and renamed over it. kSystem.
Result<void> write_private_file(const std::string& path, std::string_view bytes);

}  // namespace fanmill
