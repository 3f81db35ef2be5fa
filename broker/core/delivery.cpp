#include "broker/core/delivery.hpp"

#include <algorithm>

#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/ventilator.hpp"

namespace fanmill::broker {
void drop_chunk(World& world, Job& job, const Chunk& chunk) {
  job.released_bytes += chunk.table.bytes();
  job.held_bytes -= chunk.table.bytes();
  world.write(DropChunk{job.id, chunk.first});
  job.chunks.erase(chunk.first.value);
}

namespace {

// Nobody will ask for this slice again.
void forget_slice(World& world, Job& job, const Slice& slice) {
  Record& record = *slice.record;
  if (--record.slices == 0) {
    job.unacknowledged_bytes -= record.blob_bytes;
    world.write(DropRecord{job.id, record.id});
  }
  if (!job.options.rows_with_tuples) return;
  Chunk* chunk = job.chunk_of(slice.range.first);
  if (chunk == nullptr) return;
  chunk->unacknowledged -= slice.range.count;
  if (chunk->unacknowledged == 0) drop_chunk(world, job, *chunk);
}

}  // namespace

void forget_until(World& world, Job& job, std::uint64_t cursor) {
  if (job.order == RowOrder::kInput) {
    while (!job.rows.empty() && job.rows.begin()->second.range.end().value <= cursor) {
      const Slice slice = std::move(job.rows.begin()->second);
      job.rows.erase(job.rows.begin());
      forget_slice(world, job, slice);
    }
  } else {
    while (!job.log.empty() && job.log_start < cursor) {
      const Slice slice = std::move(job.log.front());
      job.log.pop_front();
      ++job.log_start;
      forget_slice(world, job, slice);
    }
  }
  job.forgotten = std::max(job.forgotten, cursor);
}

namespace {

void acknowledge(World& world, Job& job, Reader& reader, std::uint64_t cursor) {
  if (cursor <= reader.acknowledged || cursor > reader.sent_ever) return;
  reader.acknowledged = cursor;
  reader.sent = std::max(reader.sent, cursor);
  while (!reader.in_flight.empty() && reader.in_flight.front().next <= cursor) {
    reader.in_flight_bytes -= reader.in_flight.front().bytes;
    reader.in_flight.pop_front();
  }
  if (job.options.forget_when_delivered) forget_until(world, job, cursor);
}

// What is recorded when it is asked for, and no more.
bool is_snapshot(RowOrder order) {
  return order == RowOrder::kRecorded || order == RowOrder::kFailures;
}

// The slice that holds the reader's next row, cut to begin with it; no record if it is not there
// yet.
Slice next_slice(const Job& job, const Reader& reader) {
  if (is_snapshot(reader.order) && reader.sent >= reader.end) return {};
  if (reader.order == RowOrder::kAsCompleted) {
    if (reader.sent < job.log_start || reader.sent - job.log_start >= job.log.size()) return {};
    return job.log[reader.sent - job.log_start];
  }
  const auto& rows = reader.order == RowOrder::kFailures ? job.failures : job.rows;
  auto it = rows.upper_bound(reader.sent);
  if (it != rows.begin()) {
    const Slice& slice = std::prev(it)->second;
    if (slice.range.contains(TaskIndex{reader.sent})) {
      const std::uint64_t past = reader.sent - slice.range.first.value;
      return {{TaskIndex{reader.sent}, slice.range.count - past}, slice.record};
    }
  }
  const bool jumps = is_snapshot(reader.order) || mutated(Mutation::kOutOfOrderRows);
  if (jumps && it != rows.end()) return it->second;
  return {};
}

void send_rows(World& world, Job& job, Reader& reader, const Producer& producer, const Slice& slice,
               const std::optional<ChunkBytes>& tuples, std::uint32_t tuples_skip) {
  const Record& record = *slice.record;
  Rows rows;
  rows.job = job.id;
  rows.position = reader.sent;
  rows.next = reader.order == RowOrder::kAsCompleted ? reader.sent + 1 : slice.range.end().value;
  rows.batch_first = record.batch.first;
  rows.batch_count = record.batch.count;
  rows.first = slice.range.first;
  rows.count = slice.range.count;
  rows.outcome = record.outcome;
  rows.dead_lettered = record.dead_lettered;
  rows.token = record.token;
  rows.attempt = record.attempt;
  rows.worker = record.worker;
  rows.values_bytes = record.values_bytes;
  rows.run_ns = record.run_ns;
  rows.tuples_bytes = tuples ? tuples->bytes : 0;
  rows.tuples_skip = tuples_skip;
  rows.round = record.round;
  const std::uint64_t bytes = record.blob_bytes + rows.tuples_bytes;
  reader.sent = rows.next;
  reader.sent_ever = std::max(reader.sent_ever, reader.sent);
  job.sent_ever = std::max(job.sent_ever, reader.sent);
  reader.in_flight.push_back({rows.next, bytes});
  reader.in_flight_bytes += bytes;
  BlobSource blob;
  if (record.blob_bytes > 0) blob = RecordBytes{job.id, record.id};
  std::vector<Outgoing>& out =
      mutated(Mutation::kRowsBeforeDurable) ? world.duties.send_now : world.duties.send_after;
  out.push_back(
      {producer.peer, producer.session, ToProducer{std::move(rows)}, std::move(blob), tuples});
  if (mutated(Mutation::kForgetUnacknowledged)) world.write(DropRecord{job.id, record.id});
}

void refuse(World& world, const Producer& producer, JobId job, ErrorCode code,
            std::string message) {
  world.send_now(producer.peer, producer.session,
                 ToProducer{Refused{{}, job, code, std::move(message)}});
}

// What comes after the acknowledged cursor may be sent again, from `cursor` on.
void rewind(Reader& reader, std::uint64_t cursor) {
  reader.sent = cursor;
  reader.in_flight.clear();
  reader.in_flight_bytes = 0;
}

}  // namespace

void add_rows(Job& job, IndexRange range, const std::shared_ptr<Record>& record) {
  // Rows with tuples carry a slice of one chunk.
  for (TaskIndex at = range.first; at < range.end();) {
    std::uint64_t count = range.end() - at;
    if (job.options.rows_with_tuples) {
      const Chunk* chunk = job.chunk_of(at);
      FANMILL_ASSERT(chunk != nullptr);
      count = std::min(count, chunk->range().end() - at);
    }
    const Slice slice{{at, count}, record};
    ++record->slices;
    if (job.order != RowOrder::kAsCompleted) job.rows.insert_or_assign(at.value, slice);
    if (job.order != RowOrder::kInput) job.log.push_back(slice);
    if (record->outcome != Outcome::kSucceeded && !job.options.forget_when_delivered)
      job.failures.insert_or_assign(at.value, slice);
    at = at + count;
  }
}

void supersede_rows(Job& job, IndexRange range) {
  auto it = job.rows.upper_bound(range.first.value);
  if (it != job.rows.begin()) --it;
  while (it != job.rows.end() && it->first < range.end().value) {
    const Slice slice = it->second;
    if (slice.range.end() <= range.first) {
      ++it;
      continue;
    }
    job.failures.erase(it->first);
    it = job.rows.erase(it);
    const auto keep = [&](TaskIndex from, TaskIndex to) {
      if (from >= to) return;
      const Slice left{{from, to - from}, slice.record};
      job.rows.insert_or_assign(from.value, left);
      if (slice.record->outcome != Outcome::kSucceeded)
        job.failures.insert_or_assign(from.value, left);
    };
    keep(slice.range.first, range.first);
    keep(range.end(), slice.range.end());
  }
}

void chunk_finished(World& world, Job& job, Chunk& chunk) {
  if (job.options.forget_when_delivered) {
    if (!job.options.rows_with_tuples) drop_chunk(world, job, chunk);
  } else {
    job.released_bytes += chunk.table.bytes();
  }
}

// Rows that are forgotten once read have one reader: the owner, or who takes over when it is gone.
static Result<void> claim_rows(World& world, Producer& producer, Job& job, RowOrder order) {
  if (order == RowOrder::kRecorded)
    return fail(ErrorCode::kConflict,
                "the rows of this job are forgotten once read: gather them in input order or as "
                "completed");
  const Producer* owner = world.producer(job.owner);
  if (owner != nullptr && owner != &producer)
    return fail(ErrorCode::kConflict, "the rows of this job are read by " + owner->who() +
                                          ", who opened it, and forgotten once read");
  if (!job.order) {
    job.order = order;
    if (order == RowOrder::kInput) job.log.clear();
    if (order == RowOrder::kAsCompleted) job.rows.clear();
    world.write_state(job);
  }
  if (job.order != order)
    return fail(
        ErrorCode::kConflict,
        "the rows of this job are already read in the other order, and forgotten once read");
  return {};
}

// The reader that this session had already, asked again.
static void ask_again(const Job& job, Reader& reader, const Gather& gather) {
  std::uint64_t cursor = gather.cursor;
  if (job.options.forget_when_delivered) {
    cursor = std::clamp(cursor, reader.acknowledged, reader.sent_ever);
  } else {
    reader.sent_ever = std::max(reader.sent_ever, cursor);
  }
  // A late repetition of an earlier question: whoever asked does not count on more than it says.
  reader.acknowledged = std::min(reader.acknowledged, cursor);
  if (!mutated(Mutation::kNoRewind)) rewind(reader, cursor);
}

static Result<Reader> first_asked(const Job& job, const Gather& gather) {
  std::uint64_t cursor = gather.cursor;
  Reader reader;
  reader.order = gather.order;
  if (job.options.forget_when_delivered) {
    if (cursor < job.forgotten)
      return fail(ErrorCode::kNotFound, "rows of this job were delivered up to " +
                                            std::to_string(job.forgotten) +
                                            " and are forgotten: gather from there");
    cursor = std::min(cursor, std::max(job.sent_ever, job.forgotten));
    // To have rows is not to have taken care of them: only a GatherAck lets them be forgotten.
    reader.acknowledged = job.forgotten;
  } else {
    if (job.readers.size() >= limits::kReadersMax)
      return fail(ErrorCode::kLimit, "this job has " + std::to_string(job.readers.size()) +
                                         " readers already, as many as one can have");
    reader.acknowledged = cursor;
  }
  reader.sent = reader.sent_ever = cursor;
  return reader;
}

void on_gather(World& world, Producer& producer, const Gather& gather) {
  Job* job = world.job(gather.job);
  if (job == nullptr) {
    refuse(world, producer, gather.job, ErrorCode::kNotFound, "no such job at this broker");
    return;
  }
  const bool forgets = job->options.forget_when_delivered;
  if (forgets) {
    const auto claimed = claim_rows(world, producer, *job, gather.order);
    if (!claimed) {
      refuse(world, producer, job->id, claimed.error().code, claimed.error().message);
      return;
    }
    adopt(world, producer, *job);
  }
  if (mutated(Mutation::kStealOwnership)) adopt(world, producer, *job);
  auto known = job->readers.find(producer.session);
  if (known != job->readers.end() && known->second.order == gather.order) {
    ask_again(*job, known->second, gather);
  } else {
    if (known != job->readers.end()) job->readers.erase(known);
    auto reader = first_asked(*job, gather);
    if (!reader) {
      refuse(world, producer, job->id, reader.error().code, reader.error().message);
      return;
    }
    known = job->readers.emplace(producer.session, std::move(*reader)).first;
    producer.jobs.insert(job->id);
    world.tell([&] {
      return producer.who() + " reads " + name_of(*job) + " from " + std::to_string(gather.cursor);
    });
  }
  Reader& reader = known->second;
  reader.window = gather.window_bytes;
  reader.stalled = reader.ended_said = false;
  const auto& rows = gather.order == RowOrder::kFailures ? job->failures : job->rows;
  reader.end = rows.empty() ? 0 : std::prev(rows.end())->second.range.end().value;
  world.touch(*job);
}

void on_gather_ack(World& world, Producer& producer, const GatherAck& ack) {
  Job* job = world.job(ack.job);
  if (job == nullptr) {
    refuse(world, producer, ack.job, ErrorCode::kNotFound, "no such job at this broker");
    return;
  }
  const auto known = job->readers.find(producer.session);
  if (known == job->readers.end()) return;
  Reader& reader = known->second;
  reader.stalled = reader.ended_said = false;
  const bool was_paused = reader_holds_up(world, *job);
  acknowledge(world, *job, reader, ack.cursor);
  if (mutated(Mutation::kShareCursor))
    for (auto& [session, other] : job->readers) acknowledge(world, *job, other, ack.cursor);
  if (was_paused) world.work_appeared = true;
  world.touch(*job);
}

// Whether that is the end of the rows: of the job, or of what was recorded when it was asked.
static bool acknowledged_all(const Job& job, const Reader& reader) {
  switch (reader.order) {
    case RowOrder::kInput:
      return job.all_done() && reader.acknowledged >= job.next_index;
    case RowOrder::kAsCompleted:
      return job.all_done() && reader.acknowledged >= job.log_start + job.log.size();
    case RowOrder::kRecorded:
    case RowOrder::kFailures:
      return reader.acknowledged >= reader.end;
  }
  return false;
}

bool all_acknowledged(const Job& job) {
  if (!job.all_done()) return false;
  if (!job.options.forget_when_delivered)
    return std::any_of(job.readers.begin(), job.readers.end(), [&job](const auto& entry) {
      return !is_snapshot(entry.second.order) && acknowledged_all(job, entry.second);
    });
  if (!job.order) return false;
  return *job.order == RowOrder::kInput ? job.forgotten >= job.next_index
                                        : job.forgotten >= job.log_start + job.log.size();
}

static void send_what_fits(World& world, Job& job, Reader& reader, const Producer& producer) {
  for (Slice slice = next_slice(job, reader); slice.record; slice = next_slice(job, reader)) {
    std::optional<ChunkBytes> tuples;
    std::uint32_t skip = 0;
    if (job.options.rows_with_tuples) {
      const Chunk* chunk = job.chunk_of(slice.range.first);
      FANMILL_ASSERT(chunk != nullptr);
      const ChunkSlice cut =
          chunk->table.slice(slice.range.first - chunk->first, slice.range.count);
      tuples = ChunkBytes{job.id, chunk->first, cut.offset, cut.bytes};
      skip = cut.skip;
    }
    const std::uint64_t bytes = slice.record->blob_bytes + (tuples ? tuples->bytes : 0);
    const bool fits = reader.in_flight.empty() || reader.in_flight_bytes + bytes <= reader.window;
    if (!fits && !mutated(Mutation::kIgnoreWindow)) {
      reader.stalled = true;
      return;
    }
    send_rows(world, job, reader, producer, slice, tuples, skip);
  }
}

void deliver(World& world, Job& job) {
  for (auto& [session, reader] : job.readers) {
    if (reader.stalled) continue;
    const Producer* producer = world.producer(session);
    if (producer == nullptr) continue;
    send_what_fits(world, job, reader, *producer);
    const bool over = acknowledged_all(job, reader) ||
                      (mutated(Mutation::kEndBeforeAcknowledged) && job.all_done());
    if (!over || reader.ended_said) continue;
    reader.ended_said = true;
    ToProducer end = JobEnded{job.id, job.counted(), job.halted, job.rounds};
    if (is_snapshot(reader.order)) end = RowsEnded{job.id, reader.acknowledged, job.counted()};
    world.send_after(producer->peer, session, std::move(end));
  }
}

}  // namespace fanmill::broker
