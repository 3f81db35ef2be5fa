#include "producer/input_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fanmill::producer {

InputFd::InputFd(int fd, std::string name) : fd_(fd), name_(std::move(name)) {
#ifdef F_SETPIPE_SZ
  // A larger pipe means fewer turns between its writer and us; not every descriptor is one.
  (void)fcntl(fd_, F_SETPIPE_SZ, 1 << 20);
#endif
}

InputFd::InputFd(InputFd&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)) {}

InputFd::~InputFd() {
  if (fd_ > STDERR_FILENO) close(fd_);
}

bool InputFd::is_regular_file() const {
  struct stat status{};
  return fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

Result<InputFd::Read> InputFd::read_some(char* to, std::size_t size) {
  // Not O_NONBLOCK: that would change the terminal for every program that shares it.
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) <= 0) return Read{State::kNothingNow, 0};
  while (true) {
    const ssize_t got = read(fd_, to, size);
    if (got > 0) return Read{State::kData, static_cast<std::size_t>(got)};
    if (got == 0) return Read{State::kEnd, 0};
    if (errno == EAGAIN) return Read{State::kNothingNow, 0};
    if (errno != EINTR) {
      return fail(ErrorCode::kSystem, fmt::format("cannot read {}: {}", name_, strerror(errno)));
    }
  }
}

Error row_error(const std::string& name, std::uint64_t line, std::uint64_t column,
                const std::string& reason) {
  const std::string where = column > 0 ? fmt::format("{}, line {}, column {}", name, line, column)
                                       : fmt::format("{}, line {}", name, line);
  return {ErrorCode::kMalformedInput, fmt::format("{}: {}", where, reason)};
}

}  // namespace fanmill::producer
