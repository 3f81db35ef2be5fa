#include <map>

#include "proto/limits.hpp"
#include "tests/unit/broker_store/store_fixture.hpp"

namespace fanmill::broker {
namespace {

TEST_F(StoreTest, WhatIsDurableIsThereInTheNextLife) {
  {
    auto store = opened();
    ASSERT_TRUE(store) << store.error().message;
    PutChunk last = put_chunk(3, 2, "ghij");
    last.digest = std::string(400, 'd');
    (*store)->write(writes(put_job(), put_chunk(0, 3, "abcdef"), last));
    (*store)->write(writes(put_record(1, 0, 3, "values"), PutClose{kJob, 5},
                           PutState{kJob, true, true, RowOrder::kAsCompleted, TaskIndex{4},
                                    std::string(limits::kSignatureBytesMax, 's'), 7, "halted so"},
                           PutCharge{kJob, TaskIndex{0}, 9, 9, 9, {8, 8}},
                           PutDealt{kJob, TaskIndex{0}, true}, PutDealt{kJob, TaskIndex{3}, true},
                           PutDealt{kJob, TaskIndex{4}, true}, PutDealt{kJob, TaskIndex{4}, false},
                           PutRound{kJob, 1, {{TaskIndex{0}, 2}}, {8, 7}, RecordId{1}},
                           PutCharge{kJob, TaskIndex{4}, 1, 2, 3, {8, 9}, 5},
                           PutPush{kJob, "p", 9, 21}));
    ASSERT_TRUE(wait_durable(**store, 14));
  }
  auto store = opened();
  ASSERT_TRUE(store) << store.error().message;
  const Recovered recovered = (*store)->take_recovered();
  ASSERT_EQ(recovered.jobs.size(), 1U);
  const RecoveredJob& job = recovered.jobs.front();
  EXPECT_EQ(job.put.job, kJob);
  EXPECT_EQ(job.put.key, "key");
  EXPECT_EQ(job.put.options, put_job().options);
  EXPECT_EQ(job.total, 5U);
  EXPECT_TRUE(job.state.cancelled);
  EXPECT_TRUE(job.state.held);
  EXPECT_EQ(job.state.order, RowOrder::kAsCompleted);
  EXPECT_EQ(job.state.horizon, TaskIndex{4});
  EXPECT_EQ(job.state.signature.size(), limits::kSignatureBytesMax);
  EXPECT_EQ(job.state.cancel_grace_ms, 7U);
  EXPECT_EQ(job.digest, std::string(400, 'd'));
  ASSERT_EQ(job.chunks.size(), 2U);
  EXPECT_EQ(job.chunks[1].first, TaskIndex{3});
  EXPECT_EQ(job.chunks[1].blocks, (std::vector<Block>{{2, 4}}));
  EXPECT_EQ(job.next_index, 5U);
  EXPECT_EQ(job.accepted_bytes, 10U);
  ASSERT_EQ(job.records.size(), 1U);
  const PutRecord& record = job.records[0].put;
  EXPECT_EQ(record.valid, (std::vector<IndexRange>{{TaskIndex{0}, 3}}));
  EXPECT_EQ(record.token, (AttemptToken{5, 1}));
  EXPECT_EQ(record.worker, "w@host");
  EXPECT_EQ(job.records[0].blob_bytes, 6U);
  EXPECT_FALSE(job.records[0].dropped);
  EXPECT_EQ(job.state.halted, "halted so");
  EXPECT_EQ(job.charges.size(), 1U);  // that of task 0 is of an earlier round
  EXPECT_EQ(job.charges.at(4).crashes, 2U);
  EXPECT_EQ(job.charges.at(4).refunded, 5U);
  EXPECT_EQ(job.dealt, std::vector<TaskIndex>{TaskIndex{3}});
  ASSERT_EQ(job.rounds.size(), 1U);
  EXPECT_EQ(job.rounds[0].tasks, (std::vector<IndexRange>{{TaskIndex{0}, 2}}));
  EXPECT_EQ(job.rounds[0].token, (AttemptToken{8, 7}));
  EXPECT_EQ(job.rounds[0].after, RecordId{1});
  EXPECT_EQ(job.valid_now(record), (std::vector<IndexRange>{{TaskIndex{2}, 1}}));
  EXPECT_EQ(job.charges.at(4).token, (AttemptToken{8, 9}));
  EXPECT_EQ(job.pushes.at("p").sequence, 9U);
  EXPECT_EQ(job.pushes.at("p").tasks, 21U);
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{3}, 1, 2})), "hi");
  EXPECT_EQ(text((*store)->read(RecordBytes{kJob, RecordId{1}})), "values");
}

TEST_F(StoreTest, EveryLifeHasAHigherEpochThanAllBefore) {
  std::vector<Life> seen;
  for (int life = 0; life < 4; ++life) {
    auto store = opened();
    ASSERT_TRUE(store);
    const Recovered recovered = (*store)->take_recovered();
    EXPECT_EQ(recovered.lives, seen);
    if (!seen.empty()) {
      EXPECT_GT(recovered.life.epoch, seen.back().epoch);
    }
    seen.push_back(recovered.life);
  }
}

TEST_F(StoreTest, BlobsAreReadBeforeTheyAreCommittedAndAfterTheyLeftTheCache) {
  SqliteStoreOptions options;
  options.cache_bytes = 0;
  auto store = opened(options);
  ASSERT_TRUE(store);
  (*store)->write(writes(put_job(), put_chunk(0, 1, "first")));
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{0}, 0, 5})), "first");
  ASSERT_TRUE(wait_durable(**store, 2));
  (*store)->write(writes(put_chunk(1, 1, "second")));  // trims what is durable
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{0}, 0, 5})), "first");
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{1}, 0, 6})), "second");
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{2}, 0, 1})), "(nothing)");
  EXPECT_EQ(text((*store)->read(ChunkBytes{kJob, TaskIndex{0}, 1, 5})), "(nothing)");
}

TEST_F(StoreTest, AnEmptyBlobIsNoMissingBlob) {
  {
    auto store = opened();
    ASSERT_TRUE(store);
    (*store)->write(writes(put_job(), put_record(1, 0, 1, "")));
    ASSERT_TRUE(wait_durable(**store, 2));
  }
  auto store = opened();
  ASSERT_TRUE(store);
  EXPECT_FALSE((*store)->take_recovered().jobs[0].records[0].dropped);
  EXPECT_EQ(text((*store)->read(RecordBytes{kJob, RecordId{1}})), "");
}

TEST_F(StoreTest, WhatIsDroppedIsGoneButStillCounts) {
  {
    auto store = opened();
    ASSERT_TRUE(store);
    (*store)->write(writes(put_job(), put_chunk(0, 3, "abc"), put_chunk(3, 1, "d")));
    (*store)->write(writes(put_record(1, 0, 4, "values"), DropChunk{kJob, TaskIndex{0}},
                           DropChunk{kJob, TaskIndex{3}}, DropRecord{kJob, RecordId{1}}));
    ASSERT_TRUE(wait_durable(**store, 7));
    EXPECT_EQ(text((*store)->read(RecordBytes{kJob, RecordId{1}})), "(nothing)");
    EXPECT_FALSE((*store)->failure());
  }
  auto store = opened();
  ASSERT_TRUE(store);
  const Recovered recovered = (*store)->take_recovered();
  ASSERT_EQ(recovered.jobs.size(), 1U);
  EXPECT_EQ(recovered.jobs[0].next_index, 4U);
  EXPECT_EQ(recovered.jobs[0].accepted_bytes, 4U);
  EXPECT_TRUE(recovered.jobs[0].chunks.empty());
  ASSERT_EQ(recovered.jobs[0].records.size(), 1U);
  EXPECT_TRUE(recovered.jobs[0].records[0].dropped);
  EXPECT_EQ(recovered.jobs[0].records[0].put.valid[0].count, 4U);
}

TEST_F(StoreTest, ADroppedJobGivesItsSpaceBack) {
  const std::string big(1U << 20, 'x');
  auto store = opened();
  ASSERT_TRUE(store);
  (*store)->write(writes(put_job()));
  for (std::uint64_t i = 0; i < 64; ++i) (*store)->write(writes(put_chunk(i, 1, big)));
  ASSERT_TRUE(wait_durable(**store, 65));
  (*store)->write(writes(DropJob{kJob}));
  ASSERT_TRUE(wait_durable(**store, 66));
  // The file shrinks at its next checkpoints; small commits bring those about.
  std::uint64_t number = 66;
  for (int rounds = 0; rounds < 3000 && std::filesystem::file_size(path()) > (24U << 20);
       ++rounds) {
    const JobId other{kJob.value + 1 + static_cast<std::uint64_t>(rounds)};
    (*store)->write(writes(put_job(other, "k" + std::to_string(rounds)),
                           put_chunk(0, 1, std::string(100000, 'y'), other), DropJob{other}));
    ASSERT_TRUE(wait_durable(**store, number += 3));
  }
  EXPECT_LE(std::filesystem::file_size(path()), 24U << 20);
}

TEST_F(StoreTest, OneBrokerAtATime) {
  auto store = opened();
  ASSERT_TRUE(store);
  const auto second = opened();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find(path()), std::string::npos);
}

TEST_F(StoreTest, ManySmallWritesShareCommits) {
  auto store = opened();
  ASSERT_TRUE(store);
  (*store)->write(writes(put_job()));
  constexpr std::uint64_t kMany = 5000;
  for (std::uint64_t i = 1; i <= kMany; ++i) (*store)->write(writes(put_record(i, i, 1, "v")));
  ASSERT_TRUE(wait_durable(**store, kMany + 1));
  EXPECT_EQ(text((*store)->read(RecordBytes{kJob, RecordId{kMany}})), "v");
}

TEST_F(StoreTest, TellsItsLevel) {
  SqliteStoreOptions options;
  options.durability = sqlite::Durability::kOs;
  EXPECT_EQ((*opened(options))->level(), "os");
  EXPECT_EQ((*opened())->level(), "sync");
}

}  // namespace
}  // namespace fanmill::broker
