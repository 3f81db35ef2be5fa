#include "producer/limited_source.hpp"

#include <algorithm>
#include <utility>

namespace fanmill::producer {

LimitedSource::LimitedSource(std::unique_ptr<TupleSource> source, std::uint64_t limit)
    : source_(std::move(source)), limit_(limit) {}

Result<Supply> LimitedSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  if (given_ == limit_) return Supply::kEnd;
  const std::uint64_t before = chunk.tuples();
  const std::uint64_t room = tuples_max - std::min(tuples_max, before);
  const auto got = source_->fill(chunk, before + std::min(room, limit_ - given_));
  given_ += chunk.tuples() - before;
  return given_ == limit_ ? Supply::kEnd : got;
}

std::optional<std::uint64_t> LimitedSource::total() const {
  const auto all = source_->total();
  if (!all) return {};
  return std::min(*all, limit_);
}

}  // namespace fanmill::producer
