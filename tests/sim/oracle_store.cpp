#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.hpp"
#include "proto/result_batch.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {

void Oracle::undo(std::uint64_t write, std::function<void()> how) {
  undo_.emplace_back(write, std::move(how));
}

void Oracle::on_durable(std::uint64_t number) {
  durable_ = number;
  while (!undo_.empty() && undo_.front().first <= number) undo_.pop_front();
}

Oracle::Oracle(const Plan& plan) : plan_(plan) {
  jobs_.resize(plan.jobs.size());
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    jobs_[i].plan = &plan.jobs[i];
    jobs_[i].tasks.resize(plan.jobs[i].tuples);
  }
}

Oracle::Job* Oracle::job(JobId id) {
  const auto it = ordinals_.find(id);
  return it == ordinals_.end() ? nullptr : &jobs_[it->second];
}

Oracle::Job& Oracle::job_of(JobId id, const char* where) {
  Job* found = job(id);
  if (found == nullptr)
    violated("messages name known jobs", fmt::format("{} of job {:x}", where, id.value));
  return *found;
}

const JobPlan* Oracle::plan_of(JobId id) const {
  const auto it = ordinals_.find(id);
  return it == ordinals_.end() ? nullptr : jobs_[it->second].plan;
}

std::uint64_t Oracle::durable_next(Job& job) {
  while (!job.commits.empty() && job.commits.front().first <= durable_) {
    job.durable_next = job.commits.front().second;
    job.commits.pop_front();
  }
  return job.durable_next;
}

void Oracle::on_write(const broker::StoreWrite& write, std::uint64_t number) {
  if (const auto* put = std::get_if<broker::PutJob>(&write)) {
    for (std::uint32_t i = 0; i < jobs_.size(); ++i) {
      Job& job = jobs_[i];
      if (job.plan->key != put->key) continue;
      if (job.id)
        violated("the same key is the same job", fmt::format("{} was made twice", put->key));
      if (put->options != job.plan->options) violated("options arrive as given", put->key);
      job.id = put->job;
      job.put_write = number;
      ordinals_[put->job] = i;
      undo(number, [this, &job, id = put->job] {
        job.id.reset();
        job.put_write = 0;
        ordinals_.erase(id);
      });
    }
    return;
  }
  if (const auto* put = std::get_if<broker::PutChunk>(&write)) {
    Job& job = job_of(put->job, "PutChunk");
    if (full_) violated("no tuples are taken while the disk is full", job.plan->key);
    if (put->first.value != job.written)
      violated("chunks follow one another",
               fmt::format("{} chunk at {} instead of {}", job.plan->key, put->first.value,
                           job.written));
    if (job.plan->pushers.empty()) {
      std::size_t at = 0;
      for (std::uint64_t i = 0; i < put->count; ++i)
        if (!take_tuple(put->bytes.view(), at, *job.plan, put->first.value + i))
          violated("tuples are stored as submitted",
                   fmt::format("{} tuple {}", job.plan->key, put->first.value + i));
      if (at != put->bytes.size())
        violated("tuples are stored as submitted", "bytes behind the last tuple");
    } else {
      check_pushed(job, *put);
    }
    job.written += put->count;
    job.commits.emplace_back(number, job.written);
    job.chunks[put->first.value] = {put->count, number};
    undo(number, [&job, first = put->first.value] {
      job.chunks.erase(first);
      job.commits.pop_back();
      job.written = first;
      if (job.plan->pushers.empty()) return;
      for (; job.tuples.size() > first; job.tuples.pop_back())
        for (std::size_t p = 0; p < job.pushed.size(); ++p) {
          const PusherPlan& pusher = job.plan->pushers[p];
          if (job.tuples.back() >= pusher.first && job.tuples.back() < pusher.first + pusher.tuples)
            --job.pushed[p];
        }
    });
    return;
  }
  if (const auto* put = std::get_if<broker::PutClose>(&write)) {
    Job& job = job_of(put->job, "PutClose");
    if (job.close_write != 0 || put->total != job.written)
      violated("a job is closed once, with all its tuples", job.plan->key);
    job.close_write = number;
    // A policy that leaves nothing to cancel still closes the job.
    const bool cancelled = job.cancelled;
    if (job.written != job.plan->tuples && policy_met(job)) job.cancelled = true;
    undo(number, [&job, cancelled] {
      job.close_write = 0;
      job.cancelled = cancelled || job.cancel_told;
    });
    return;
  }
  if (const auto* put = std::get_if<broker::PutRecord>(&write)) {
    check_record(job_of(put->job, "PutRecord"), *put, number);
    return;
  }
  if (const auto* put = std::get_if<broker::PutRound>(&write)) {
    begin_round(job_of(put->job, "PutRound"), *put, number);
    return;
  }
  if (const auto* put = std::get_if<broker::PutDealt>(&write)) {
    Job& job = job_of(put->job, "PutDealt");
    if (!job.plan->options.spec.at_most_once)
      violated("only tasks that run at most once are written as dealt", job.plan->key);
    Task& task = job.tasks[put->index.value];
    if (put->out && task.out)
      violated("what may have run and runs at most once is not dealt again",
               fmt::format("{} task {}", job.plan->key, put->index.value));
    undo(number, [&task, out = task.out] { task.out = out; });
    task.out = put->out;
    return;
  }
  if (const auto* drop = std::get_if<broker::DropChunk>(&write)) {
    Job& job = job_of(drop->job, "DropChunk");
    const auto chunk = job.chunks.find(drop->first.value);
    if (chunk == job.chunks.end())
      violated("chunks are dropped once", fmt::format("{} {}", job.plan->key, drop->first.value));
    for (std::uint64_t i = 0; i < chunk->second.first; ++i) {
      const Task& task = job.tasks[drop->first.value + i];
      if (task.record == 0 || (job.plan->options.rows_with_tuples && !task.taken))
        violated("tuples are kept while they are needed",
                 fmt::format("{} chunk {} dropped, task {} {}", job.plan->key, drop->first.value,
                             drop->first.value + i,
                             task.record == 0 ? "has no record" : "was not delivered"));
    }
    undo(number, [&job, first = chunk->first, was = chunk->second] { job.chunks[first] = was; });
    job.chunks.erase(chunk);
    return;
  }
  if (const auto* drop = std::get_if<broker::DropRecord>(&write)) {
    Job& job = job_of(drop->job, "DropRecord");
    const auto record = job.records.find(drop->record.value);
    if (record == job.records.end())
      violated("records are dropped once",
               fmt::format("{} record {}", job.plan->key, drop->record.value));
    for (const IndexRange& range : record->second)
      for (TaskIndex at = range.first; at < range.end(); at = at + 1)
        if (!job.tasks[at.value].taken)
          violated("rows are kept until acknowledged",
                   fmt::format("{} record {} dropped, task {} was not taken", job.plan->key,
                               drop->record.value, at.value));
    undo(number, [&job, of = record->first, was = record->second] { job.records[of] = was; });
    job.records.erase(record);
    return;
  }
  if (const auto* put = std::get_if<broker::PutState>(&write)) {
    Job& job = job_of(put->job, "PutState");
    undo(number, [&job, horizon = job.horizon, held = job.held] {
      job.horizon = horizon;
      job.held = held;
    });
    if (put->horizon.value < job.horizon)
      violated("the dispatch horizon rises",
               fmt::format("{}: {} after {}", job.plan->key, put->horizon.value, job.horizon));
    job.horizon = put->horizon.value;
    job.held = put->held;
    return;
  }
  if (const auto* put = std::get_if<broker::PutCharge>(&write)) {
    Task& task = job_of(put->job, "PutCharge").tasks[put->index.value];
    undo(number, [&task, crashes = task.stored_crashes, charged = task.charged,
                  refunded = task.refunded, losses = task.losses, lost_at = task.lost_at] {
      task.stored_crashes = crashes;
      task.charged = charged;
      task.refunded = refunded;
      task.losses = losses;
      task.lost_at = lost_at;
    });
    const std::uint64_t token = code_of(put->token);
    const bool refunds = put->refunded > task.refunded && token == task.charged;
    task.refunded = static_cast<std::uint16_t>(put->refunded);
    if (put->losses > task.losses) task.lost_at = now_;
    task.losses = static_cast<std::uint16_t>(put->losses);
    if (token <= task.charged && !refunds)
      violated("each attempt is charged once",
               fmt::format("task {} t{} after t{}", put->index.value, token, task.charged));
    task.stored_crashes = static_cast<std::uint16_t>(put->crashes);
    task.charged = token;
    return;
  }
  if (!std::holds_alternative<broker::DropJob>(write)) return;
  const auto& drop = std::get<broker::DropJob>(write);
  Job& job = job_of(drop.job, "DropJob");
  if (job.close_write == 0 ||
      std::any_of(job.tasks.begin(), job.tasks.begin() + static_cast<std::ptrdiff_t>(job.written),
                  [](const Task& task) { return !task.taken; }))
    violated("a job is forgotten only when delivered", job.plan->key);
  job.dropped = true;
  undo(number, [this, &job, id = drop.job] {
    job.dropped = false;
    ordinals_[id] = job.plan->ordinal;
  });
  ordinals_.erase(drop.job);
}

void Oracle::begin_round(Job& job, const broker::PutRound& put, std::uint64_t number) {
  for (const IndexRange& range : put.tasks) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      Task& task = job.tasks[at.value];
      if (task.record == 0 || task.outcome == Outcome::kSucceeded)
        violated("a round is of what has ended and not succeeded",
                 fmt::format("{} task {}", job.plan->key, at.value));
      undo(number, [&task, was = task] {
        std::vector<Run> runs = std::move(task.runs);  // these have been
        task = was;
        task.runs = std::move(runs);
      });
      task.record = task.record_write = task.record_token = 0;
      task.dead_lettered = task.out = false;
      task.charged_crashes = task.stored_crashes = task.refunded = task.losses = 0;
      task.lost_at = {};
      task.first_run = task.runs.size();
      task.fence = code_of(put.token);
    }
  }
}

bool Oracle::all_recorded(std::uint32_t ordinal) const {
  const Job& of = jobs_[ordinal];
  return of.close_write != 0 &&
         std::all_of(of.tasks.begin(), of.tasks.begin() + static_cast<std::ptrdiff_t>(of.written),
                     [this](const Task& task) {
                       return task.record != 0 && task.record_write <= durable_;
                     });
}

bool Oracle::policy_met(const Job& job) {
  std::uint64_t failed = 0;
  std::uint64_t succeeded = 0;
  for (const Task& task : job.tasks) {
    if (task.record == 0 || task.outcome == Outcome::kCancelled) continue;
    ++(task.outcome == Outcome::kSucceeded ? succeeded : failed);
  }
  for (const HaltPolicy& policy : job.plan->options.halt) {
    const std::uint64_t number = policy.on == HaltOn::kFailures    ? failed
                                 : policy.on == HaltOn::kSuccesses ? succeeded
                                                                   : failed + succeeded;
    const std::uint64_t left = policy.percent == 0 ? number : 100 * number;
    const std::uint64_t right = policy.percent == 0 ? policy.count : policy.percent * job.written;
    if (policy.percent > 0 && job.close_write == 0) continue;
    if (policy.beyond ? left > right : left >= right) return true;
  }
  return false;
}

void Oracle::check_record(Job& job, const broker::PutRecord& put, std::uint64_t number) {
  const auto name = [&](TaskIndex at) {
    return fmt::format("{} task {} in record {}", job.plan->key, at.value, put.record.value);
  };
  if (put.valid.empty()) violated("records are of tasks", job.plan->key);
  if (put.outcome == Outcome::kCancelled && !job.cancelled && !job.plan->options.halt.empty()) {
    if (!policy_met(job)) violated("a job halts when its policy says so", job.plan->key);
    job.cancelled = true;
    undo(number, [&job] { job.cancelled = job.cancel_told; });
  }
  for (const IndexRange& range : put.valid) {
    const bool inside =
        put.outcome == Outcome::kCancelled ||
        (range.first >= put.batch_first && range.end() <= put.batch_first + put.batch_count);
    if (range.empty() || range.end().value > job.written || !inside)
      violated("records are of accepted tasks", name(range.first));
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      Task& task = job.tasks[at.value];
      if (task.record != 0) violated("one terminal record per task", name(at));
      if (put.outcome == Outcome::kSucceeded && task.fence != 0 && code_of(put.token) <= task.fence)
        violated("a success of an earlier round does not count", name(at));
      task.record = put.record.value;
      task.record_write = number;
      task.record_token = code_of(put.token);
      task.outcome = put.outcome;
      task.dead_lettered = put.dead_lettered;
    }
  }
  if (put.outcome == Outcome::kSucceeded) {
    check_values(job, put);
  } else {
    check_failures(job, put);
  }
  job.records[put.record.value] = put.valid;
  undo(number, [&job, record = put.record.value] {
    for (const IndexRange& range : job.records.at(record))
      for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
        Task& task = job.tasks[at.value];
        task.record = task.record_write = task.record_token = 0;
        task.outcome = {};
        task.dead_lettered = false;
      }
    job.records.erase(record);
  });
}

void Oracle::check_values(const Job& job, const broker::PutRecord& put) {
  std::size_t at = 0;
  const std::string_view values = put.bytes.view().substr(0, put.values_bytes);
  auto valid = put.valid.begin();
  for (std::uint64_t i = 0; i < put.batch_count; ++i) {
    const TaskIndex index = put.batch_first + i;
    const auto facts = take_value(values, at, *job.plan, index.value);
    if (!facts)
      violated("values belong to their tasks",
               fmt::format("{} task {}: no such value", job.plan->key, index.value));
    if (valid != put.valid.end() && index >= valid->end()) ++valid;
    if (valid == put.valid.end() || !valid->contains(index)) continue;
    const Run* run = last_run(job.tasks[index.value], code_of(put.token));
    if (facts->token != code_of(put.token) || run == nullptr ||
        run->state != RunState::kReportedSuccess)
      violated("recorded values come from an execution under that token",
               fmt::format("{} task {}: value of t{}, record of t{}", job.plan->key, index.value,
                           facts->token, code_of(put.token)));
  }
  if (at != values.size()) violated("values belong to their tasks", "more values than tasks");
}

void Oracle::check_failures(const Job& job, const broker::PutRecord& put) {
  const std::uint64_t token = code_of(put.token);
  const auto fail = [&](const char* invariant, TaskIndex at) {
    const Task& task = job.tasks[at.value];
    violated(invariant,
             fmt::format("{} task {} under t{}, last leased as t{}, {} runs", job.plan->key,
                         at.value, token, task.last_token, task.runs.size()));
  };
  std::vector<Failure> failures;
  if (put.outcome != Outcome::kCancelled) {
    const auto columns = decode_columns(put.bytes.view().substr(put.values_bytes));
    if (!columns || columns->failures.size() != put.batch_count)
      violated("failures name themselves", job.plan->key);
    failures = columns->failures;
  }
  for (const IndexRange& range : put.valid) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      const Task& task = job.tasks[at.value];
      const auto ended_so = [&](RunState state) {
        return static_cast<std::uint32_t>(
            std::count_if(task.runs.begin() + static_cast<std::ptrdiff_t>(task.first_run),
                          task.runs.end(), [state](const Run& run) { return run.state == state; }));
      };
      if (put.outcome == Outcome::kCancelled) {
        if (!job.cancelled) fail("only cancelled jobs end cancelled", at);
        continue;
      }
      const Failure& failure = failures[at - put.batch_first];
      const Run* run = last_run(task, token);
      const bool once = job.plan->options.spec.at_most_once;
      const bool lost_once = once && put.outcome == Outcome::kWorkerLost;
      // Nobody knows the token of what was lost together with a broker.
      const bool lost_twice = lost_once && put.token == AttemptToken{} && put.worker.empty() &&
                              task.last_token < code_of({epoch_, 0});
      if (!lost_twice && (token != task.last_token || (run == nullptr && !lost_once)))
        fail("failures count from the current token alone", at);
      const std::uint32_t tries =
          job.cancelled || policy_met(job) ? 1 : job.plan->options.retries + 1;
      switch (put.outcome) {
        case Outcome::kFailed:
          if (failure.message != failure_text(*job.plan, at.value, token) ||
              run->state != RunState::kReportedFailure)
            fail("failures belong to their tasks", at);
          if (ended_so(RunState::kReportedFailure) + ended_so(RunState::kCrashed) < tries)
            fail("attempts reach their limit before the end", at);
          break;
        case Outcome::kTimeLimit:
          if (ended_so(RunState::kReportedFailure) + ended_so(RunState::kCrashed) < tries)
            fail("attempts reach their limit before the end", at);
          break;
        case Outcome::kCrashed:
          if (!put.dead_lettered ||
              ended_so(RunState::kCrashed) + (once ? ended_so(RunState::kLost) : 0) <
                  job.plan->crash_limit())
            fail("only real crashes are charged", at);
          if (task.charged_crashes + 1U > job.plan->crash_limit())
            fail("crashes within their limit", at);
          break;
        case Outcome::kWorkerLost:
          if (once) break;
          if (!put.dead_lettered || task.runs_now() < limits::kLossLimit)
            fail("unstarted tasks are never charged with a loss", at);
          break;
        case Outcome::kSucceeded:
        case Outcome::kCancelled:
          break;
      }
    }
  }
}

}  // namespace fanmill::sim
