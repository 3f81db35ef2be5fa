// A chunk: a contiguous run of tuples as submitted, in blocks of concatenated msgpack tuples with
// one table entry per block. A run of tasks is cut out of it without looking at a tuple: whole
// blocks travel, and the first `skip` tuples are passed over by whoever decodes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/error.hpp"
#include "proto/ids.hpp"

namespace fanmill {

struct Block {
  std::uint32_t tuples{};
  std::uint32_t bytes{};
  friend bool operator==(const Block&, const Block&) = default;
};

// Where a run of tuples lies: bytes [offset, offset + bytes) of the chunk hold blocks [first_block,
// last_block), and the run begins `skip` tuples into them.
struct ChunkSlice {
  std::size_t offset{};
  std::size_t bytes{};
  std::uint32_t skip{};
  std::uint32_t first_block{};
  std::uint32_t last_block{};
};

class ChunkTable {
 public:
  ChunkTable() = default;
  // Refused (kProtocol, kLimit): an empty block, more than limits allow, sums that differ from
  // `tuples` and `bytes`.
  static Result<ChunkTable> make(std::vector<Block> blocks, std::uint64_t tuples,
                                 std::size_t bytes);

  // The slice that holds tuples [from, from + count) of this chunk; count > 0 and within the chunk.
  // Logarithmic in the number of blocks.
  ChunkSlice slice(std::uint64_t from, std::uint64_t count) const;

  std::uint64_t tuples() const { return ends_.empty() ? 0 : ends_.back().tuples; }
  std::size_t bytes() const { return ends_.empty() ? 0 : ends_.back().bytes; }
  std::vector<Block> blocks(std::uint32_t first, std::uint32_t last) const;
  std::vector<Block> blocks() const { return blocks(0, static_cast<std::uint32_t>(ends_.size())); }

 private:
  struct End {  // cumulative, exclusive
    std::uint32_t tuples;
    std::uint32_t bytes;
  };
  std::vector<End> ends_;
};

// Grows a chunk tuple by tuple. Not thread-safe.
class ChunkBuilder {
 public:
  // Where the next tuple's msgpack bytes are appended; call tuple_done() after each.
  std::string& bytes() { return bytes_; }
  void tuple_done();

  std::uint64_t tuples() const { return tuples_; }
  bool empty() const { return tuples_ == 0; }
  // No further tuple should be added: one of the aims or limits is reached.
  bool full() const;

  struct Chunk {
    std::uint64_t tuples{};
    std::vector<Block> blocks;
    std::string bytes;
  };
  Chunk take();  // leaves the builder empty

 private:
  std::string bytes_;
  std::vector<Block> blocks_;
  std::uint64_t tuples_ = 0;
  std::size_t block_start_ = 0;
  std::size_t tuple_start_ = 0;
  std::uint32_t block_tuples_ = 0;

  void close_block(std::size_t end);
};

}  // namespace fanmill
