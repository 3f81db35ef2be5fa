#include "producer/json_source.hpp"

#include <cstring>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kBufferBytes = 1 * limits::kMiB;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t last = line.find_last_not_of(kBlank);
  return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

}  // namespace

JsonLinesSource::JsonLinesSource(InputFd input)
    : input_(std::move(input)), buffer_(kBufferBytes + JsonTupleParser::kPadding, '\0') {}

Result<Supply> JsonLinesSource::refill() {
  if (at_end_) return Supply::kEnd;
  std::size_t room = buffer_.size() - JsonTupleParser::kPadding - end_;
  if (room == 0 && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
    room = buffer_.size() - JsonTupleParser::kPadding - end_;
  }
  if (room == 0) {
    if (end_ > limits::kTupleBytesMax) {
      return tl::make_unexpected(row_error(input_.name(), line_ + 1, 0, "the row is too long"));
    }
    buffer_.resize(buffer_.size() * 2);
    room = buffer_.size() - JsonTupleParser::kPadding - end_;
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

Result<Supply> JsonLinesSource::next_line(std::string_view& line) {
  while (true) {
    const char* from = buffer_.data() + scanned_;
    const auto* found = static_cast<const char*>(std::memchr(from, '\n', end_ - scanned_));
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

Result<Supply> JsonLinesSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  while (!chunk.full() && chunk.tuples() < tuples_max) {
    std::string_view line;
    const auto got = next_line(line);
    if (!got || *got != Supply::kMore) return got;
    std::uint64_t before = 0;
    if (line_ == 1 && line.starts_with(kByteOrderMark)) {
      before = kByteOrderMark.size();
      line.remove_prefix(before);
    }
    line = trimmed(line);
    if (line.empty()) continue;
    if (const auto fault = parser_.append(chunk.bytes(), line)) {
      return tl::make_unexpected(
          row_error(input_.name(), line_, fault->column + before, fault->reason));
    }
    chunk.tuple_done();
  }
  return Supply::kMore;
}

}  // namespace fanmill::producer
