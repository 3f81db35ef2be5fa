// JSON lines from a file or from standard input, streamed.
#pragma once

#include "producer/input_fd.hpp"
#include "producer/json_tuple.hpp"
#include "producer/line_reader.hpp"
#include "producer/source.hpp"

namespace fanmill::producer {

class JsonLinesSource : public TupleSource {
 public:
  explicit JsonLinesSource(InputFd input);
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  bool is_bounded() const override { return reader_.input().is_regular_file(); }
  int wait_fd() const override { return reader_.input().fd(); }

 private:
  LineReader reader_;
  JsonTupleParser parser_;
};

}  // namespace fanmill::producer
