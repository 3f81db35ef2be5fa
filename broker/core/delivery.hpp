// Rows on their way to a job's reader: by cursor, within its window, again from the acknowledged
// cursor when it asks; and what may be forgotten once acknowledged.
#pragma once

#include "broker/core/world.hpp"

namespace fanmill::broker {

void on_gather(World& world, Producer& producer, const Gather& gather);
void on_gather_ack(World& world, Producer& producer, const GatherAck& ack);

// From the sink: a recorded slice waits for the reader; every task of a chunk has a record.
void add_rows(Job& job, IndexRange range, const std::shared_ptr<Record>& record);
void chunk_finished(World& world, Job& job, Chunk& chunk);

// Sends what the window allows, and JobEnded when that is due.
void deliver(World& world, Job& job);
// Whether every row was acknowledged by the reader.
bool all_acknowledged(const Job& job);

}  // namespace fanmill::broker
