// What the core asks of the world, in the order in which the world must do it. Taken once per turn
// of the loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/blob.hpp"
#include "proto/clock.hpp"
#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill::broker {

// ---- writes: what the store keeps, in this order; those of one turn all or none ----
struct PutJob {
  JobId job;
  std::string key;
  JobOptions options;
};
struct PutChunk {
  JobId job;
  TaskIndex first;
  std::uint64_t count{};
  std::vector<Block> blocks;
  Blob bytes;
  std::string digest = {};  // TupleDigest::save() with it, of a job with a named key
};
struct PutClose {
  JobId job;
  std::uint64_t total{};
};
// One recorded batch of results. Of the batch's tasks only those in `valid` count: the others had a
// record already.
struct PutRecord {
  JobId job;
  RecordId record;
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
  Blob bytes;
  std::uint64_t rows_end{};  // as completed, the cursor behind its rows
};
// What became of a job as a whole; each replaces the one before.
struct PutState {
  JobId job;
  bool cancelled{};
  bool held{};  // a user paused it
  std::optional<RowOrder>
      order;                   // in which its rows are read, if they are forgotten when delivered
  TaskIndex horizon;           // no task from here on has been dealt
  std::string signature = {};  // of the function, as the job is bound to it
  std::uint64_t cancel_grace_ms{};
  std::string halted = {};  // the policy by which it was cancelled, as a sentence
};
// What attempts at one task have come to so far, `token` being the last of them.
struct PutCharge {
  JobId job;
  TaskIndex index;
  std::uint32_t failures{};
  std::uint32_t crashes{};
  std::uint32_t losses{};
  AttemptToken token = {};
  std::uint32_t refunded = {};
};
// Chunks of this push key before `sequence` are accepted.
struct PutPush {
  JobId job;
  std::string key;
  std::uint64_t sequence{};
  std::uint64_t tasks{};  // in them
};
// This task of a job that runs tasks at most once is `out` at a worker: from here on it may have
// run. Or it has come back, and has not.
struct PutDealt {
  JobId job;
  TaskIndex index;
  bool out{};
};
// A new round of these tasks: what earlier records and charges say of them is history, and so are
// successes under tokens up to `token`. Behind the record of this number.
struct PutRound {
  JobId job;
  std::uint32_t round{};
  std::vector<IndexRange> tasks;
  AttemptToken token;
  RecordId after;
};
struct DropChunk {
  JobId job;
  TaskIndex first;
};
// Its rows are delivered and nobody will ask again. What it says of its tasks stays.
struct DropRecord {
  JobId job;
  RecordId record;
};
struct DropJob {  // with all its chunks and records
  JobId job;
};
using StoreWrite = std::variant<PutJob, PutChunk, PutClose, PutRecord, PutState, PutCharge, PutPush,
                                PutDealt, PutRound, DropChunk, DropRecord, DropJob>;

// ---- messages: their blobs are named, and fetched from the store when they leave ----
struct ChunkBytes {  // bytes [offset, offset + bytes) of the chunk that begins with task `chunk`
  JobId job;
  TaskIndex chunk;
  std::size_t offset{};
  std::size_t bytes{};
};
struct RecordBytes {  // the whole blob of a record
  JobId job;
  RecordId record;
};
using BlobSource = std::variant<std::monostate, Blob, ChunkBytes, RecordBytes>;

struct Outgoing {
  PeerId peer;
  SessionId session;
  std::variant<ToProducer, ToWorker> message;
  BlobSource blob;
  std::optional<ChunkBytes> tuples;  // appended to the blob (Rows of a job with rows_with_tuples)
};

struct Duties {
  std::vector<StoreWrite> writes;  // 1. hand to the store, in this order
  std::vector<Outgoing>
      send_now;  // 2. promises nothing durable: heartbeats, progress, leases of durable chunks
  std::vector<Outgoing>
      send_after;  // 3. once every write handed over so far, of all turns, is durable
  std::optional<MonoTime> wake_at;  // 4. latest time of the next step
  std::vector<std::string> news;    // 5. lines for the log, if CoreConfig::news
};

}  // namespace fanmill::broker
