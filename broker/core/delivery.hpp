// Rows on their way to the readers of a job, one per session: by cursor, within its window, again
// from the acknowledged cursor when it asks; and what may be forgotten once acknowledged. A reader
// that does not read costs a look at a flag.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_gather(World& world, Producer& producer, const Gather& gather);
void on_gather_ack(World& world, Producer& producer, const GatherAck& ack);

// Readers have acknowledged what is before this cursor, of a job that forgets what is delivered.
void forget_until(World& world, Job& job, std::uint64_t cursor);
// No reader needs this chunk, nor does a worker.
void drop_chunk(World& world, Job& job, const Chunk& chunk);

// From the sink: a recorded slice waits for the readers; every task of a chunk has a record.
void add_rows(Job& job, IndexRange range, const std::shared_ptr<Record>& record);
// These rows, of a job that is kept, are history: those of the next round take their place.
void supersede_rows(Job& job, IndexRange range);
void chunk_finished(World& world, Job& job, Chunk& chunk);

// Sends each reader what its window allows, and its end when that is due.
void deliver(World& world, Job& job);
// Whether every task has a row and every row was acknowledged, of a job that is kept by any reader.
bool all_acknowledged(const Job& job);

}  // namespace fanmill::broker
