#include "proto/chunk.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill {

Result<ChunkTable> ChunkTable::make(std::vector<Block> blocks, std::uint64_t tuples,
                                    std::size_t bytes) {
  if (blocks.size() > limits::kChunkBlocksMax) {
    return fail(ErrorCode::kLimit, "chunk with more blocks than a chunk may have");
  }
  if (tuples > limits::kChunkTuplesMax || bytes > limits::kBlobBytesMax) {
    return fail(ErrorCode::kLimit, "chunk with more tuples or bytes than a chunk may have");
  }
  ChunkTable table;
  table.ends_.reserve(blocks.size());
  std::uint64_t tuple_sum = 0;
  std::uint64_t byte_sum = 0;
  for (const Block& block : blocks) {
    if (block.tuples == 0) return fail(ErrorCode::kProtocol, "block without a tuple");
    if (block.tuples > limits::kBlockTuplesMax) {
      return fail(ErrorCode::kLimit, "block with more tuples than a block may have");
    }
    if (block.bytes < block.tuples) {
      return fail(ErrorCode::kProtocol, "block with fewer bytes than tuples");
    }
    tuple_sum += block.tuples;
    byte_sum += block.bytes;
    if (tuple_sum > tuples || byte_sum > bytes) break;
    table.ends_.push_back(
        {static_cast<std::uint32_t>(tuple_sum), static_cast<std::uint32_t>(byte_sum)});
  }
  if (tuple_sum != tuples || byte_sum != bytes) {
    return fail(ErrorCode::kProtocol, "block table that does not add up to its chunk");
  }
  return table;
}

ChunkSlice ChunkTable::slice(std::uint64_t from, std::uint64_t count) const {
  FANMILL_ASSERT(count > 0 && from < tuples() && count <= tuples() - from);
  // The block that holds tuple i is the first one whose end lies behind i.
  const auto block_of = [this](std::uint64_t tuple) {
    return std::partition_point(ends_.begin(), ends_.end(),
                                [tuple](const End& end) { return end.tuples <= tuple; });
  };
  const auto first = block_of(from);
  const auto last = block_of(from + count - 1);
  const End before = first == ends_.begin() ? End{0, 0} : *(first - 1);
  return {.offset = before.bytes,
          .bytes = last->bytes - before.bytes,
          .skip = static_cast<std::uint32_t>(from - before.tuples),
          .first_block = static_cast<std::uint32_t>(first - ends_.begin()),
          .last_block = static_cast<std::uint32_t>(last - ends_.begin()) + 1};
}

std::vector<Block> ChunkTable::blocks(std::uint32_t first, std::uint32_t last) const {
  FANMILL_ASSERT(first <= last && last <= ends_.size());
  std::vector<Block> blocks;
  blocks.reserve(last - first);
  End before = first == 0 ? End{0, 0} : ends_[first - 1];
  for (std::uint32_t i = first; i < last; ++i) {
    blocks.push_back({ends_[i].tuples - before.tuples, ends_[i].bytes - before.bytes});
    before = ends_[i];
  }
  return blocks;
}

void ChunkBuilder::close_block(std::size_t end) {
  blocks_.push_back({block_tuples_, static_cast<std::uint32_t>(end - block_start_)});
  block_start_ = end;
  block_tuples_ = 0;
}

void ChunkBuilder::tuple_done() {
  FANMILL_ASSERT(bytes_.size() > tuple_start_);
  // A long tuple gets a block of its own, so that a cut beside it does not drag it along.
  const bool is_long = bytes_.size() - tuple_start_ >= limits::kBlockBytesAim;
  if (is_long && block_tuples_ > 0) close_block(tuple_start_);
  ++block_tuples_;
  ++tuples_;
  tuple_start_ = bytes_.size();
  if (block_tuples_ == limits::kBlockTuplesMax ||
      tuple_start_ - block_start_ >= limits::kBlockBytesAim) {
    close_block(tuple_start_);
  }
}

bool ChunkBuilder::full() const {
  // The next tuple may close two blocks, and the last one is closed by take().
  return tuple_start_ >= limits::kChunkBytesAim || tuples_ >= limits::kChunkTuplesMax ||
         blocks_.size() + 2 > limits::kChunkBlocksMax;
}

ChunkBuilder::Chunk ChunkBuilder::take() {
  if (block_tuples_ > 0) close_block(tuple_start_);
  FANMILL_ASSERT(bytes_.size() == tuple_start_);
  Chunk chunk{tuples_, std::move(blocks_), std::move(bytes_)};
  *this = ChunkBuilder();
  return chunk;
}

}  // namespace fanmill
