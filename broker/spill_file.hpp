// An unlinked temporary file that takes what does not fit into memory. It vanishes with the
// process, however that ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/error.hpp"

namespace fanmill::broker {

class SpillFile {
 public:
  struct Place {
    std::uint64_t offset{};
    std::size_t bytes{};
  };

  SpillFile() = default;
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile();

  // Appends; makes the file at the first call, in $TMPDIR, else /var/tmp (a disk, where /tmp may be
  // memory), else /tmp. kSystem when no file can be made or the disk is full; nothing is then kept
  // of `bytes`.
  Result<Place> put(std::string_view bytes);
  Result<std::string> get(Place place) const;
  // Gives the space back to the file system at once.
  void drop(Place place);

  std::uint64_t bytes() const { return live_bytes_; }

 private:
  int fd_ = -1;
  std::uint64_t end_ = 0;
  std::uint64_t live_bytes_ = 0;
};

}  // namespace fanmill::broker
