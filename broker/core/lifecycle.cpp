#include "broker/core/lifecycle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "broker/core/claims.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/pausing.hpp"
#include "broker/core/sink.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

nanoseconds kept_for(const Job& job) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // milliseconds, 35 years
  if (job.options.keep_ms == 0) return limits::kKeepDefault;
  return std::chrono::milliseconds(std::min(job.options.keep_ms, kMost));
}

// Whether there is anybody for whom the rest of an ended job is kept, however long that takes.
bool awaited(const World& world, const Job& job) {
  return job.options.forget_when_delivered && world.producers.count(job.owner) > 0;
}

}  // namespace

std::string name_of(const Job& job) {
  std::string text = "job " + to_text(job.id);
  if (!job.options.name.empty()) text += " '" + job.options.name + "'";
  return text;
}

Job& make_job(World& world, Producer& producer, const std::string& key, const JobOptions& options) {
  auto made = std::make_unique<Job>();
  Job& job = *made;
  job.id = {(std::uint64_t{world.config.life.epoch} << 32) | ++world.jobs_opened};
  job.key = key;
  job.options = options;
  job.opened_at = job.submitted_at = world.now;
  job.recorded = MovingRate(world.now);
  if (options.named_key) job.digest.emplace();
  bind(world, job);
  world.write(PutJob{job.id, key, options});
  job.horizon = kHorizonAhead;
  world.write_state(job);
  job.horizon_write = world.writes;
  adopt(world, producer, job);
  world.job_of_key[key] = job.id;
  world.active[job.id] = &job;
  world.jobs[job.id] = std::move(made);
  world.tell([&] {
    return fmt::format("{} of {} opened by {}", name_of(job), options.spec.function,
                       producer.who());
  });
  return job;
}

void adopt(World& world, Producer& producer, Job& job) {
  if (job.owner == producer.session) return;
  if (job.options.forget_when_delivered) job.readers.erase(job.owner);
  job.owner = producer.session;
  job.owner_gone_at.reset();
  producer.jobs.insert(job.id);
  if (!job.paused) return;
  job.paused = false;
  world.work_appeared = true;
  world.touch(job);
  world.tell([&] { return fmt::format("{} goes on for {}", name_of(job), producer.who()); });
}

void adopt_if_alone(World& world, Producer& producer, Job& job) {
  if (world.producer(job.owner) == nullptr) adopt(world, producer, job);
}

void lose_owner(World& world, Job& job) {
  job.owner = {};
  job.owner_gone_at = world.now;
  world.timers.arm(world.now + world.config.producer_gone_after, TimerKind::kJob, job.id.value);
  if (job.ended_at) world.timers.arm(*job.ended_at + kept_for(job), TimerKind::kJob, job.id.value);
}

void close_job(World& world, Job& job, const std::string& who) {
  if (job.closed) return;
  job.closed = true;
  job.accept_due = true;
  world.write(PutClose{job.id, job.next_index});
  world.touch(job);
  world.tell([&] {
    return fmt::format("{} closed by {} with {} tuples", name_of(job), who, job.next_index);
  });
}

void cancel_job(World& world, Job& job, std::uint64_t grace_ms, const std::string& who) {
  if (job.all_done()) return;
  job.accept_due = true;
  world.touch(job);
  // A repetition puts nothing off.
  if (!job.cancelled || grace_ms < job.grace_left_ms(world.now)) {
    job.cancel_grace_ms = grace_ms;
    job.cancel_asked = world.now;
  }
  if (!job.cancelled) {
    world.tell([&] { return fmt::format("{} cancelled by {}", name_of(job), who); });
    job.cancelled = true;
    if (!job.closed) world.write(PutClose{job.id, job.next_index});
    job.closed = true;
    world.write_state(job);
    RangeSet unfinished;
    for (const IndexRange& range : job.awaited.present({TaskIndex{}, job.next_index}))
      unfinished.add(range);
    for (const IndexRange& range : job.ready.present({TaskIndex{}, job.next_index}))
      unfinished.add(range);
    for (const IndexRange& range : job.alone_ready.present({TaskIndex{}, job.next_index}))
      unfinished.add(range);
    for (const auto& [at, index] : job.delayed) unfinished.add({TaskIndex{index}, 1});
    if (job.fresh.value < job.next_index)
      unfinished.add({job.fresh, job.next_index - job.fresh.value});
    job.fresh = {job.next_index};
    record_cancelled(world, job, unfinished.ranges());
  }
  if (job.stopped) return;
  for (const auto& [session, worker] : world.workers) {
    const Share* share = worker->find_share(job.id);
    if (share != nullptr && share->bound)
      world.send_after(worker->peer, session,
                       ToWorker{StopJob{job.id, job.grace_left_ms(world.now)}});
  }
}

void stop_if_done(World& world, Job& job) {
  if (job.stopped || !job.all_done()) return;
  job.stopped = true;
  job.ended_at = world.now;
  unbind(world, job);
  world.active.erase(job.id);
  for (const auto& [session, worker] : world.workers) {
    Share* share = worker->find_share(job.id);
    if (share == nullptr) continue;
    if (share->bound) world.send_after(worker->peer, session, ToWorker{StopJob{job.id, 0}});
    if (share->leased == 0) worker->forget_share(job.id);
  }
  if (!awaited(world, job))
    world.timers.arm(world.now + kept_for(job), TimerKind::kJob, job.id.value);
  world.tell([&] {
    return fmt::format(
        "{} ended after {:.1f} s: {} succeeded, {} failed, {} dead-lettered, {} cancelled",
        name_of(job), std::chrono::duration<double>(world.now - job.opened_at).count(),
        job.counts.succeeded, job.counts.failed, job.counts.dead_lettered, job.counts.cancelled);
  });
}

void forget_job(World& world, Job& job) {
  world.write(DropJob{job.id});
  unbind(world, job);
  const auto forget = [&](SessionId session) {
    if (Producer* producer = world.producer(session)) producer->jobs.erase(job.id);
  };
  forget(job.owner);
  for (const auto& [session, reader] : job.readers) forget(session);
  world.job_of_key.erase(job.key);
  world.active.erase(job.id);
  world.jobs.erase(job.id);  // `job` is gone
}

void check_job(World& world, JobId id) {
  Job* job = world.job(id);
  if (job == nullptr) return;
  const bool had_work = job->has_work();
  job->move_due_retries(world.now);
  if (!had_work && job->has_work()) world.work_appeared = true;
  end_awaiting(world, *job);
  world.touch(*job);
  if (job->ended_at && !awaited(world, *job)) {
    const MonoTime end = *job->ended_at + kept_for(*job);
    if (end <= world.now) {
      world.tell([&] { return name_of(*job) + " forgotten, as long after its end as it is kept"; });
      forget_job(world, *job);
      return;
    }
  }
  if (!job->owner_gone_at || !job->options.forget_when_delivered) return;
  if (*job->owner_gone_at + world.config.producer_gone_after > world.now) return;
  if (all_acknowledged(*job)) {
    forget_job(world, *job);
    return;
  }
  if (job->paused || job->ended_at) return;
  pause_without_producer(world, *job);
  world.tell([&] { return name_of(*job) + " paused: its producer is gone"; });
}

}  // namespace fanmill::broker
