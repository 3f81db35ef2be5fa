#include "broker/spill_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace fanmill::broker {
namespace {

Error system_error(const char* what) {
  return {ErrorCode::kSystem, std::string("temporary file for results: ") + what + ": " +
                                  std::strerror(errno) +
                                  " (set TMPDIR to a directory with more room)"};
}

int open_unlinked() {
  const std::array<const char*, 3> places{std::getenv("TMPDIR"), "/var/tmp", "/tmp"};
  for (const char* place : places) {
    if (place == nullptr) continue;
    if (const int fd = ::open(place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); fd >= 0) return fd;
    // Not every file system knows O_TMPFILE.
    std::string name = std::string(place) + "/fanmill-results-XXXXXX";
    if (const int fd = ::mkostemp(name.data(), O_CLOEXEC); fd >= 0) {
      ::unlink(name.c_str());
      return fd;
    }
  }
  return -1;
}

}  // namespace

SpillFile::~SpillFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<SpillFile::Place> SpillFile::put(std::string_view bytes) {
  if (fd_ < 0 && (fd_ = open_unlinked()) < 0)
    return tl::make_unexpected(system_error("cannot be made"));
  const Place place{end_, bytes.size()};
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(end_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return tl::make_unexpected(system_error("write"));
    done += static_cast<std::size_t>(n);
  }
  end_ += bytes.size();
  live_bytes_ += bytes.size();
  return place;
}

Result<std::string> SpillFile::get(Place place) const {
  std::string bytes(place.bytes, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pread(fd_, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return tl::make_unexpected(system_error("read"));
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

void SpillFile::drop(Place place) {
  live_bytes_ -= place.bytes;
  if (live_bytes_ == 0) {
    // Everything was read: the file begins again, and its size stays that of one backlog.
    if (::ftruncate(fd_, 0) == 0) end_ = 0;
    return;
  }
  // Holes need whole pages; what is left at the borders goes when the file is truncated.
  (void)::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(place.offset), static_cast<off_t>(place.bytes));
}

}  // namespace fanmill::broker
