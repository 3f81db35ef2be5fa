#include "tests/sim/sim_store.hpp"

#include <algorithm>
#include <utility>

namespace fanmill::sim {

void SimStore::write(std::vector<broker::StoreWrite> writes) {
  for (broker::StoreWrite& write : writes) {
    oracle_.on_write(write, ++written_);
    now_.apply(write);
    log_.push_back(std::move(write));
  }
}

void SimStore::commit(std::uint64_t number) {
  durable_ = std::max(durable_, number);
  oracle_.on_durable(durable_);
}

broker::Recovered SimStore::restart(std::uint64_t number) {
  log_.resize(static_cast<std::size_t>(number));
  written_ = number;
  now_ = {};
  for (const broker::StoreWrite& write : log_) now_.apply(write);
  broker::Recovered recovered = now_.recovered(lives_);
  lives_.push_back(recovered.life);
  return recovered;
}

std::optional<Blob> SimStore::read(const broker::ChunkBytes& source) const {
  const std::optional<Blob> chunk = now_.chunk(source.job, source.chunk);
  if (!chunk) return std::nullopt;
  if (source.offset + source.bytes > chunk->size())
    violated("slices lie within their chunk", "a slice beyond the end of its chunk");
  return chunk->slice(source.offset, source.bytes);
}

std::optional<Blob> SimStore::read(const broker::RecordBytes& source) const {
  return now_.record(source.job, source.record);
}

}  // namespace fanmill::sim
