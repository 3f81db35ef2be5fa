#include "broker/core/steering.hpp"

#include <algorithm>

#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pausing.hpp"
#include "broker/core/report.hpp"
#include "broker/core/rounds.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

Result<void> check(World& world, const std::vector<JobId>& ids, Steering action) {
  for (const JobId id : ids) {
    const Job* job = world.job(id);
    if (job == nullptr)
      return fail(ErrorCode::kNotFound, "no job " + to_text(id) + " at this broker");
    if (action == Steering::kForget && !job->all_done())
      return fail(ErrorCode::kConflict, "job " + to_text(id) + " has not ended: cancel it first");
    if (action == Steering::kRetry)
      if (auto ok = check_retry(*job); !ok) return ok;
  }
  return {};
}

void apply(World& world, const Producer& producer, Job& job, const Steer& steer) {
  switch (steer.action) {
    case Steering::kPause:
      if (job.held || job.all_done()) return;
      pause(world, job);
      world.tell([&] { return name_of(job) + " paused by " + producer.who(); });
      return;
    case Steering::kResume:
      if (!job.held) return;
      resume(world, job);
      world.tell([&] { return name_of(job) + " resumed by " + producer.who(); });
      return;
    case Steering::kCancel:
      cancel_job(world, job, steer.grace_ms, producer.who());
      return;
    case Steering::kClose:
      close_job(world, job, producer.who());
      return;
    case Steering::kRetry:
      retry(world, job, steer.outcomes == 0 ? Steer::kAllFailures : steer.outcomes, producer.who());
      return;
    case Steering::kForget:
      world.tell([&] { return name_of(job) + " forgotten by " + producer.who(); });
      forget_job(world, job);  // `job` is gone
      return;
  }
}

}  // namespace

void on_steer(World& world, Producer& producer, const Steer& steer) {
  std::vector<JobId> ids = steer.jobs;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (const auto checked = check(world, ids, steer.action); !checked) {
    world.send_now(
        producer.peer, producer.session,
        ToProducer{Refused{{}, {}, checked.error().code, checked.error().message, steer.request}});
    return;
  }
  const bool late = steer.request < producer.steered && !mutated(Mutation::kSteerAgain);
  producer.steered = std::max(producer.steered, steer.request);
  std::vector<const Job*> left;
  for (const JobId id : ids) {
    if (!late) apply(world, producer, *world.job(id), steer);
    if (const Job* job = world.job(id)) left.push_back(job);
  }
  world.send_after(producer.peer, producer.session, ToProducer{Answer{steer.request}},
                   Blob::from(report_jobs(world, left, false)));
}

}  // namespace fanmill::broker
