#include "producer/product_source.hpp"

#include <fmt/format.h>

#include "producer/pack.hpp"
#include "producer/text_value.hpp"

namespace fanmill::producer {

Result<std::unique_ptr<TupleSource>> ProductSource::make(
    const std::vector<std::vector<std::string>>& lists) {
  std::unique_ptr<ProductSource> source(new ProductSource);
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].empty()) {
      return fail(ErrorCode::kUsage, fmt::format("`:::` number {} has no values", i + 1));
    }
    if (__builtin_mul_overflow(source->total_, lists[i].size(), &source->total_)) {
      return fail(ErrorCode::kUsage, "the lists behind `:::` make more tuples than can be counted");
    }
    std::vector<std::string>& values = source->values_.emplace_back();
    for (const std::string& text : lists[i]) append_typed(values.emplace_back(), text);
  }
  source->at_.resize(lists.size());
  return source;
}

Result<Supply> ProductSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  while (next_ < total_) {
    if (chunk.full() || chunk.tuples() >= tuples_max) return Supply::kMore;
    std::string& out = chunk.bytes();
    pack::array_head(out, values_.size());
    for (std::size_t i = 0; i < values_.size(); ++i) out += values_[i][at_[i]];
    chunk.tuple_done();
    ++next_;
    for (std::size_t i = values_.size(); i-- > 0;) {
      if (++at_[i] < values_[i].size()) break;
      at_[i] = 0;
    }
  }
  return Supply::kEnd;
}

}  // namespace fanmill::producer
