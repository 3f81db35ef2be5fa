#include "proto/private_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace fanmill {
namespace {

tl::unexpected<Error> failure(const std::string& doing, const std::string& path, int error) {
  return fail(ErrorCode::kSystem,
              "cannot " + doing + " " + path + ": " + std::generic_category().message(error));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> check(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kSystem, path + " is no regular file");
  }
  if (status.st_uid != geteuid() && status.st_uid != 0) {
    return fail(ErrorCode::kSystem, path + " belongs to another user; copy it to a file of yours");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ErrorCode::kSystem,
                "others may read " + path +
                    ", and a file with a secret key is its owner's alone: chmod 600 " + path);
  }
  return {};
}

}  // namespace

Result<std::string> read_private_file(const std::string& path, std::size_t size_max) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT) return fail(ErrorCode::kNotFound, path + " does not exist");
    return failure("read", path, errno);
  }
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return failure("read", path, errno);
  if (const auto checked = check(path, status); !checked) {
    return tl::make_unexpected(checked.error());
  }
  std::string bytes(size_max + 1, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = read(file.get(), bytes.data() + got, bytes.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("read", path, errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  if (got > size_max) {
    return fail(ErrorCode::kSystem,
                path + " is longer than " + std::to_string(size_max) + " bytes: not what is meant");
  }
  bytes.resize(got);
  return bytes;
}

Result<void> write_private_file(const std::string& path, std::string_view bytes) {
  std::string beside = path + ".XXXXXX";
  const File file(mkostemp(beside.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return failure("write", path, errno);
  int error = 0;
  while (!bytes.empty() && error == 0) {
    const ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && fsync(file.get()) != 0) error = errno;
  if (error == 0 && rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  unlink(beside.c_str());
  return failure("write", path, error);
}

}  // namespace fanmill
