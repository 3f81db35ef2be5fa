// A store whose writes become durable late, several at once, in order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "broker/core/duties.hpp"
#include "tests/sim/oracle.hpp"

namespace fanmill::sim {

class SimStore {
 public:
  explicit SimStore(Oracle& oracle) : oracle_(oracle) {}

  void write(std::vector<broker::StoreWrite> writes);
  std::uint64_t written() const { return written_; }
  std::uint64_t durable() const { return durable_; }
  void commit(std::uint64_t number);

  // Nothing: what is named was dropped.
  std::optional<Blob> read(const broker::ChunkBytes& source) const;
  std::optional<Blob> read(const broker::RecordBytes& source) const;

  std::size_t jobs() const { return jobs_.size(); }
  std::size_t kept(JobId job) const;  // chunks and records

 private:
  struct Job {
    std::map<std::uint64_t, Blob> chunks;
    std::map<std::uint64_t, Blob> records;
  };
  Oracle& oracle_;
  std::map<JobId, Job> jobs_;
  std::uint64_t written_ = 0;
  std::uint64_t durable_ = 0;
};

}  // namespace fanmill::sim
