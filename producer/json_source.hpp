// JSON lines from a file or from standard input, streamed.
#pragma once

#include <optional>

#include "producer/input_fd.hpp"
#include "producer/json_tuple.hpp"
#include "producer/line_reader.hpp"
#include "producer/source.hpp"

namespace fanmill::producer {

class JsonLinesSource : public TupleSource {
 public:
  explicit JsonLinesSource(InputFd input);
  void set_signature(const Signature& signature) override;
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  bool is_bounded() const override { return reader_.input().is_regular_file(); }
  int wait_fd() const override { return reader_.input().fd(); }

 private:
  LineReader reader_;
  JsonTupleParser parser_;
  std::optional<TupleCheck> check_;
};

}  // namespace fanmill::producer
