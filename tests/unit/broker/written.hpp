// What a store would know after these writes, blobs included: the model that tests compare with and
// restart a core from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/duties.hpp"
#include "broker/core/recovered.hpp"

namespace fanmill::broker {

class Written {
 public:
  void apply(const StoreWrite& write);
  // `lives`: so far; the next one's epoch is one more than the last.
  Recovered recovered(const std::vector<Life>& lives) const;

  std::optional<Blob> chunk(JobId job, TaskIndex first) const;
  std::optional<Blob> record(JobId job, RecordId record) const;
  std::size_t jobs() const { return jobs_.size(); }
  std::size_t kept(JobId job) const;  // chunks and records that have their bytes

 private:
  struct Chunk {
    std::vector<Block> blocks;
    Blob bytes;
  };
  struct Job {
    RecoveredJob head;
    std::map<std::uint64_t, Chunk> chunks;
    std::map<std::uint64_t, RecoveredRecord> records;  // with their bytes until dropped
  };
  std::map<JobId, Job> jobs_;
};

}  // namespace fanmill::broker
