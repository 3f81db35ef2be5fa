#include "broker/core/delivery.hpp"

#include <algorithm>

#include "broker/core/mutation.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/ventilator.hpp"

namespace fanmill::broker {
namespace {

void drop_chunk(World& world, Job& job, const Chunk& chunk) {
  job.released_bytes += chunk.table.bytes();
  world.write(DropChunk{job.id, chunk.first});
  job.chunks.erase(chunk.first.value);
}

// Nobody will ask for this slice again.
void forget(World& world, Job& job, const Slice& slice) {
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

void forget_until(World& world, Job& job, std::uint64_t cursor) {
  if (job.order == RowOrder::kInput) {
    while (!job.rows.empty() && job.rows.begin()->second.range.end().value <= cursor) {
      const Slice slice = std::move(job.rows.begin()->second);
      job.rows.erase(job.rows.begin());
      forget(world, job, slice);
    }
  } else {
    while (!job.log.empty() && job.log_start < cursor) {
      const Slice slice = std::move(job.log.front());
      job.log.pop_front();
      ++job.log_start;
      forget(world, job, slice);
    }
  }
  job.forgotten = std::max(job.forgotten, cursor);
}

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

// The slice that holds the reader's next row, cut to begin with it; no record if it is not there
// yet.
Slice next_slice(const Job& job, const Reader& reader) {
  if (reader.order == RowOrder::kAsCompleted) {
    if (reader.sent < job.log_start || reader.sent - job.log_start >= job.log.size()) return {};
    return job.log[reader.sent - job.log_start];
  }
  auto it = job.rows.upper_bound(reader.sent);
  if (it != job.rows.begin()) {
    const Slice& slice = std::prev(it)->second;
    if (slice.range.contains(TaskIndex{reader.sent})) {
      const std::uint64_t past = reader.sent - slice.range.first.value;
      return {{TaskIndex{reader.sent}, slice.range.count - past}, slice.record};
    }
  }
  if (mutated(Mutation::kOutOfOrderRows) && it != job.rows.end()) return it->second;
  return {};
}

void send_rows(World& world, Job& job, Reader& reader, const Producer& producer, const Slice& slice,
               const std::optional<ChunkBytes>& tuples, std::uint32_t tuples_skip) {
  const Record& record = *slice.record;
  Rows rows;
  rows.job = job.id;
  rows.position = reader.sent;
  rows.next = reader.order == RowOrder::kInput ? slice.range.end().value : reader.sent + 1;
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
    at = at + count;
  }
}

void chunk_finished(World& world, Job& job, Chunk& chunk) {
  if (job.options.forget_when_delivered) {
    if (!job.options.rows_with_tuples) drop_chunk(world, job, chunk);
  } else {
    job.released_bytes += chunk.table.bytes();
  }
}

void on_gather(World& world, Producer& producer, const Gather& gather) {
  Job* job = world.job(gather.job);
  if (job == nullptr) {
    refuse(world, producer, gather.job, ErrorCode::kNotFound, "no such job at this broker");
    return;
  }
  adopt(world, producer, *job);
  const bool forgets = job->options.forget_when_delivered;
  if (forgets) {
    if (!job->order) {
      job->order = gather.order;
      if (gather.order == RowOrder::kInput) job->log.clear();
      if (gather.order == RowOrder::kAsCompleted) job->rows.clear();
    }
    if (job->order != gather.order) {
      refuse(world, producer, job->id, ErrorCode::kConflict,
             "the rows of this job are already read in the other order, and forgotten once read");
      return;
    }
  }
  const bool same =
      job->reader && job->reader->session == producer.session && job->reader->order == gather.order;
  std::uint64_t cursor = gather.cursor;
  if (same) {
    Reader& reader = *job->reader;
    if (forgets) cursor = std::max(cursor, reader.acknowledged);
    cursor = std::min(cursor, reader.sent_ever);
    // A late repetition of an earlier question: whoever asked does not count on more than it says.
    reader.acknowledged = std::min(reader.acknowledged, cursor);
    reader.window = gather.window_bytes;
    reader.ended_said = false;
    if (!mutated(Mutation::kNoRewind)) rewind(reader, cursor);
  } else {
    if (forgets && cursor < job->forgotten) {
      refuse(world, producer, job->id, ErrorCode::kNotFound,
             "rows of this job were delivered up to " + std::to_string(job->forgotten) +
                 " and are forgotten: gather from there");
      return;
    }
    if (forgets) cursor = std::min(cursor, std::max(job->sent_ever, job->forgotten));
    job->reader.emplace();
    Reader& reader = *job->reader;
    reader.session = producer.session;
    reader.order = gather.order;
    reader.window = gather.window_bytes;
    reader.sent = reader.sent_ever = cursor;
    // To have rows is not to have taken care of them: only a GatherAck lets them be forgotten.
    reader.acknowledged = forgets ? std::min(job->forgotten, cursor) : cursor;
  }
  world.touch(*job);
}

void on_gather_ack(World& world, Producer& producer, const GatherAck& ack) {
  Job* job = world.job(ack.job);
  if (job == nullptr) {
    refuse(world, producer, ack.job, ErrorCode::kNotFound, "no such job at this broker");
    return;
  }
  if (!job->reader || job->reader->session != producer.session) return;
  job->reader->ended_said = false;
  const bool was_paused = reader_holds_up(world, *job);
  acknowledge(world, *job, *job->reader, ack.cursor);
  if (was_paused) world.work_appeared = true;
  world.touch(*job);
}

bool all_acknowledged(const Job& job) {
  if (!job.all_done()) return false;
  const bool forgets = job.options.forget_when_delivered;
  if (!forgets && !job.reader) return false;
  if (forgets && !job.order) return false;
  const std::uint64_t cursor = forgets ? job.forgotten : job.reader->acknowledged;
  const RowOrder order = forgets ? *job.order : job.reader->order;
  return order == RowOrder::kInput ? cursor >= job.next_index
                                   : cursor >= job.log_start + job.log.size();
}

void deliver(World& world, Job& job) {
  if (!job.reader) return;
  const Producer* producer = world.producer(job.reader->session);
  if (producer == nullptr) return;
  Reader& reader = *job.reader;
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
    if (!fits && !mutated(Mutation::kIgnoreWindow)) break;
    send_rows(world, job, reader, *producer, slice, tuples, skip);
  }
  const bool over =
      all_acknowledged(job) || (mutated(Mutation::kEndBeforeAcknowledged) && job.all_done());
  if (!over || reader.ended_said) return;
  reader.ended_said = true;
  world.send_after(producer->peer, producer->session, ToProducer{JobEnded{job.id, job.counted()}});
}

}  // namespace fanmill::broker
