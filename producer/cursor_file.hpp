// How far the rows of a job are safe in a file, kept beside it as FILE.cursor: whoever gathers
// again cuts the file to that length and goes on, so that it has every row once however often it
// was interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/error.hpp"

namespace fanmill::producer {

struct OutputCursor {
  std::string job;           // its id
  std::string form;          // order, format and columns: what the file's bytes depend on
  std::uint64_t cursor{};    // of the rows that follow
  std::uint64_t bytes{};     // of the file before them
  std::uint64_t rounds = 1;  // of the job, when they were written
  friend bool operator==(const OutputCursor&, const OutputCursor&) = default;
};

class CursorFile {
 public:
  explicit CursorFile(const std::string& output) : path_(output + ".cursor") {}

  // Nothing if there is none. kUsage: a file that is no such thing.
  Result<std::optional<OutputCursor>> load() const;
  // Replaces it as a whole; what it says of the output must be on the disk already.
  Result<void> save(const OutputCursor& cursor) const;
  void remove() const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace fanmill::producer
