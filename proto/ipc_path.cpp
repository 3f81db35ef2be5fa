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

sockaddr_un address_of(const std::string& path) {  // its length has been checked
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// 0 if somebody listens at the path, else the reason why not.
int connect_once(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const sockaddr_un address = address_of(path);
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

Result<void> clear_path(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(ErrorCode::kSystem, "cannot examine " + path + ": " + reason(errno));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ErrorCode::kSystem, path + " exists and is not a socket; choose another path");
  }
  const int error = connect_once(path);
  if (error == ENOENT) return {};
  if (error == ECONNREFUSED) {  // its broker is dead
    if (::unlink(path.c_str()) == 0) return {};
    return fail(ErrorCode::kSystem, "cannot remove the stale " + path + ": " + reason(errno));
  }
  if (error == 0) {
    return fail(ErrorCode::kSystem,
                "a broker listens at " + path + " already; stop it or choose another path");
  }
  return fail(ErrorCode::kSystem, "cannot take over " + path + ": " + reason(error));
}

// Brokers that start or end at once would otherwise remove each other's files.
class DirectoryLock {
 public:
  explicit DirectoryLock(int fd) : fd_(fd) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (std::chrono::steady_clock::now() >= deadline) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    held_ = true;
  }
  ~DirectoryLock() {
    if (held_) ::flock(fd_, LOCK_UN);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_ = false;
};

constexpr int kBacklog = 1024;

// Nobody can connect before listen(), so the file is the owner's alone from its first connection
// on.
bool bind_and_listen(int fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 && ::listen(fd, kBacklog) == 0;
}

}  // namespace

Result<void> check_ipc_path(const std::string& path) {
  constexpr std::size_t kPathMax = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.size() <= kPathMax) return {};
  return fail(ErrorCode::kUsage, "the socket path " + path + " has " + std::to_string(path.size()) +
                                     " bytes, the system allows " + std::to_string(kPathMax) +
                                     "; choose a shorter one");
}

Result<IpcListener> IpcListener::make(const std::string& path) {
  if (const auto length = check_ipc_path(path); !length) {
    return tl::make_unexpected(length.error());
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  const int directory_fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd < 0) {
    return fail(ErrorCode::kSystem, "cannot open the directory " + directory + " of the socket: " +
                                        reason(errno) + "; choose another path");
  }
  IpcListener listener(path.substr(slash == std::string::npos ? 0 : slash + 1), directory_fd);
  if (const auto checked = check_directory(directory, directory_fd); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const DirectoryLock lock(directory_fd);
  if (!lock.held()) {
    return fail(ErrorCode::kSystem, "another process keeps " + directory + " locked");
  }
  if (const auto cleared = clear_path(path); !cleared) {
    return tl::make_unexpected(cleared.error());
  }
  listener.socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener.socket_ < 0 || !bind_and_listen(listener.socket_, path)) {
    return fail(ErrorCode::kSystem, "cannot listen at " + path + ": " + reason(errno));
  }
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    listener.device_ = info.st_dev;
    listener.inode_ = info.st_ino;
  }
  return listener;
}

IpcListener::IpcListener(IpcListener&& other) noexcept
    : name_(std::move(other.name_)),
      directory_(std::exchange(other.directory_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)) {}

int IpcListener::release() { return std::exchange(socket_, -1); }

IpcListener::~IpcListener() {
  if (inode_ != 0) {
    const DirectoryLock lock(directory_);
    struct stat info{};
    const bool is_ours = ::fstatat(directory_, name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                         info.st_dev == device_ && info.st_ino == inode_;
    if (lock.held() && is_ours) ::unlinkat(directory_, name_.c_str(), 0);
  }
  if (socket_ >= 0) ::close(socket_);
  if (directory_ >= 0) ::close(directory_);
}

Result<void> check_ipc_listener(const std::string& path) {
  if (auto length = check_ipc_path(path); !length) return length;
  const int error = connect_once(path);
  if (error == 0) return {};
  return fail(ErrorCode::kUnreachable, "no broker listens at " + path + ": " + reason(error));
}

}  // namespace fanmill
