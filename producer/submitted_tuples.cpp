#include "producer/submitted_tuples.hpp"

#include <string_view>

#include "proto/value.hpp"

namespace fanmill::producer {

void SubmittedTuples::add(std::uint64_t first, const ChunkBuilder::Chunk& chunk) {
  if (chunk.bytes.size() > kTuplesKeptBytes - bytes_) return;
  bytes_ += chunk.bytes.size();
  kept_.push_back({first, chunk});
}

void SubmittedTuples::forget_before(std::uint64_t index) {
  while (!kept_.empty() && kept_.front().first + kept_.front().chunk.tuples <= index) {
    bytes_ -= kept_.front().chunk.bytes.size();
    kept_.pop_front();
  }
}

std::string SubmittedTuples::find(std::uint64_t index) const {
  for (const auto& [first, chunk] : kept_) {
    if (index < first || index - first >= chunk.tuples) continue;
    std::uint64_t skip = index - first;
    std::size_t at = 0;
    for (const Block& block : chunk.blocks) {
      if (skip < block.tuples) break;
      skip -= block.tuples;
      at += block.bytes;
    }
    const std::string_view bytes = chunk.bytes;
    if (!skip_msgpack(bytes, at, skip)) return {};
    const std::size_t from = at;
    if (!skip_msgpack(bytes, at, 1)) return {};
    return std::string(bytes.substr(from, at - from));
  }
  return {};
}

}  // namespace fanmill::producer
