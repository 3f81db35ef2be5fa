#include "broker/memory_store.hpp"

#include <utility>

namespace fanmill::broker {

void MemoryStore::write(std::vector<StoreWrite> writes) {
  for (StoreWrite& write : writes) std::visit([this](auto& w) { apply(w); }, write);
  written_ += writes.size();
}

// Below the bound a blob is kept by reference; beyond it, what arrives goes to disk: in input order
// the reader wants the oldest first, so the newest is what can wait there. A disk that refuses
// leaves it in memory: the cap on a job's results (limits::kResultsCap) still holds, and losing a
// result is no option.
MemoryStore::Kept MemoryStore::keep(const Blob& bytes) {
  if (!bytes.empty() && memory_bytes_ + bytes.size() > memory_bytes_max_) {
    if (auto place = spill_.put(bytes.view())) return *place;
  }
  memory_bytes_ += bytes.size();
  return bytes;
}

void MemoryStore::drop(const Kept& kept) {
  if (const Blob* blob = std::get_if<Blob>(&kept)) {
    memory_bytes_ -= blob->size();
  } else {
    spill_.drop(std::get<SpillFile::Place>(kept));
  }
}

std::optional<Blob> MemoryStore::fetch(const Kept& kept) {
  if (const Blob* blob = std::get_if<Blob>(&kept)) return *blob;
  auto bytes = spill_.get(std::get<SpillFile::Place>(kept));
  if (!bytes) return std::nullopt;
  return Blob::from(std::move(*bytes));
}

void MemoryStore::apply(PutJob& write) { jobs_.try_emplace(write.job); }

void MemoryStore::apply(PutChunk& write) {
  jobs_[write.job].chunks.insert_or_assign(write.first.value, keep(write.bytes));
}

void MemoryStore::apply(PutRecord& write) {
  jobs_[write.job].records.insert_or_assign(write.record.value, keep(write.bytes));
}

void MemoryStore::apply(PutDealt&) {}

void MemoryStore::apply(PutRound&) {}

void MemoryStore::apply(DropChunk& write) {
  const auto job = jobs_.find(write.job);
  if (job == jobs_.end()) return;
  if (auto node = job->second.chunks.extract(write.first.value)) drop(node.mapped());
}

void MemoryStore::apply(DropRecord& write) {
  const auto job = jobs_.find(write.job);
  if (job == jobs_.end()) return;
  if (auto node = job->second.records.extract(write.record.value)) drop(node.mapped());
}

void MemoryStore::apply(DropJob& write) {
  auto node = jobs_.extract(write.job);
  if (!node) return;
  for (const auto& [first, kept] : node.mapped().chunks) drop(kept);
  for (const auto& [record, kept] : node.mapped().records) drop(kept);
}

std::optional<Blob> MemoryStore::read(const ChunkBytes& source) {
  const auto job = jobs_.find(source.job);
  if (job == jobs_.end()) return std::nullopt;
  const auto chunk = job->second.chunks.find(source.chunk.value);
  if (chunk == job->second.chunks.end()) return std::nullopt;
  auto bytes = fetch(chunk->second);
  if (!bytes || source.offset + source.bytes > bytes->size()) return std::nullopt;
  return bytes->slice(source.offset, source.bytes);
}

std::optional<Blob> MemoryStore::read(const RecordBytes& source) {
  const auto job = jobs_.find(source.job);
  if (job == jobs_.end()) return std::nullopt;
  const auto record = job->second.records.find(source.record.value);
  if (record == job->second.records.end()) return std::nullopt;
  return fetch(record->second);
}

}  // namespace fanmill::broker
