#include "worker/parked_pipe.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

constexpr std::size_t kMovedMax = limits::kMiB;  // no pipe holds more
constexpr std::size_t kMovedAtOnce = 64 * limits::kKiB;

// A message of one byte with room for one descriptor.
struct Letter {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr head{};
  Letter() {
    head.msg_iov = &part;
    head.msg_iovlen = 1;
    head.msg_control = control.data();
    head.msg_controllen = control.size();
  }
};

}  // namespace

OwnedParkingPlace make_parking_place() {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return {};
  return {Fd(pair[0]), Fd(pair[1])};
}

void park(int in, int pipe) {
  if (in < 0) return;
  Letter letter;
  cmsghdr* const control = CMSG_FIRSTHDR(&letter.head);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof pipe);
  memcpy(CMSG_DATA(control), &pipe, sizeof pipe);
  while (sendmsg(in, &letter.head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
  }
}

Fd take_parked(int out) {
  if (out < 0) return {};
  Letter letter;
  ssize_t got = 0;
  while ((got = recvmsg(out, &letter.head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0 &&
         errno == EINTR) {
  }
  const cmsghdr* const control = got > 0 ? CMSG_FIRSTHDR(&letter.head) : nullptr;
  if (control == nullptr || control->cmsg_type != SCM_RIGHTS) return {};
  int pipe = -1;
  memcpy(&pipe, CMSG_DATA(control), sizeof pipe);
  return Fd(pipe);
}

ssize_t move_to_end(int pipe, int file) {
  struct stat status{};
  if (fstat(file, &status) != 0) return -1;
  off_t end = status.st_size;
  return splice(pipe, nullptr, file, &end, kMovedAtOnce, SPLICE_F_NONBLOCK);
}

void move_all_to_end(int pipe, int file) {
  for (std::size_t moved = 0; moved < kMovedMax;) {
    const ssize_t some = move_to_end(pipe, file);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return;
    moved += static_cast<std::size_t>(some);
  }
}

}  // namespace fanmill::worker
