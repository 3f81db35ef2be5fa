// The cross product of lists given on the command line (`::: a b ::: 1 2`), the last list fastest.
#pragma once

#include <string>
#include <vector>

#include "producer/source.hpp"

namespace fanmill::producer {

class ProductSource : public TupleSource {
 public:
  // kUsage: an empty list, or more tuples than can be counted.
  static Result<std::unique_ptr<TupleSource>> make(
      const std::vector<std::vector<std::string>>& lists);
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  std::optional<std::uint64_t> total() const override { return total_; }

 private:
  ProductSource() = default;
  std::vector<std::vector<std::string>> values_;  // msgpack, one list per source
  std::vector<std::size_t> at_;                   // of the next tuple
  std::uint64_t total_ = 1;
  std::uint64_t next_ = 0;
};

}  // namespace fanmill::producer
