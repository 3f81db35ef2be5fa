// A descriptor that is closed with its owner, unless it is a standard one.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fanmill::producer {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ > STDERR_FILENO) close(fd_);
  }
  int get() const { return fd_; }
  // Some file systems say only here that there was no room. The error number, or 0.
  int close_now() {
    const int fd = std::exchange(fd_, -1);
    return fd <= STDERR_FILENO || close(fd) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_;
};

}  // namespace fanmill::producer
