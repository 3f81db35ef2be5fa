// JSON lines from a file or from standard input, streamed.
#pragma once

#include <string>
#include <string_view>

#include "producer/input_fd.hpp"
#include "producer/json_tuple.hpp"
#include "producer/source.hpp"

namespace fanmill::producer {

class JsonLinesSource : public TupleSource {
 public:
  explicit JsonLinesSource(InputFd input);
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  int wait_fd() const override { return input_.fd(); }

 private:
  // The next line without its end, kPadding readable bytes behind it; kNothingNow or kEnd instead.
  Result<Supply> next_line(std::string_view& line);
  Result<Supply> refill();

  InputFd input_;
  JsonTupleParser parser_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the next line in buffer_
  std::size_t scanned_ = 0;  // no line end before it
  std::size_t end_ = 0;      // of what was read
  std::uint64_t line_ = 0;
  bool at_end_ = false;
};

}  // namespace fanmill::producer
