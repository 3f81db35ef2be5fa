#include "broker/memory_store.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fanmill::broker {
namespace {

constexpr JobId kJob{7};

std::vector<StoreWrite> one(StoreWrite write) {
  std::vector<StoreWrite> writes;
  writes.push_back(std::move(write));
  return writes;
}

PutRecord record(std::uint64_t id, std::string bytes) {
  PutRecord put;
  put.job = kJob;
  put.record = RecordId{id};
  put.bytes = Blob::from(std::move(bytes));
  return put;
}

std::string text(const std::optional<Blob>& blob) {
  return blob ? std::string(blob->view()) : "(nothing)";
}

TEST(MemoryStore, IsDurableAtOnceAndCountsWritesFromOne) {
  MemoryStore store;
  EXPECT_EQ(store.durable(), 0U);
  store.write(one(PutJob{kJob, "key", {}}));
  store.write(one(record(1, "a")));
  EXPECT_EQ(store.durable(), 2U);
}

TEST(MemoryStore, ReadsASliceOfAChunkAndNothingPastItsEnd) {
  MemoryStore store;
  store.write(one(PutChunk{kJob, TaskIndex{40}, 3, {}, Blob::copy_of("0123456789")}));
  EXPECT_EQ(text(store.read(ChunkBytes{kJob, TaskIndex{40}, 2, 5})), "23456");
  EXPECT_EQ(text(store.read(ChunkBytes{kJob, TaskIndex{40}, 6, 5})), "(nothing)");
  EXPECT_EQ(text(store.read(ChunkBytes{kJob, TaskIndex{41}, 0, 1})), "(nothing)");
}

TEST(MemoryStore, ForgetsWhatIsDropped) {
  MemoryStore store;
  store.write(one(record(1, "first")));
  store.write(one(record(2, "second")));
  store.write(one(DropRecord{kJob, RecordId{1}}));
  EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{1}})), "(nothing)");
  EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{2}})), "second");
  store.write(one(DropJob{kJob}));
  EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{2}})), "(nothing)");
  EXPECT_EQ(store.memory_bytes(), 0U);
}

TEST(MemoryStore, KeepsExactlyItsBoundInMemoryAndSpillsTheRest) {
  MemoryStore store(100);
  store.write(one(record(1, std::string(100, 'a'))));
  EXPECT_EQ(store.memory_bytes(), 100U);
  EXPECT_EQ(store.spilled_bytes(), 0U);
  store.write(one(record(2, std::string(1, 'b'))));
  EXPECT_EQ(store.memory_bytes(), 100U);
  EXPECT_EQ(store.spilled_bytes(), 1U);
  EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{2}})), "b");
}

TEST(MemoryStore, GivesSpilledSpaceBack) {
  MemoryStore store(0);
  for (std::uint64_t i = 1; i <= 50; ++i) {
    store.write(one(record(i, std::string(10'000, static_cast<char>('a' + i % 26)))));
  }
  EXPECT_EQ(store.spilled_bytes(), 500'000U);
  for (std::uint64_t i = 1; i <= 50; ++i) {
    const std::string expected(10'000, static_cast<char>('a' + i % 26));
    EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{i}})), expected);
    store.write(one(DropRecord{kJob, RecordId{i}}));
  }
  EXPECT_EQ(store.spilled_bytes(), 0U);
  store.write(one(record(51, "again")));
  EXPECT_EQ(text(store.read(RecordBytes{kJob, RecordId{51}})), "again");
}

TEST(SpillFile, ReadsBackWhatItKeepsAndRefusesWhatItNeverHad) {
  SpillFile file;
  auto place = file.put("kept");
  ASSERT_TRUE(place);
  EXPECT_EQ(*file.get(*place), "kept");
  EXPECT_FALSE(file.get({place->offset + 100, 4})) << "nothing was ever written there";
}

}  // namespace
}  // namespace fanmill::broker
