// The store of a private run, and of a broker at level "memory": everything is durable at once and
// dies with the process. Past a bound, results go to an unlinked temporary file.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <variant>

#include "broker/spill_file.hpp"
#include "broker/store.hpp"
#include "proto/limits.hpp"

namespace fanmill::broker {

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::uint64_t memory_bytes_max = limits::kResultsInMemory)
      : memory_bytes_max_(memory_bytes_max) {}

  void write(std::vector<StoreWrite> writes) override;
  std::uint64_t durable() const override { return written_; }
  std::optional<Blob> read(const ChunkBytes& source) override;
  std::optional<Blob> read(const RecordBytes& source) override;
  std::string_view level() const override { return "memory"; }

  std::uint64_t memory_bytes() const { return memory_bytes_; }
  std::uint64_t spilled_bytes() const { return spill_.bytes(); }

 private:
  using Kept = std::variant<Blob, SpillFile::Place>;
  struct Job {
    std::map<std::uint64_t, Kept> chunks;             // by first index
    std::unordered_map<std::uint64_t, Kept> records;  // by record id
  };

  Kept keep(const Blob& bytes);
  void drop(const Kept& kept);
  std::optional<Blob> fetch(const Kept& kept);

  void apply(PutJob& write);
  void apply(PutChunk& write);
  void apply(PutClose&) {}
  void apply(PutRecord& write);
  void apply(PutState&) {}  // nobody will read it: this store ends with the core that it serves
  void apply(PutCharge&) {}
  void apply(PutPush&) {}
  void apply(PutDealt& write);
  void apply(PutRound& write);
  void apply(DropChunk& write);
  void apply(DropRecord& write);
  void apply(DropJob& write);

  std::uint64_t memory_bytes_max_;
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t written_ = 0;
  SpillFile spill_;
  std::unordered_map<JobId, Job> jobs_;
};

}  // namespace fanmill::broker
