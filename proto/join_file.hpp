// A join file: all that a worker or a producer needs to reach a broker over TCP, a line each. It
// holds a secret key, so it is made and read with mode 0600 alone.
#pragma once

#include <string>
#include <string_view>

#include "proto/address.hpp"
#include "proto/error.hpp"

namespace fanmill {

struct JoinFile {
  std::string role;  // "worker" or "producer"
  Address address;
  friend bool operator==(const JoinFile&, const JoinFile&) = default;
};

// kUsage, each with what to do: no such file, no file of this kind (line named), readable by
// others, of another role than `role`.
Result<JoinFile> read_join_file(const std::string& path, std::string_view role);

// Replaces the file in one step. kSystem.
Result<void> write_join_file(const std::string& path, const JoinFile& file);

// The text of a join file, and back; kMalformedInput names the line.
std::string to_text(const JoinFile& file);
Result<JoinFile> parse_join_file(std::string_view text);

}  // namespace fanmill
