#include "proto/chunk.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill {
namespace {

void add_tuple(ChunkBuilder& builder, std::int64_t number, std::size_t padding) {
  append_msgpack(builder.bytes(), Value(Array{number, std::string(padding, 'p')}));
  builder.tuple_done();
}

ErrorCode refusal(std::vector<Block> blocks, std::uint64_t tuples, std::size_t bytes) {
  const auto table = ChunkTable::make(std::move(blocks), tuples, bytes);
  return table ? ErrorCode::kNone : table.error().code;
}

TEST(ChunkTableMake, RefusesTablesThatDoNotAddUp) {
  EXPECT_EQ(refusal({{2, 8}, {1, 4}}, 3, 12), ErrorCode::kNone);
  EXPECT_EQ(refusal({{2, 8}, {1, 4}}, 4, 12), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{2, 8}, {1, 4}}, 2, 12), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{2, 8}, {1, 4}}, 3, 11), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{2, 8}, {1, 4}}, 3, 13), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{2, 8}, {0, 4}}, 2, 12), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{2, 1}}, 2, 1), ErrorCode::kProtocol);
  EXPECT_EQ(refusal({{0xffffffff, 0xffffffff}}, 3, 12), ErrorCode::kLimit);
  EXPECT_EQ(refusal({}, 0, 0), ErrorCode::kNone);
  EXPECT_EQ(refusal({}, 1, 1), ErrorCode::kProtocol);
}
TEST(ChunkTableMake, HoldsTheLimitsAtTheirEdges) {
  const auto of_blocks = [](std::size_t blocks, std::uint32_t tuples) {
    return refusal(std::vector<Block>(blocks, {tuples, tuples}), blocks * tuples, blocks * tuples);
  };
  EXPECT_EQ(of_blocks(1, limits::kBlockTuplesMax), ErrorCode::kNone);
  EXPECT_EQ(of_blocks(1, limits::kBlockTuplesMax + 1), ErrorCode::kLimit);
  EXPECT_EQ(of_blocks(limits::kChunkBlocksMax, 4), ErrorCode::kNone);
  EXPECT_EQ(of_blocks(limits::kChunkBlocksMax + 1, 3), ErrorCode::kLimit);
  EXPECT_EQ(of_blocks(limits::kChunkTuplesMax / 256 + 1, 256), ErrorCode::kLimit);
  EXPECT_EQ(refusal({{1, limits::kBlobBytesMax}}, 1, limits::kBlobBytesMax), ErrorCode::kNone);
  EXPECT_EQ(refusal({{1, limits::kBlobBytesMax + 1}}, 1, limits::kBlobBytesMax + 1),
            ErrorCode::kLimit);
}

// Every run of tuples of a chunk whose blocks have uneven sizes, against a decoder that starts at
// the beginning.
TEST(ChunkTableSlice, HoldsExactlyTheWholeBlocksOfEveryRun) {
  std::string bytes;
  std::vector<Block> blocks;
  std::int64_t number = 0;
  for (const std::uint32_t tuples : {1u, 3u, 1u, 7u, 2u}) {
    const std::size_t start = bytes.size();
    for (std::uint32_t i = 0; i < tuples; ++i) append_msgpack(bytes, Value(Array{number++ * 100}));
    blocks.push_back({tuples, static_cast<std::uint32_t>(bytes.size() - start)});
  }
  const auto count = static_cast<std::uint64_t>(number);
  const auto table = ChunkTable::make(blocks, count, bytes.size());
  ASSERT_TRUE(table);
  EXPECT_EQ(table->blocks(), blocks);

  for (std::uint64_t from = 0; from < count; ++from) {
    for (std::uint64_t run = 1; run <= count - from; ++run) {
      const ChunkSlice slice = table->slice(from, run);
      const std::string_view cut = std::string_view(bytes).substr(slice.offset, slice.bytes);
      const std::vector<Block> held = table->blocks(slice.first_block, slice.last_block);
      std::uint64_t held_tuples = 0;
      for (const Block& block : held) held_tuples += block.tuples;

      // No block too many on either side.
      ASSERT_LT(slice.skip, held.front().tuples);
      ASSERT_GE(slice.skip + run, held_tuples - held.back().tuples + 1);
      ASSERT_TRUE(ChunkTable::make(held, held_tuples, cut.size()));

      std::size_t at = 0;
      ASSERT_TRUE(skip_msgpack(cut, at, slice.skip));
      for (std::uint64_t i = 0; i < run; ++i) {
        const auto tuple = decode_msgpack(cut, at);
        ASSERT_TRUE(tuple);
        ASSERT_EQ(*tuple, Value(Array{static_cast<std::int64_t>((from + i) * 100)}));
      }
    }
  }
}

TEST(ChunkBuilder, ClosesBlocksByCountAndBySize) {
  ChunkBuilder builder;
  for (int i = 0; i < 300; ++i) add_tuple(builder, 1, 0);  // 3 bytes each
  for (int i = 0; i < 5; ++i) add_tuple(builder, 1, 3000);
  const ChunkBuilder::Chunk chunk = builder.take();
  EXPECT_EQ(chunk.tuples, 305u);
  const auto table = ChunkTable::make(chunk.blocks, chunk.tuples, chunk.bytes.size());
  ASSERT_TRUE(table) << table.error().message;
  ASSERT_EQ(chunk.blocks.size(), 3u);
  EXPECT_EQ(chunk.blocks[0].tuples, limits::kBlockTuplesMax);
  EXPECT_EQ(chunk.blocks[1].tuples, 44u + 3u);
  EXPECT_EQ(chunk.blocks[2].tuples, 2u);
}
TEST(ChunkBuilder, GivesALongTupleABlockOfItsOwn) {
  ChunkBuilder builder;
  add_tuple(builder, 1, 10);
  add_tuple(builder, 2, limits::kBlockBytesAim);
  add_tuple(builder, 3, 10);
  const auto chunk = builder.take();
  ASSERT_EQ(chunk.blocks.size(), 3u);
  for (const Block& block : chunk.blocks) EXPECT_EQ(block.tuples, 1u);
  EXPECT_TRUE(ChunkTable::make(chunk.blocks, chunk.tuples, chunk.bytes.size()));
}
TEST(ChunkBuilder, IsFullAtAnyOfItsAims) {
  ChunkBuilder small;
  while (!small.full()) add_tuple(small, 1, 0);
  EXPECT_EQ(small.tuples(), limits::kChunkTuplesMax);
  const auto of_small = small.take();
  EXPECT_TRUE(ChunkTable::make(of_small.blocks, of_small.tuples, of_small.bytes.size()));

  ChunkBuilder large;
  while (!large.full()) add_tuple(large, 1, 1000);
  EXPECT_GE(large.bytes().size(), limits::kChunkBytesAim);
  EXPECT_LT(large.bytes().size(), limits::kChunkBytesAim + 1100);
}
TEST(ChunkBuilder, IsEmptyAfterTake) {
  ChunkBuilder builder;
  EXPECT_TRUE(builder.empty());
  add_tuple(builder, 1, 0);
  EXPECT_FALSE(builder.empty());
  builder.take();
  EXPECT_TRUE(builder.empty());
  add_tuple(builder, 7, 0);
  const auto second = builder.take();
  EXPECT_EQ(second.tuples, 1u);
  EXPECT_EQ(second.blocks, (std::vector<Block>{{1, 3}}));
  EXPECT_TRUE(builder.take().blocks.empty());
}

}  // namespace
}  // namespace fanmill
