// The blobs of reports on tasks that did not succeed.
#pragma once

#include <cstdint>
#include <string>

#include "proto/blob.hpp"
#include "proto/result_batch.hpp"
#include "worker/agent_core.hpp"
#include "worker/time_limit.hpp"
#include "worker/work_queue.hpp"

namespace fanmill::worker {

// An executor's report of failed tasks, with what it cannot know: the bytes of each tuple and the
// slot (1-based). Without values. A blob that is not a report's becomes one that says so.
Blob with_tuples(const Blob& blob, std::uint64_t values_bytes, Piece tasks, std::uint32_t slot);

// The report on one task whose executor is gone, after it had run for `ran`.
Blob death_report(Failure failure, const ExecutorDied& died, Piece task, nanoseconds ran,
                  std::uint32_t slot);

// "killed by signal 11 (Segmentation fault)", "exited with code 3".
std::string describe_death(const ExecutorDied& died);
// "killed at its time limit of 1.5 s", and what that is a share of.
std::string describe_time_limit(const TimeLimit& limit);

}  // namespace fanmill::worker
