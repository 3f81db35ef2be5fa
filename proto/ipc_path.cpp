#include "proto/ipc_path.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace fanmill {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

Result<void> check_length(const std::string& path) {
  constexpr std::size_t kPathMax = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.size() <= kPathMax) return {};
  return fail(ErrorCode::kUsage, "the socket path " + path + " has " + std::to_string(path.size()) +
                                     " bytes, the system allows " + std::to_string(kPathMax) +
                                     "; choose a shorter one");
}

// 0 if somebody listens at the path, else the reason why not.
int connect_once(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int rc = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = rc == 0 ? 0 : errno;
  ::close(fd);
  return error == EAGAIN ? 0 : error;  // its backlog is full: alive
}

Result<void> check_directory(const std::string& directory, int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return fail(ErrorCode::kSystem, "cannot examine " + directory + ": " + reason(errno));
  }
  const bool shared = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (shared && (info.st_mode & S_ISVTX) == 0) {
    return fail(ErrorCode::kSystem, "the directory " + directory +
                                        " is writable by others, who could replace the broker's "
                                        "socket; use one of your own (chmod 700 " +
                                        directory + ")");
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(ErrorCode::kSystem,
                "the directory " + directory + " belongs to another user; use one of your own");
  }
  return {};
}

Result<void> check_file(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(ErrorCode::kSystem, "cannot examine " + path + ": " + reason(errno));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ErrorCode::kSystem, path + " exists and is not a socket; choose another path");
  }
  const int error = connect_once(path);
  if (error == ECONNREFUSED || error == ENOENT) return {};  // its broker is dead
  if (error == 0) {
    return fail(ErrorCode::kSystem,
                "a broker listens at " + path + " already; stop it or choose another path");
  }
  return fail(ErrorCode::kSystem, "cannot take over " + path + ": " + reason(error));
}

// Two brokers that start at once would both find the same stale file.
bool lock_within(int fd, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace

Result<IpcBindGuard> IpcBindGuard::make(const std::string& path) {
  if (const auto length = check_length(path); !length) {
    return tl::make_unexpected(length.error());
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return fail(ErrorCode::kSystem,
                "cannot open the directory " + directory + " of the socket: " + reason(errno));
  }
  IpcBindGuard guard(fd);
  if (const auto checked = check_directory(directory, fd); !checked) {
    return tl::make_unexpected(checked.error());
  }
  if (!lock_within(fd, std::chrono::seconds(1))) {
    return fail(ErrorCode::kSystem, "another process keeps " + directory + " locked");
  }
  if (const auto checked = check_file(path); !checked) {
    return tl::make_unexpected(checked.error());
  }
  return guard;
}

IpcBindGuard::IpcBindGuard(IpcBindGuard&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)) {}

IpcBindGuard::~IpcBindGuard() {
  if (directory_ >= 0) ::close(directory_);  // ends the lock
}

Result<void> check_ipc_listener(const std::string& path) {
  if (auto length = check_length(path); !length) return length;
  const int error = connect_once(path);
  if (error == 0) return {};
  return fail(ErrorCode::kUnreachable, "no broker listens at " + path + ": " + reason(error));
}

}  // namespace fanmill
