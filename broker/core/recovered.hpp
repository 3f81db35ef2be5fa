// What a store still knows of the jobs of earlier lives of the broker, for the core to go on with.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/duties.hpp"
#include "broker/core/life.hpp"

namespace fanmill::broker {

struct RecoveredChunk {
  TaskIndex first;
  std::vector<Block> blocks;
};

struct RecoveredRecord {
  PutRecord put;  // without its bytes
  std::uint64_t blob_bytes{};
  bool dropped{};  // its rows are delivered, and the bytes gone
};

struct RecoveredJob {
  PutJob put;
  std::optional<std::uint64_t> total;  // closed
  PutState state;
  std::vector<RecoveredChunk> chunks;    // by first task; those that were dropped are missing
  std::uint64_t next_index{};            // tuples before it were accepted
  std::uint64_t accepted_bytes{};        // of them
  std::string digest;                    // PutChunk::digest of the last chunk
  std::vector<RecoveredRecord> records;  // by number
  std::map<std::uint64_t, PutCharge> charges;
  std::map<std::string, PutPush> pushes;  // by key
  std::vector<TaskIndex> dealt;           // and out, of a job that runs tasks at most once
  std::vector<PutRound> rounds;           // by number

  // Of what this record says of tasks, what no later round has made history.
  std::vector<IndexRange> valid_now(const PutRecord& record) const;
};

struct Recovered {
  Life life;                       // this one
  std::vector<Life> lives;         // earlier ones
  std::vector<RecoveredJob> jobs;  // by id
};

}  // namespace fanmill::broker
