#include "broker/core/sink.hpp"

#include <algorithm>
#include <string>

#include "broker/core/claims.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/losses.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/recalls.hpp"
#include "broker/core/rounds.hpp"
#include "broker/core/workers.hpp"
#include "proto/result_batch.hpp"

namespace fanmill::broker {
namespace {

constexpr std::chrono::milliseconds kRetryBase{100};
constexpr std::chrono::seconds kRetryMost{30};
constexpr double kMeanWeight = 0.25;  // of the latest report

std::uint64_t sum(const std::vector<IndexRange>& ranges) {
  std::uint64_t count = 0;
  for (const IndexRange& range : ranges) count += range.count;
  return count;
}

// Reports come in order, each once. Whatever comes, the worker is told how far they are taken.
bool is_next_report(World& world, Worker& worker, std::uint64_t report) {
  if (report > worker.reports + 1 && !mutated(Mutation::kSkipReportOrder)) return false;
  const bool repeated = report <= worker.reports;
  worker.reports = std::max(worker.reports, report);
  owe_acknowledgement(world, worker, repeated);
  return !repeated || mutated(Mutation::kSkipReportOrder);
}

HeldLease* lease_of(Worker& worker, AttemptToken token, JobId job) {
  const auto it = worker.leases.find(token);
  if (it == worker.leases.end() || it->second.job != job) return nullptr;
  return &it->second;
}

void measure(Job& job, const Results& results) {
  const double mean =
      std::max(1.0, static_cast<double>(results.run_ns) / static_cast<double>(results.count));
  job.mean_ns = job.measured ? job.mean_ns + kMeanWeight * (mean - job.mean_ns) : mean;
  job.measured = true;
  job.batch_limit = std::min<std::uint64_t>(job.batch_limit * 2, limits::kChunkTuplesMax);
}

// One recorded batch: of `batch` only `valid` counts, and none of it has a record yet.
struct Ending {
  IndexRange batch;
  std::vector<IndexRange> valid;
  Outcome outcome{};
  bool dead_lettered = false;
  AttemptToken token;
  std::uint32_t attempt{};
  std::string worker;
  std::uint64_t values_bytes{};
  std::uint64_t run_ns{};
  Blob blob;
};

// The slot time that a report stands for: a crash may not know how long it took.
double served_ns(const Results& results, double charged) {
  const auto told = static_cast<double>(results.run_ns);
  const bool ended = results.outcome == Outcome::kSucceeded || results.outcome == Outcome::kFailed;
  return ended ? told : std::max(told, charged);
}

void settle_chunks(World& world, Job& job, IndexRange range) {
  for (TaskIndex at = range.first; at < range.end();) {
    Chunk* chunk = job.chunk_of(at);
    FANMILL_ASSERT(chunk != nullptr);
    const TaskIndex end = std::min(range.end(), chunk->range().end());
    chunk->unfinished -= end - at;
    if (chunk->unfinished == 0) chunk_finished(world, job, *chunk);
    at = end;
  }
}

void record(World& world, Job& job, Ending ending) {
  auto kept = std::make_shared<Record>();
  kept->id = {++job.records};
  kept->batch = ending.batch;
  kept->outcome = ending.outcome;
  kept->dead_lettered = ending.dead_lettered;
  kept->token = ending.token;
  kept->attempt = ending.attempt;
  kept->worker = ending.worker;
  kept->values_bytes = ending.values_bytes;
  kept->run_ns = ending.run_ns;
  kept->blob_bytes = ending.blob.size();
  kept->round = job.rounds;
  job.unacknowledged_bytes += kept->blob_bytes;

  count_ending(job.counts, ending.outcome, ending.dead_lettered, sum(ending.valid));
  job.recorded.count(world.now, sum(ending.valid));
  world.recorded += sum(ending.valid);
  world.recorded_rate.count(world.now, sum(ending.valid));
  for (const IndexRange& range : ending.valid) {
    job.done.add(range);
    if (!job.ready.empty()) job.ready.remove(range);
    if (job.awaited_until) forget_awaited(job, range);
    job.forget_suspicion(range);
    if (!job.exceptions.empty()) {
      auto it = job.exceptions.lower_bound(range.first.value);
      while (it != job.exceptions.end() && it->first < range.end().value) {
        job.forget_delay(it);
        it = job.exceptions.erase(it);
      }
    }
    add_rows(job, range, kept);
  }
  world.write(PutRecord{job.id, kept->id, ending.batch.first, ending.batch.count, ending.valid,
                        ending.outcome, ending.dead_lettered, ending.token, ending.attempt,
                        std::move(ending.worker), ending.values_bytes, ending.run_ns,
                        std::move(ending.blob), job.log_start + job.log.size()});
  for (const IndexRange& range : ending.valid) settle_chunks(world, job, range);
  world.touch(job);
}

Ending ending_of(const Worker& worker, const Results& results, std::uint32_t attempt,
                 const Blob& blob) {
  return {{results.first, results.count},
          {},
          results.outcome,
          false,
          results.token,
          attempt,
          worker.label,
          results.values_bytes,
          results.run_ns,
          blob};
}

// Exponential backoff with full jitter, drawn from what names the attempt: the same in every
// replay.
MonoTime retry_time(const World& world, const Job& job, std::uint64_t index, std::uint32_t tries) {
  const std::uint32_t doublings = std::min<std::uint32_t>(tries - 1, 12);
  const nanoseconds most = std::min<nanoseconds>(kRetryBase * (1 << doublings), kRetryMost);
  const std::uint64_t drawn =
      digest_of({tries, world.config.seed ^ (job.id.value * 0x9e3779b97f4a7c15U) ^ index});
  return world.now +
         nanoseconds(static_cast<std::int64_t>(drawn % static_cast<std::uint64_t>(most.count())));
}

// It waits where others do not see it, and is dealt again from then on.
void put_off(World& world, Job& job, TaskIndex index, History& history, MonoTime until) {
  history.retry_at = until;
  job.delayed.insert({until, index.value});
  world.timers.arm(until, TimerKind::kJob, job.id.value);
}

void on_failure(World& world, Job& job, Ending ending, const std::vector<IndexRange>& valid) {
  if (job.options.retries == 0 || job.cancelled) {
    ending.valid = valid;
  } else {
    RangeSet final;
    for (const IndexRange& range : valid) {
      for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
        History& history = job.exceptions[at.value];
        if (++history.failures > job.options.retries) {
          final.add({at, 1});
          continue;
        }
        write_charge(world, job, at, history, ending.token);
        put_off(world, job, at, history, retry_time(world, job, at.value, history.failures));
      }
    }
    ending.valid = final.ranges();
  }
  if (!ending.valid.empty()) record(world, job, std::move(ending));
}

void tell_readers(World& world, const Job& job, TaskIndex index, Outcome outcome,
                  std::uint32_t attempt, std::uint32_t limit, const Worker& worker,
                  const Blob& blob) {
  for (const auto& [session, reader] : job.readers) {
    if (const Producer* producer = world.producer(session))
      world.send_now(producer->peer, session,
                     ToProducer{JobEvent{job.id, index, outcome, attempt, limit, worker.label}},
                     blob);
  }
}

std::uint32_t crash_limit_of(const Job& job) {
  if (job.options.spec.at_most_once && !mutated(Mutation::kRepeatAtMostOnce)) return 1;
  return job.options.crash_limit == 0 ? limits::kCrashLimit : job.options.crash_limit;
}

bool another_host_may(const World& world, const Job& job, const Worker& crashed) {
  return std::any_of(world.by_load.begin(), world.by_load.end(), [&](const auto& entry) {
    const Worker& worker = *std::get<2>(entry);
    return worker.host != crashed.host && can_run(worker, job);
  });
}

void on_crash(World& world, Job& job, Ending ending, TaskIndex index, const Worker& worker,
              const Blob& blob) {
  History& history = job.exceptions[index.value];
  ++history.crashes;
  const std::uint32_t limit = crash_limit_of(job);
  if (history.crashes >= limit) {
    ending.valid = {{index, 1}};
    ending.dead_lettered = true;
    record(world, job, std::move(ending));
    return;
  }
  write_charge(world, job, index, history, ending.token);
  tell_readers(world, job, index, Outcome::kCrashed, history.crashes, limit, worker, blob);
  if (mutated(Mutation::kForgetRetryAfterCrash)) return;
  if (!another_host_may(world, job, worker)) {
    free_tasks(world, job, {index, 1});
    return;
  }
  // Only a preference: after a while this host may have it too.
  history.avoids = digest_of_host(worker.host);
  job.avoiding.insert(index.value);
  put_off(world, job, index, history, world.now + limits::kAvoidHostFor);
  world.work_appeared = true;
}

}  // namespace

void count_ending(JobCounts& counts, Outcome outcome, bool dead_lettered, std::uint64_t tasks) {
  if (dead_lettered) {
    counts.dead_lettered += tasks;
  } else if (outcome == Outcome::kSucceeded) {
    counts.succeeded += tasks;
  } else if (outcome == Outcome::kCancelled) {
    counts.cancelled += tasks;
  } else {
    counts.failed += tasks;
  }
}

void write_charge(World& world, const Job& job, TaskIndex index, History& history,
                  AttemptToken token) {
  history.charged = token;
  world.write(PutCharge{job.id, index, history.failures, history.crashes, history.losses, token,
                        history.refunded});
}

void record_cancelled(World& world, Job& job, const std::vector<IndexRange>& tasks) {
  if (tasks.empty()) return;
  Ending ending;
  ending.batch = {tasks.front().first, tasks.back().end() - tasks.front().first};
  ending.valid = tasks;
  ending.outcome = Outcome::kCancelled;
  record(world, job, std::move(ending));
}

namespace {

void record_lost(World& world, Job& job, TaskIndex index, std::string worker, AttemptToken token,
                 std::uint32_t attempt, bool dead_lettered, std::string message) {
  ResultColumns columns;
  columns.failures.push_back({ErrorCode::kWorkerLost, std::move(message), -1, 0, {}});
  std::string blob;
  append_columns(blob, columns);
  Ending ending;
  ending.batch = {index, 1};
  ending.valid = {{index, 1}};
  ending.outcome = Outcome::kWorkerLost;
  ending.dead_lettered = dead_lettered;
  ending.token = token;
  ending.attempt = attempt;
  ending.worker = std::move(worker);
  ending.blob = Blob::from(std::move(blob));
  record(world, job, std::move(ending));
}

}  // namespace

void end_unknown(World& world, Job& job, TaskIndex index, const Worker* worker,
                 AttemptToken token) {
  const std::string who =
      worker == nullptr ? "its worker" : "worker " + worker->name + " on host " + worker->host;
  record_lost(world, job, index, worker == nullptr ? "" : worker->label, token,
              job.attempt_of(index), false,
              who + " was lost with this task, which may have run; it runs at most once");
}

void charge_loss(World& world, Job& job, TaskIndex index, const Worker& worker, AttemptToken token,
                 nanoseconds wait) {
  if (job.cancelled) {
    free_tasks(world, job, {index, 1});
    return;
  }
  History& history = job.exceptions[index.value];
  ++history.losses;
  if (history.losses >= limits::kLossLimit || mutated(Mutation::kLoseAtOnce)) {
    record_lost(world, job, index, worker.label, token, history.attempt() - 1, true,
                "worker " + worker.name + " on host " + worker.host +
                    " was lost while it ran this task, as " + std::to_string(history.losses - 1) +
                    " workers before it");
    return;
  }
  write_charge(world, job, index, history, token);
  if (mutated(Mutation::kDealLostAtOnce)) {
    free_tasks(world, job, {index, 1});
    return;
  }
  put_off(world, job, index, history, world.now + wait);
  world.touch(job);
}

namespace {

// What becomes of tasks that a worker reports, none of which has a record.
void end_tasks(World& world, Job& job, const Worker& worker, const Results& results,
               std::uint32_t attempt, const Blob& blob, std::vector<IndexRange> valid) {
  Ending ending = ending_of(worker, results, attempt, blob);
  switch (results.outcome) {
    case Outcome::kSucceeded:
      ending.valid = std::move(valid);
      record(world, job, std::move(ending));
      return;
    case Outcome::kCrashed:
      if (job.cancelled || results.count != 1) break;
      on_crash(world, job, std::move(ending), results.first, worker, blob);
      return;
    case Outcome::kTimeLimit:
      if (job.cancelled) break;
      on_failure(world, job, std::move(ending), valid);
      return;
    case Outcome::kFailed:
      on_failure(world, job, std::move(ending), valid);
      return;
    case Outcome::kWorkerLost:
    case Outcome::kCancelled:
      break;
  }
  // Killed because the job was cancelled, or a report that no worker should make: nothing ran to an
  // end.
  for (const IndexRange& range : valid) free_tasks(world, job, range);
}

}  // namespace

void on_results(World& world, Worker& worker, const Results& results, const Blob& blob) {
  take_credit(world, worker, results.credit);
  if (!is_next_report(world, worker, results.report)) return;
  Job* job = world.job(results.job);
  const std::uint64_t first = results.first.value;
  HeldLease* lease = lease_of(worker, results.token, results.job);
  // A report beyond what was ever dealt changes nothing: its worker is out of its mind.
  const std::uint64_t dealt = job == nullptr ? ~std::uint64_t{0} : job->fresh.value;
  const bool sane = results.count > 0 && first <= dealt && results.count <= dealt - first &&
                    world.knows(results.token);
  const IndexRange batch{results.first, results.count};
  std::vector<IndexRange> held;
  std::uint32_t attempt = 0;
  if (lease != nullptr && sane) {
    lease->reported = true;
    attempt = lease->attempt;
    held = lease->unfinished.intersection(batch);
    const double charged = shrink(world, worker, *lease, held);
    if (job != nullptr) charge_served(*job, served_ns(results, charged));
  }
  if (job == nullptr || !sane) {
    ++world.stale_results;
    return;
  }
  world.touch(*job);
  if (attempt == 0) attempt = job->attempt_of(results.first);
  const bool ran = results.outcome == Outcome::kSucceeded || results.outcome == Outcome::kFailed;
  if (ran) measure(*job, results);

  std::vector<IndexRange> valid;
  if (results.outcome == Outcome::kSucceeded) {
    valid = mutated(Mutation::kRecordTwice) ? std::vector{batch} : job->done.absent(batch);
    if (!job->fences.empty()) valid = of_this_round(*job, std::move(valid), results.token);
  } else {
    if (mutated(Mutation::kAcceptStaleFailure)) held = {batch};
    for (const IndexRange& range : held)
      for (const IndexRange& open : job->done.absent(range)) valid.push_back(open);
  }
  if (sum(valid) < results.count) ++world.stale_results;
  if (valid.empty()) return;

  const std::uint64_t recorded = job->counts.terminal();
  end_tasks(world, *job, worker, results, attempt, blob, std::move(valid));
  worker.recorded += job->counts.terminal() - recorded;
  worker.recorded_rate.count(world.now, job->counts.terminal() - recorded);
}

void on_returned(World& world, Worker& worker, const Returned& returned) {
  take_credit(world, worker, returned.credit);
  if (!is_next_report(world, worker, returned.report)) return;
  if (returned.unbound)
    if (Share* share = worker.find_share(returned.job)) share->bound = false;
  std::vector<IndexRange> back;
  if (HeldLease* lease = lease_of(worker, returned.token, returned.job)) {
    lease->reported = true;
    for (const IndexRange& range : returned.ranges) {
      if (range.empty() || range.end() < range.first) continue;
      for (const IndexRange& part : lease->unfinished.intersection(range)) back.push_back(part);
    }
    shrink(world, worker, *lease, back);
  }
  on_recall_answered(world, worker, returned, !back.empty());
  Job* job = world.job(returned.job);
  if (job == nullptr) return;
  if (mutated(Mutation::kDropReturnedRange) && !back.empty()) back.pop_back();
  if (returned.recall != 0) world.recalled += sum(back);
  for (const IndexRange& range : back) free_tasks(world, *job, range);
}

}  // namespace fanmill::broker
