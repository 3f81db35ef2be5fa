#include "broker/core/restoring.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/claims.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/intake.hpp"
#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/sink.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

// One job; its parts in the order in which they need one another.
class Restoring {
 public:
  Restoring(World& world, RecoveredJob& from) : world_(world), from_(from), job_(*made_) {}

  Result<void> run() {
    head();
    for (const auto part : {&Restoring::chunks, &Restoring::records}) {
      const auto done = (this->*part)();
      if (!done)
        return fail(ErrorCode::kMalformedInput,
                    "job " + to_text(job_.id) + ": " + done.error().message);
    }
    rows();
    tasks();
    charges();
    settle_bytes();
    pushes();
    measures();
    enlist();
    return {};
  }

 private:
  void head() {
    job_.id = from_.put.job;
    job_.key = from_.put.key;
    job_.options = std::move(from_.put.options);
    job_.opened_at = job_.submitted_at = world_.now;
    job_.recorded = MovingRate(world_.now);
    job_.closed = from_.total.has_value();
    job_.cancelled = from_.state.cancelled;
    job_.cancel_grace_ms = from_.state.cancel_grace_ms;
    job_.cancel_asked = world_.now;
    job_.held = from_.state.held;
    job_.order = from_.state.order;
    job_.signature = from_.state.signature;
    job_.halted = from_.state.halted;
    job_.horizon = job_.horizon_safe = from_.state.horizon.value;
    job_.next_index = from_.next_index;
    job_.accepted_bytes = from_.accepted_bytes;
    if (!job_.options.named_key) return;
    job_.digest.emplace();
    if (!from_.digest.empty()) job_.digest->load(from_.digest);
  }

  Result<void> chunks() {
    for (RecoveredChunk& chunk : from_.chunks) {
      std::uint64_t count = 0;
      std::size_t bytes = 0;
      for (const Block& block : chunk.blocks) {
        count += block.tuples;
        bytes += block.bytes;
      }
      auto table = ChunkTable::make(std::move(chunk.blocks), count, bytes);
      if (!table) return tl::make_unexpected(std::move(table.error()));
      if (count > job_.next_index || chunk.first.value > job_.next_index - count)
        return wrong("tuples beyond the last one");
      job_.chunks.emplace_hint(job_.chunks.end(), chunk.first.value,
                               Chunk{chunk.first, std::move(*table), 0, count, count});
    }
    return {};
  }

  Result<void> records() {
    for (RecoveredRecord& record : from_.records) {
      const PutRecord& put = record.put;
      if (put.record.value != ++job_.records)
        return wrong("record " + std::to_string(job_.records) + " is missing");
      if (mutated(Mutation::kForgetRecords)) continue;
      std::uint64_t count = 0;
      for (const IndexRange& range : from_.valid_now(put)) {
        if (range.empty() || range.count > job_.next_index ||
            range.first.value > job_.next_index - range.count)
          return wrong("record " + std::to_string(put.record.value) + " is of no task of it");
        if (job_.done.count(range) > 0)
          return wrong("a task of record " + std::to_string(put.record.value) +
                       " has a record before it");
        job_.done.add(range);
        count += range.count;
      }
      count_ending(job_.counts, put.outcome, put.dead_lettered, count);
      rows_end_ = put.rows_end;
    }
    return {};
  }

  // A record's rows, as far as they may still be asked for. Of a job that forgets what is delivered
  // a tuple that is gone says that its row was.
  void rows_of(RecoveredRecord& recovered) {
    PutRecord& put = recovered.put;
    auto record = std::make_shared<Record>();
    record->id = put.record;
    record->batch = {put.batch_first, put.batch_count};
    record->outcome = put.outcome;
    record->dead_lettered = put.dead_lettered;
    record->token = put.token;
    record->attempt = put.attempt;
    record->worker = std::move(put.worker);
    record->values_bytes = put.values_bytes;
    record->run_ns = put.run_ns;
    record->blob_bytes = recovered.blob_bytes;
    record->round = job_.rounds;
    for (const IndexRange& range : put.valid) {
      if (!job_.options.rows_with_tuples) {
        add_rows(job_, range, record);
        continue;
      }
      for (TaskIndex at = range.first; at < range.end();) {
        const auto after = job_.chunks.upper_bound(at.value);
        const Chunk* chunk = job_.chunk_of(at);
        TaskIndex end = range.end();
        if (chunk != nullptr) {
          end = std::min(end, chunk->range().end());
          add_rows(job_, {at, end - at}, record);
        } else {
          if (after != job_.chunks.end()) end = std::min(end, after->second.first);
          delivered({at, end - at});
        }
        at = end;
      }
    }
    if (record->slices > 0) {
      job_.unacknowledged_bytes += record->blob_bytes;
    } else {
      world_.write(DropRecord{job_.id, record->id});
    }
  }

  void delivered(IndexRange range) {
    forgotten_ = std::max(forgotten_, range.end().value);
    for (TaskIndex at = range.first; at < range.end();) {
      auto after = job_.chunks.upper_bound(at.value);
      TaskIndex end = range.end();
      if (Chunk* chunk = job_.chunk_of(at)) {
        end = std::min(end, chunk->range().end());
        chunk->unacknowledged -= end - at;
      } else if (after != job_.chunks.end()) {
        end = std::min(end, after->second.first);
      }
      at = end;
    }
  }

  void rows() {
    if (mutated(Mutation::kForgetRecords)) return;
    for (RecoveredRecord& record : from_.records) {
      begin_rounds(record.put.record);
      if (record.dropped) {
        for (const IndexRange& range : record.put.valid) delivered(range);
      } else {
        rows_of(record);
      }
    }
    begin_rounds({job_.records + 1});
    if (!job_.options.forget_when_delivered || !job_.order) return;
    if (job_.order == RowOrder::kInput) {
      job_.forgotten = forgotten_;
    } else {
      job_.forgotten = job_.log_start =
          rows_end_ - std::min(rows_end_, std::uint64_t{job_.log.size()});
      if (mutated(Mutation::kRestartRowsAnew)) job_.forgotten = job_.log_start = 0;
    }
    // What is here may have been sent: a reader's cursor is believed that far.
    job_.sent_ever = job_.order == RowOrder::kInput
                         ? std::max(job_.forgotten, job_.done.next_absent({}).value)
                         : job_.log_start + job_.log.size();
  }

  // Those that began before this record was made.
  void begin_rounds(RecordId next) {
    while (job_.rounds < from_.rounds.size() && from_.rounds[job_.rounds].after < next) {
      const PutRound& round = from_.rounds[job_.rounds++];
      Job::Fence fence{{}, round.token};
      for (const IndexRange& range : round.tasks) {
        supersede_rows(job_, range);
        fence.tasks.add(range);
      }
      job_.fences.push_back(std::move(fence));
    }
  }

  void tasks() {
    const IndexRange all{TaskIndex{}, job_.next_index};
    job_.fresh = {std::min(job_.horizon, job_.next_index)};
    const std::vector<IndexRange> recorded = job_.done.present(all);
    if (!recorded.empty()) job_.fresh = std::max(job_.fresh, recorded.back().end());
    for (const TaskIndex dealt : from_.dealt)
      if (dealt.value < job_.next_index) job_.fresh = std::max(job_.fresh, dealt + 1);
    // Of tasks that run at most once the store knows which are out.
    const bool known = job_.options.spec.at_most_once || mutated(Mutation::kNoAwaiting);
    for (const IndexRange& range : job_.done.absent({TaskIndex{}, job_.fresh.value}))
      (known ? job_.ready : job_.awaited).add(range);
    for (const TaskIndex dealt : from_.dealt) {
      if (dealt >= job_.fresh || job_.done.contains(dealt)) continue;
      job_.ready.remove({dealt, 1});
      job_.awaited.add({dealt, 1});
    }
    for (auto& [first, chunk] : job_.chunks) chunk.unfinished -= job_.done.count(chunk.range());
  }

  void charges() {
    if (mutated(Mutation::kForgetCharges)) return;
    for (const auto& [index, charge] : from_.charges) {
      if (TaskIndex{index} >= job_.fresh || job_.done.contains(TaskIndex{index})) continue;
      History& history = job_.exceptions[index];
      history.failures = std::min(charge.failures, job_.options.retries);
      history.crashes = charge.crashes;
      history.losses = charge.losses;
      history.refunded = charge.refunded;
      history.charged = charge.token;
    }
  }

  void settle_bytes() {
    const bool forgets = job_.options.forget_when_delivered;
    job_.released_bytes = job_.accepted_bytes;
    for (const auto& [first, chunk] : job_.chunks) {
      job_.held_bytes += chunk.table.bytes();
      if (forgets || chunk.unfinished > 0) job_.released_bytes -= chunk.table.bytes();
    }
    if (!forgets) return;
    if (job_.order == RowOrder::kInput) forget_until(world_, job_, job_.forgotten);
    for (auto it = job_.chunks.begin(); it != job_.chunks.end();) {
      const Chunk& chunk = (it++)->second;  // dropping ends it
      const bool over =
          job_.options.rows_with_tuples ? chunk.unacknowledged == 0 : chunk.unfinished == 0;
      if (over) drop_chunk(world_, job_, chunk);
    }
  }

  void pushes() {
    if (from_.pushes.empty() || mutated(Mutation::kForgetPushSequences)) return;
    job_.pushes = std::make_unique<PushKeys>();
    for (const auto& [key, push] : from_.pushes) {
      Pusher& pusher = job_.pushes->keys[key];
      pusher.next = push.sequence;
      pusher.tasks = push.tasks;
    }
    job_.pushes->said = credit_of(world_, job_);
  }

  // What the last report said of the tasks is better than nothing.
  void measures() {
    for (auto it = from_.records.rbegin(); it != from_.records.rend(); ++it) {
      if (it->put.outcome != Outcome::kSucceeded || it->put.batch_count == 0) continue;
      job_.mean_ns = std::max(
          1.0, static_cast<double>(it->put.run_ns) / static_cast<double>(it->put.batch_count));
      job_.measured = true;
      job_.batch_limit = limits::kChunkTuplesMax;
      return;
    }
  }

  void enlist() {
    Job& job = job_;
    world_.job_of_key[job.key] = job.id;
    world_.jobs[job.id] = std::move(made_);
    if (job.all_done()) {
      job.stopped = true;
      job.ended_at = world_.now;
    } else {
      bind_again(world_, job);
      world_.active[job.id] = &job;
      world_.work_appeared = true;
    }
    lose_owner(world_, job);
    await_claims(world_, job);
    // Cancelled, and the broker ended before it had recorded that of every task.
    if (job.cancelled && job.fresh.value < job.next_index) {
      const IndexRange rest{job.fresh, job.next_index - job.fresh.value};
      job.fresh = {job.next_index};
      record_cancelled(world_, job, {rest});
    }
    world_.touch(job);
    world_.tell([&] {
      return name_of(job) + " goes on: " + std::to_string(job.counts.terminal()) + " of " +
             std::to_string(job.next_index) + " tasks have ended, " +
             std::to_string(job.awaited.count()) + " may be under way";
    });
  }

  static Result<void> wrong(std::string what) {
    return fail(ErrorCode::kMalformedInput, std::move(what));
  }

  World& world_;
  RecoveredJob& from_;
  std::unique_ptr<Job> made_ = std::make_unique<Job>();
  Job& job_;
  std::uint64_t forgotten_ = 0;
  std::uint64_t rows_end_ = 0;
};

}  // namespace

Result<void> restore(World& world, Recovered recovered) {
  world.lives = std::move(recovered.lives);
  std::sort(world.lives.begin(), world.lives.end());
  if (mutated(Mutation::kReuseEpoch) && !world.lives.empty())
    world.config.life = world.lives.back();
  for (RecoveredJob& job : recovered.jobs) {
    const auto done = Restoring(world, job).run();
    if (!done) return done;
  }
  return {};
}

}  // namespace fanmill::broker
