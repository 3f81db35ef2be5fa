// The lines of a descriptor, as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "producer/input_fd.hpp"
#include "producer/source.hpp"

namespace fanmill::producer {

class LineReader {
 public:
  // Bytes behind every line that may be read, whatever they hold.
  static constexpr std::size_t kPadding = 64;

  // The buffer grows to the longest line.
  LineReader(InputFd input, std::size_t buffer_bytes, char line_end = '\n');

  // kMore: `line` is the next one without its end (the last may lack it), valid until the next
  // call. Else kNothingNow or kEnd. kMalformedInput: a line longer than a tuple may be.
  Result<Supply> next(std::string_view& line);

  std::uint64_t line() const { return line_; }  // the number of the last one, from 1
  const InputFd& input() const { return input_; }

 private:
  Result<Supply> refill();

  InputFd input_;
  const char line_end_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the next line in buffer_
  std::size_t scanned_ = 0;  // no line end before it
  std::size_t end_ = 0;      // of what was read
  std::uint64_t line_ = 0;
  bool at_end_ = false;
};

}  // namespace fanmill::producer
