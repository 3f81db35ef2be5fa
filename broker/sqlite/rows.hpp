// The rows of a store file as bytes. What is small and structured is one msgpack array, sealed with
// a checksum of its own; the blobs of chunks and records stand beside, with theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/duties.hpp"
#include "proto/error.hpp"

namespace fanmill::broker::sqlite {

struct JobHead {
  std::string key;
  JobOptions options;
};

// Everything about a job that changes.
struct JobState {
  bool closed{};
  std::uint64_t total{};
  bool cancelled{};
  bool held{};
  bool ordered{};
  RowOrder order{};
  TaskIndex horizon;
  std::uint64_t next_index{};      // tuples before it were accepted
  std::uint64_t accepted_bytes{};  // of them
  std::string digest;              // PutChunk::digest of the last one
  std::string signature;
  std::uint64_t cancel_grace_ms{};
  std::string halted;
};

struct ChunkHead {
  std::uint64_t count{};
  std::vector<Block> blocks;
};

struct RecordHead {
  TaskIndex batch_first;
  std::uint64_t batch_count{};
  std::vector<IndexRange> valid;
  Outcome outcome{};
  bool dead_lettered{};
  AttemptToken token;
  std::uint32_t attempt{};
  std::string worker;
  std::uint64_t values_bytes{};
  std::uint64_t run_ns{};
  std::uint64_t blob_bytes{};
  std::uint64_t rows_end{};
};

struct ChargeHead {
  std::uint32_t failures{};
  std::uint32_t crashes{};
  std::uint32_t losses{};
  AttemptToken token;
  std::uint32_t refunded{};
};

struct RoundHead {
  std::vector<IndexRange> tasks;
  AttemptToken token;
  RecordId after;
};

std::string seal(const JobHead& head);
std::string seal(const JobState& state);
std::string seal(const ChunkHead& head);
std::string seal(const RecordHead& head);
std::string seal(const ChargeHead& head);
std::string seal(const RoundHead& head);

// Refused (kMalformedInput, "the checksum is wrong" and the like) when the bytes are not what
// seal() wrote.
Result<void> unseal(std::string_view sealed, JobHead& head);
Result<void> unseal(std::string_view sealed, JobState& state);
Result<void> unseal(std::string_view sealed, ChunkHead& head);
Result<void> unseal(std::string_view sealed, RecordHead& head);
Result<void> unseal(std::string_view sealed, ChargeHead& head);
Result<void> unseal(std::string_view sealed, RoundHead& head);

// XXH3 over a blob and over where it belongs, so that one in the wrong row shows.
std::int64_t blob_checksum(JobId job, std::uint64_t number, std::string_view bytes);

}  // namespace fanmill::broker::sqlite
