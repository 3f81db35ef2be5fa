#include "broker/core/intake.hpp"

#include <utility>

namespace fanmill::broker {
namespace {
constexpr std::uint64_t kCreditParts = 8;
}  // namespace

Result<void> take_chunk(World& world, Job& job, std::uint64_t count,
                        const std::vector<Block>& blocks, const Blob& bytes) {
  if (count == 0) return fail(ErrorCode::kProtocol, "a chunk without tuples");
  Result<ChunkTable> table = ChunkTable::make(blocks, count, bytes.size());
  if (!table) return tl::make_unexpected(std::move(table.error()));
  if (!job.has_work()) world.work_appeared = true;
  const TaskIndex first{job.next_index};
  if (job.digest) job.digest->update(bytes.view());
  const std::uint64_t number = world.write(PutChunk{
      job.id, first, count, blocks, bytes, job.digest ? job.digest->save() : std::string()});
  job.chunks.emplace_hint(job.chunks.end(), first.value,
                          Chunk{first, std::move(*table), number, count, count});
  job.next_index += count;
  job.accepted_bytes += bytes.size();
  job.held_bytes += bytes.size();
  job.submitted_at = world.now;
  return {};
}

Credit credit_of(const World& world, const Job& job) {
  return job.credit(world.config.producer_window_tasks, world.config.producer_window_bytes);
}

bool credit_has_grown(const World& world, Credit said, Credit now) {
  return now.tasks >= said.tasks + world.config.producer_window_tasks / kCreditParts + 1 ||
         now.bytes >= said.bytes + world.config.producer_window_bytes / kCreditParts + 1;
}

}  // namespace fanmill::broker
