#include "producer/line_reader.hpp"

#include <cstring>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::producer {

LineReader::LineReader(InputFd input, std::size_t buffer_bytes, char line_end)
    : input_(std::move(input)), line_end_(line_end), buffer_(buffer_bytes + kPadding, '\0') {}

Result<Supply> LineReader::refill() {
  if (at_end_) return Supply::kEnd;
  std::size_t room = buffer_.size() - kPadding - end_;
  if (room == 0 && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
    room = buffer_.size() - kPadding - end_;
  }
  if (room == 0) {
    if (end_ > limits::kTupleBytesMax) {
      return tl::make_unexpected(row_error(input_.name(), line_ + 1, 0, "the row is too long"));
    }
    buffer_.resize(buffer_.size() * 2);
    room = buffer_.size() - kPadding - end_;
  }
  const auto read = input_.read_some(buffer_.data() + end_, room);
  if (!read) return tl::make_unexpected(read.error());
  switch (read->state) {
    case InputFd::State::kData:
      end_ += read->bytes;
      return Supply::kMore;
    case InputFd::State::kNothingNow:
      return Supply::kNothingNow;
    case InputFd::State::kEnd:
      at_end_ = true;
      return Supply::kEnd;
  }
  return Supply::kEnd;
}

Result<Supply> LineReader::next(std::string_view& line) {
  while (true) {
    const char* from = buffer_.data() + scanned_;
    const auto* found = static_cast<const char*>(std::memchr(from, line_end_, end_ - scanned_));
    if (found != nullptr) {
      const auto line_end = static_cast<std::size_t>(found - buffer_.data());
      line = std::string_view(buffer_.data() + begin_, line_end - begin_);
      begin_ = scanned_ = line_end + 1;
      if (begin_ == end_) begin_ = scanned_ = end_ = 0;
      ++line_;
      return Supply::kMore;
    }
    scanned_ = end_;
    const auto more = refill();
    if (!more || *more == Supply::kNothingNow) return more;
    if (*more == Supply::kEnd) {
      if (begin_ == end_) return Supply::kEnd;
      line = std::string_view(buffer_.data() + begin_, end_ - begin_);  // the last, without an end
      begin_ = scanned_ = end_;
      ++line_;
      return Supply::kMore;
    }
  }
}

}  // namespace fanmill::producer
