// What tasks print, bounded: the first and the last bytes are kept, and a line says how much is
// missing between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/limits.hpp"

namespace fanmill::worker {

// Fed piece by piece; holds at most kCaptureHead + 2 * kCaptureTail bytes.
class HeadTail {
 public:
  void append(std::string_view bytes);
  bool empty() const { return head_.empty(); }
  std::string take();  // leaves it empty

 private:
  std::string head_;
  std::string tail_;
  std::uint64_t left_out_ = 0;
};

// Head and tail of a file, without moving its offset. What cannot be read is empty.
std::string read_head_tail(int fd);
// What lies between head and tail gives its memory back; the size stays, so that read_head_tail()
// still knows how much is missing. For files in memory.
void free_middle(int fd);

}  // namespace fanmill::worker
