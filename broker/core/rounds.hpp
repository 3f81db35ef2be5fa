// Rounds: chosen tasks of a kept job run again although they have a record. The earlier record
// stays in the stream of results as history; the next one supersedes it.
#pragma once

#include "broker/core/world.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

// Whether the job can begin another round: kConflict says why not.
Result<void> check_retry(const Job& job);

// Begins a round of the tasks whose record has one of these outcomes (a bit each, see Steer). None:
// nothing changes. The job lives again if it had ended.
void retry(World& world, Job& job, std::uint32_t outcomes, const std::string& who);

// Of these tasks, those of which a success under this token counts: it was not issued in a round
// before theirs.
std::vector<IndexRange> of_this_round(const Job& job, std::vector<IndexRange> tasks,
                                      AttemptToken token);

}  // namespace fanmill::broker
