#include "tests/unit/broker/written.hpp"

#include <type_traits>
#include <utility>

namespace fanmill::broker {

void Written::apply(const StoreWrite& write) {
  std::visit(
      [this](const auto& w) {
        using Write = std::decay_t<decltype(w)>;
        if constexpr (std::is_same_v<Write, PutJob>) {
          jobs_[w.job].head.put = w;
          jobs_[w.job].head.state.job = w.job;
          return;
        }
        const auto it = jobs_.find(w.job);
        if (it == jobs_.end()) return;
        Job& job = it->second;
        if constexpr (std::is_same_v<Write, PutChunk>) {
          job.chunks[w.first.value] = {w.blocks, w.bytes};
          job.head.next_index = w.first.value + w.count;
          job.head.accepted_bytes += w.bytes.size();
          if (!w.digest.empty()) job.head.digest = w.digest;
        } else if constexpr (std::is_same_v<Write, PutClose>) {
          job.head.total = w.total;
        } else if constexpr (std::is_same_v<Write, PutRecord>) {
          job.records[w.record.value] = {w, w.bytes.size(), false};
        } else if constexpr (std::is_same_v<Write, PutState>) {
          job.head.state = w;
        } else if constexpr (std::is_same_v<Write, PutCharge>) {
          job.head.charges[w.index.value] = w;
        } else if constexpr (std::is_same_v<Write, PutPush>) {
          job.head.pushes[w.key] = w;
        } else if constexpr (std::is_same_v<Write, PutDealt>) {
          std::erase(job.head.dealt, w.index);
          if (w.out) job.head.dealt.push_back(w.index);
        } else if constexpr (std::is_same_v<Write, PutRound>) {
          job.head.rounds.push_back(w);
          for (const IndexRange& range : w.tasks) {
            std::erase_if(job.head.dealt, [&](TaskIndex at) { return range.contains(at); });
            std::erase_if(job.head.charges,
                          [&](const auto& e) { return range.contains(TaskIndex{e.first}); });
          }
        } else if constexpr (std::is_same_v<Write, DropChunk>) {
          job.chunks.erase(w.first.value);
        } else if constexpr (std::is_same_v<Write, DropRecord>) {
          RecoveredRecord& record = job.records[w.record.value];
          record.dropped = true;
          record.put.bytes = {};
        } else if constexpr (std::is_same_v<Write, DropJob>) {
          jobs_.erase(it);
        }
      },
      write);
}

Recovered Written::recovered(const std::vector<Life>& lives) const {
  Recovered all;
  all.lives = lives;
  all.life.epoch = lives.empty() ? 1 : lives.back().epoch + 1;
  for (const auto& [id, job] : jobs_) {
    RecoveredJob one = job.head;
    for (const auto& [first, chunk] : job.chunks)
      one.chunks.push_back({TaskIndex{first}, chunk.blocks});
    for (const auto& [number, record] : job.records) {
      one.records.push_back(record);
      one.records.back().put.bytes = {};
    }
    all.jobs.push_back(std::move(one));
  }
  return all;
}

std::optional<Blob> Written::chunk(JobId job, TaskIndex first) const {
  const auto of = jobs_.find(job);
  if (of == jobs_.end()) return std::nullopt;
  const auto chunk = of->second.chunks.find(first.value);
  if (chunk == of->second.chunks.end()) return std::nullopt;
  return chunk->second.bytes;
}

std::optional<Blob> Written::record(JobId job, RecordId record) const {
  const auto of = jobs_.find(job);
  if (of == jobs_.end()) return std::nullopt;
  const auto found = of->second.records.find(record.value);
  if (found == of->second.records.end() || found->second.dropped) return std::nullopt;
  return found->second.put.bytes;
}

std::size_t Written::kept(JobId job) const {
  const auto of = jobs_.find(job);
  if (of == jobs_.end()) return 0;
  std::size_t count = of->second.chunks.size();
  for (const auto& [number, record] : of->second.records) count += record.dropped ? 0U : 1U;
  return count;
}

}  // namespace fanmill::broker
