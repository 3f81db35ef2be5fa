#include "broker/sqlite/reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fanmill::broker::sqlite {

bool Reserve::take() {
  if (taken_) return true;
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  taken_ = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_)) == 0;
  ::close(fd);
  if (!taken_) ::unlink(path_.c_str());
  return taken_;
}

void Reserve::give_up() {
  ::unlink(path_.c_str());
  taken_ = false;
}

}  // namespace fanmill::broker::sqlite
