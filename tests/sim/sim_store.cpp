#include "tests/sim/sim_store.hpp"

#include <algorithm>
#include <utility>

namespace fanmill::sim {

void SimStore::write(std::vector<broker::StoreWrite> writes) {
  for (broker::StoreWrite& write : writes) {
    oracle_.on_write(write, ++written_);
    if (auto* put = std::get_if<broker::PutJob>(&write)) {
      jobs_.try_emplace(put->job);
    } else if (auto* chunk = std::get_if<broker::PutChunk>(&write)) {
      jobs_[chunk->job].chunks[chunk->first.value] = chunk->bytes;
    } else if (auto* record = std::get_if<broker::PutRecord>(&write)) {
      jobs_[record->job].records[record->record.value] = record->bytes;
    } else if (auto* gone = std::get_if<broker::DropChunk>(&write)) {
      jobs_[gone->job].chunks.erase(gone->first.value);
    } else if (auto* drop = std::get_if<broker::DropRecord>(&write)) {
      jobs_[drop->job].records.erase(drop->record.value);
    } else if (auto* job = std::get_if<broker::DropJob>(&write)) {
      jobs_.erase(job->job);
    }
  }
}

void SimStore::commit(std::uint64_t number) {
  durable_ = std::max(durable_, number);
  oracle_.on_durable(durable_);
}

std::optional<Blob> SimStore::read(const broker::ChunkBytes& source) const {
  const auto job = jobs_.find(source.job);
  if (job == jobs_.end()) return std::nullopt;
  const auto chunk = job->second.chunks.find(source.chunk.value);
  if (chunk == job->second.chunks.end()) return std::nullopt;
  if (source.offset + source.bytes > chunk->second.size())
    violated("slices lie within their chunk", "a slice beyond the end of its chunk");
  return chunk->second.slice(source.offset, source.bytes);
}

std::optional<Blob> SimStore::read(const broker::RecordBytes& source) const {
  const auto job = jobs_.find(source.job);
  if (job == jobs_.end()) return std::nullopt;
  const auto record = job->second.records.find(source.record.value);
  if (record == job->second.records.end()) return std::nullopt;
  return record->second;
}

std::size_t SimStore::kept(JobId job) const {
  const auto it = jobs_.find(job);
  return it == jobs_.end() ? 0 : it->second.chunks.size() + it->second.records.size();
}

}  // namespace fanmill::sim
