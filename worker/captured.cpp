#include "worker/captured.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace fanmill::worker {
namespace {

using limits::kCaptureHead;
using limits::kCaptureTail;

std::string joined(std::string head, std::uint64_t left_out, std::string_view tail) {
  if (left_out > 0) {
    if (!head.empty() && head.back() != '\n') head += '\n';
    head += "[… " + std::to_string(left_out) + " bytes left out …]\n";
  }
  head += tail;
  return head;
}

std::string read_at(int fd, std::size_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = pread(fd, bytes.data() + got, size - got, static_cast<off_t>(offset + got));
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

}  // namespace

void HeadTail::append(std::string_view bytes) {
  if (head_.size() < kCaptureHead) {
    const std::size_t front = std::min(bytes.size(), kCaptureHead - head_.size());
    head_.append(bytes.substr(0, front));
    bytes.remove_prefix(front);
  }
  if (bytes.size() > kCaptureTail) {
    left_out_ += tail_.size() + bytes.size() - kCaptureTail;
    tail_.clear();
    bytes.remove_prefix(bytes.size() - kCaptureTail);
  }
  tail_.append(bytes);
  // Trimmed only now and then, so that many small pieces cost no move of the whole tail each.
  if (tail_.size() > 2 * kCaptureTail) {
    left_out_ += tail_.size() - kCaptureTail;
    tail_.erase(0, tail_.size() - kCaptureTail);
  }
}

std::string HeadTail::take() {
  std::string_view tail = tail_;
  if (tail.size() > kCaptureTail) {
    left_out_ += tail.size() - kCaptureTail;
    tail.remove_prefix(tail.size() - kCaptureTail);
  }
  std::string text = joined(std::exchange(head_, {}), left_out_, tail);
  tail_.clear();
  left_out_ = 0;
  return text;
}

std::string read_head_tail(int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0 || status.st_size <= 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size <= kCaptureHead + kCaptureTail) return read_at(fd, 0, size);
  return joined(read_at(fd, 0, kCaptureHead), size - kCaptureHead - kCaptureTail,
                read_at(fd, size - kCaptureTail, kCaptureTail));
}

void free_middle(int fd) {
  struct stat status{};
  constexpr auto kKept = static_cast<off_t>(kCaptureHead + kCaptureTail);
  if (fstat(fd, &status) != 0 || status.st_size <= kKept) return;
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kCaptureHead),
            status.st_size - kKept);
}

}  // namespace fanmill::worker
