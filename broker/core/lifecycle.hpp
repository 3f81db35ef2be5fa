// The life of a job: made, taken over, left alone, closed, cancelled, ended, forgotten.
#pragma once

#include <string>

#include "broker/core/world.hpp"

namespace fanmill::broker {

Job& make_job(World& world, Producer& producer, const std::string& key, const JobOptions& options);

// The producer's session owns the job from now on: what is said of its tuples goes there.
void adopt(World& world, Producer& producer, Job& job);
// The same, unless another one that lives owns it.
void adopt_if_alone(World& world, Producer& producer, Job& job);
void lose_owner(World& world, Job& job);

// `who` did it, for the log. Both change nothing when repeated, and nothing of a job that has
// ended.
void close_job(World& world, Job& job, const std::string& who);
void cancel_job(World& world, Job& job, std::uint64_t grace_ms, const std::string& who);

// StopJob to the workers once all is done; it is forgotten some time after.
void stop_if_done(World& world, Job& job);
// With everything that was kept of it. `job` is then gone.
void forget_job(World& world, Job& job);
// The job's timer: due retries, an owner that stays away, the end of its keeping.
void check_job(World& world, JobId job);

// "job 9f3c21ab-3 'name'", for people.
std::string name_of(const Job& job);

}  // namespace fanmill::broker
