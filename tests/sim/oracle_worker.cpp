#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {
constexpr std::uint64_t kListsPerSecondMax = 20;
}  // namespace

const Oracle::Run* Oracle::last_run(const Task& task, std::uint64_t token) const {
  const auto it = std::find_if(task.runs.rbegin(), task.runs.rend(),
                               [token](const Run& run) { return run.token == token; });
  return it == task.runs.rend() ? nullptr : &*it;
}

Oracle::Run* Oracle::last_run(Task& task, std::uint64_t token) {
  return const_cast<Run*>(std::as_const(*this).last_run(std::as_const(task), token));
}

std::uint64_t Oracle::task_starts(InstanceId instance, std::uint32_t ordinal, std::uint64_t index,
                                  std::uint64_t token) {
  Job& job = jobs_[ordinal];
  const auto name = [&] { return fmt::format("{} task {} t{}", job.plan->key, index, token); };
  const auto leased = tokens_.find(token);
  if (leased == tokens_.end() || leased->second.ordinal != ordinal ||
      !leased->second.tasks.contains(TaskIndex{index}) || leased->second.instance != instance)
    violated("only leased tasks run", name());
  Task& task = job.tasks[index];
  if (const Run* before = last_run(task, token)) {
    if (before->state == RunState::kRunning)
      violated("a task runs once at a time under one token", name());
    if (before->state == RunState::kReportedSuccess || before->state == RunState::kReportedFailure)
      violated("a reported task does not run again under its token", name());
  }
  if (job.plan->options.spec.at_most_once && task.runs_now() > 0)
    violated("a task that runs at most once does not run again", name());
  task.runs.push_back({token, RunState::kRunning});
  return ++executions_;
}

void Oracle::task_ends(std::uint32_t ordinal, std::uint64_t index, std::uint64_t token,
                       RunState state) {
  for (auto run = jobs_[ordinal].tasks[index].runs.rbegin();
       run != jobs_[ordinal].tasks[index].runs.rend(); ++run) {
    if (run->token != token) continue;
    run->state = state;
    return;
  }
}

void Oracle::report_reaches_agent(std::uint32_t ordinal, IndexRange tasks, std::uint64_t token) {
  Job& job = jobs_[ordinal];
  for (TaskIndex at = tasks.first; at < tasks.end(); at = at + 1) {
    for (auto run = job.tasks[at.value].runs.rbegin(); run != job.tasks[at.value].runs.rend();
         ++run) {
      if (run->token != token) continue;
      if (run->state == RunState::kSucceeded) run->state = RunState::kReportedSuccess;
      if (run->state == RunState::kFailed) run->state = RunState::kReportedFailure;
      break;
    }
  }
}

std::uint32_t Oracle::failed_before(std::uint32_t ordinal, std::uint64_t index) const {
  const Task& task = jobs_[ordinal].tasks[index];
  return static_cast<std::uint32_t>(
      std::count_if(task.runs.begin(), task.runs.end(), [](const Run& run) {
        return run.state == RunState::kReportedFailure || run.state == RunState::kFailed;
      }));
}

std::uint32_t Oracle::crashed_before(std::uint32_t ordinal, std::uint64_t index) const {
  const Task& task = jobs_[ordinal].tasks[index];
  return static_cast<std::uint32_t>(
      std::count_if(task.runs.begin(), task.runs.end(),
                    [](const Run& run) { return run.state == RunState::kCrashed; }));
}

void Oracle::agent_deals(InstanceId instance, const JobId& id, AttemptToken given,
                         IndexRange tasks) {
  const Instance& of = instances_[instance];
  if (of.heard + limits::kLeaseDuration <= now_) {
    violated("nothing starts after the lease",
             fmt::format("job {:x} [{},{}) t{} dealt {} ms after the broker heard of the worker",
                         id.value, tasks.first.value, tasks.end().value, code_of(given),
                         (now_ - of.heard).count() / 1'000'000));
  }
}

void Oracle::agent_emits(InstanceId id, const FromWorker& message, SessionId session) {
  Instance& instance = instances_[id];
  if (session != instance.own_session && session != SessionId{}) {
    instance.own_session = session;
    instance.reports_made = instance.settled_tasks = 0;
  }
  if (const auto* heartbeat = std::get_if<WorkerHeartbeat>(&message)) {
    if (now_ - instance.second_began >= 1s) {
      instance.second_began = now_;
      instance.lists_in_second = 0;
    }
    if (heartbeat->list_attached && ++instance.lists_in_second > kListsPerSecondMax)
      violated("what a worker holds is agreed upon", "one list after the other");
    for (const RunningTask& running : heartbeat->running) {
      const Job* of = job(running.job);
      if (of == nullptr) continue;
      if (last_run(of->tasks[running.index.value], code_of(running.token)) == nullptr)
        violated("heartbeats name as running only what was started",
                 fmt::format("{} task {} t{}", of->plan->key, running.index.value,
                             code_of(running.token)));
    }
    return;
  }
  if (const auto* results = std::get_if<Results>(&message)) {
    Job* of = job(results->job);
    if (results->report > instance.reports_made) {
      instance.reports_made = results->report;
      instance.settled_tasks += results->count;
      if (of != nullptr) check_results(*results, *of, instance);
    }
  } else if (const auto* returned = std::get_if<Returned>(&message)) {
    const Job* of = job(returned->job);
    if (returned->report > instance.reports_made) {
      instance.reports_made = returned->report;
      for (const IndexRange& range : returned->ranges) instance.settled_tasks += range.count;
      if (of != nullptr) check_returned(*returned, *of);
    }
  }
}

void Oracle::agent_receives(InstanceId id, const ToWorker& message, SessionId session) {
  if (const auto* lease = std::get_if<Lease>(&message))
    instances_[id].received_tasks[session] += lease->count;
  if (const auto* stop = std::get_if<StopJob>(&message))
    if (stop->grace_ms != CancelJob::kNoKill) instances_[id].told_to_end.insert(stop->job);
}

void Oracle::agent_announces(InstanceId id, const WorkerPlan& plan, const FromWorker& message) {
  Instance& instance = instances_[id];
  instance.plan = &plan;
  std::optional<std::uint64_t> credit;
  if (const auto* hello = std::get_if<WorkerHello>(&message)) credit = hello->credit.tasks;
  // What is settled is known only while no report waits for its turn to be sent.
  if (const auto* heartbeat = std::get_if<WorkerHeartbeat>(&message))
    if (heartbeat->reports_sent == instance.reports_made)
      credit = heartbeat->credit.tasks - std::min(heartbeat->credit.tasks, instance.settled_tasks);
  // A broker that took a late lease for a lost one may have sent more than the window.
  const std::uint64_t received = instance.received_tasks[instance.own_session];
  const std::uint64_t most =
      std::max(plan.window.tasks, received - std::min(received, instance.settled_tasks));
  if (credit && *credit > most)
    violated("a worker announces no more than its window",
             fmt::format("{} tasks beyond the {} settled, window {}", *credit,
                         instance.settled_tasks, plan.window.tasks));
}

void Oracle::check_told(InstanceId id) const {
  for (const Job& of : jobs_) {
    for (std::size_t at = 0; at < of.tasks.size(); ++at) {
      for (const Run& run : of.tasks[at].runs) {
        if (run.state != RunState::kReportedSuccess || run.heard) continue;
        if (tokens_.at(run.token).instance == id && !of.dropped)
          violated("no finished work is thrown away",
                   fmt::format("{} task {} succeeded under t{}, and nobody told", of.plan->key, at,
                               run.token));
      }
    }
  }
}

void Oracle::check_results(const Results& results, Job& job, const Instance& of) {
  for (TaskIndex at = results.first; at < results.first + results.count; at = at + 1) {
    Run* run = last_run(job.tasks[at.value], code_of(results.token));
    bool right = run != nullptr;
    // What was told to end and failed is as good as killed. Others go back, but what runs at most
    // once must not, for it would be dealt again if the StopJob was a late one.
    if (right && results.outcome == Outcome::kCrashed && run->state == RunState::kReportedFailure &&
        job.plan->options.spec.at_most_once && of.told_to_end.contains(results.job))
      run->state = RunState::kCrashed;
    switch (results.outcome) {
      case Outcome::kSucceeded:
        right = right && run->state == RunState::kReportedSuccess;
        break;
      case Outcome::kFailed:
        right = right && run->state == RunState::kReportedFailure;
        break;
      case Outcome::kCrashed:
      case Outcome::kTimeLimit:
        right = right && (run->state == RunState::kCrashed ||
                          // Its end died with its executor.
                          (run->state == RunState::kLost && job.plan->options.spec.at_most_once));
        break;
      case Outcome::kWorkerLost:
      case Outcome::kCancelled:
        right = false;
        break;
    }
    if (!right)
      violated("reports say what happened",
               fmt::format("{} task {} t{}: outcome {} reported, {}", job.plan->key, at.value,
                           code_of(results.token), static_cast<int>(results.outcome),
                           run == nullptr ? "it never ran"
                                          : fmt::format("state {}", static_cast<int>(run->state))));
  }
}

void Oracle::check_returned(const Returned& returned, const Job& job) {
  for (const IndexRange& range : returned.ranges) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      const Run* run = last_run(job.tasks[at.value], code_of(returned.token));
      if (run == nullptr) continue;
      if (job.plan->options.spec.at_most_once)
        violated("what runs at most once and has begun is not returned",
                 fmt::format("{} task {} t{}", job.plan->key, at.value, code_of(returned.token)));
      // What died with its executor before it was reported has to run again, here or elsewhere.
      // So has what fails when its job is cancelled, for it may have been told to end.
      const bool excused = job.cancelled || policy_met(job);
      if (run->state == RunState::kRunning || run->state == RunState::kReportedSuccess ||
          (run->state == RunState::kReportedFailure && !excused))
        violated("only unstarted tasks are returned",
                 fmt::format("{} task {} t{} in state {}", job.plan->key, at.value,
                             code_of(returned.token), static_cast<int>(run->state)));
    }
  }
}

}  // namespace fanmill::sim
