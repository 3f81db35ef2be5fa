#include "broker/core/rounds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

void uncount(JobCounts& counts, const Record& record, std::uint64_t tasks) {
  if (record.dead_lettered) {
    counts.dead_lettered -= tasks;
  } else if (record.outcome == Outcome::kSucceeded) {
    counts.succeeded -= tasks;
  } else if (record.outcome == Outcome::kCancelled) {
    counts.cancelled -= tasks;
  } else {
    counts.failed -= tasks;
  }
}

void unfinish(Job& job, IndexRange range) {
  for (TaskIndex at = range.first; at < range.end();) {
    Chunk* chunk = job.chunk_of(at);
    FANMILL_ASSERT(chunk != nullptr);
    const TaskIndex end = std::min(range.end(), chunk->range().end());
    if (chunk->unfinished == 0) job.released_bytes -= chunk->table.bytes();
    chunk->unfinished += end - at;
    at = end;
  }
}

// A job that had ended goes on.
void revive(World& world, Job& job) {
  if (std::exchange(job.cancelled, false)) {
    job.halted.clear();
    world.write_state(job);
  }
  job.ended_at.reset();
  for (auto& [session, reader] : job.readers) reader.ended_said = false;
  if (!job.stopped) return;
  job.stopped = false;
  world.active[job.id] = &job;
  bind_again(world, job);
  // No lease may overtake the StopJob that is on its way, or was lost there.
  for (const auto& [session, worker] : world.workers) {
    if (Share* share = worker->find_share(job.id)) share->bound = false;
    worker->after_until = std::max(worker->after_until, world.writes);
  }
}

}  // namespace

Result<void> check_retry(const Job& job) {
  const std::string name = "job " + to_text(job.id);
  if (job.options.forget_when_delivered || !job.options.rows_with_tuples)
    return fail(ErrorCode::kConflict,
                name + " keeps no tuples; those of fanmill submit can be run again");
  if (job.cancelled && !job.all_done())
    return fail(ErrorCode::kConflict,
                name + " was cancelled and something of it still runs: try again in a moment");
  return {};
}

void retry(World& world, Job& job, std::uint32_t outcomes, const std::string& who) {
  std::vector<Slice> chosen;
  const auto& rows = mutated(Mutation::kRetrySucceeded) ? job.rows : job.failures;
  for (const auto& [first, slice] : rows) {
    const auto bit = 1U << static_cast<std::uint32_t>(slice.record->outcome);
    if ((outcomes & bit) != 0 || slice.record->outcome == Outcome::kSucceeded)
      chosen.push_back(slice);
  }
  if (chosen.empty()) return;
  RangeSet tasks;
  for (const Slice& slice : chosen) {
    supersede_rows(job, slice.range);
    job.done.remove(slice.range);
    uncount(job.counts, *slice.record, slice.range.count);
    unfinish(job, slice.range);
    job.ready.add(slice.range);
    tasks.add(slice.range);
  }
  const AttemptToken last = world.last_token();
  ++job.rounds;
  world.write(PutRound{job.id, job.rounds, tasks.ranges(), last, {job.records}});
  job.fences.push_back({std::move(tasks), last});
  revive(world, job);
  world.work_appeared = true;
  world.touch(job);
  world.tell([&] {
    return fmt::format("{}: round {} over {} tasks, by {}", name_of(job), job.rounds + 1,
                       job.fences.back().tasks.count(), who);
  });
}

std::vector<IndexRange> of_this_round(const Job& job, std::vector<IndexRange> tasks,
                                      AttemptToken token) {
  if (mutated(Mutation::kForgetRoundFence)) return tasks;
  for (const Job::Fence& fence : job.fences) {
    if (token > fence.token) continue;
    RangeSet left;
    for (const IndexRange& range : tasks) left.add(range);
    for (const IndexRange& range : fence.tasks.ranges()) left.remove(range);
    tasks = left.ranges();
  }
  return tasks;
}

}  // namespace fanmill::broker
