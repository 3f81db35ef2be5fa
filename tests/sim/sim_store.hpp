// A store whose writes become durable late, several at once, in order. Its disk outlives the
// broker: what was not durable when that died is gone, but for the commit that was under way, which
// may be there as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/core/duties.hpp"
#include "broker/core/recovered.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/unit/broker/written.hpp"

namespace fanmill::sim {

class SimStore {
 public:
  explicit SimStore(Oracle& oracle) : oracle_(oracle) {}

  // Numbers go on through all lives of the broker.
  void write(std::vector<broker::StoreWrite> writes);
  std::uint64_t written() const { return written_; }
  std::uint64_t durable() const { return durable_; }
  void commit(std::uint64_t number);

  // The broker has died: what is left has writes up to `number`, and a new life begins.
  broker::Recovered restart(std::uint64_t number);

  // Nothing: what is named was dropped.
  std::optional<Blob> read(const broker::ChunkBytes& source) const;
  std::optional<Blob> read(const broker::RecordBytes& source) const;

  std::size_t jobs() const { return now_.jobs(); }
  std::size_t kept(JobId job) const { return now_.kept(job); }

 private:
  Oracle& oracle_;
  std::vector<broker::StoreWrite> log_;
  broker::Written now_;
  std::vector<broker::Life> lives_{{}};
  std::uint64_t written_ = 0;
  std::uint64_t durable_ = 0;
};

}  // namespace fanmill::sim
