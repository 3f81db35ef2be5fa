// Which worker may be given which job, whose turn it is, and what a pause means.
#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.hpp"
#include "tests/sim/oracle.hpp"

namespace fanmill::sim {
namespace {

bool has_labels(const WorkerPlan& worker, const JobPlan& job) {
  return std::all_of(job.options.where.begin(), job.options.where.end(), [&](const Label& label) {
    return std::find(worker.labels.begin(), worker.labels.end(), label) != worker.labels.end();
  });
}

bool offers(const WorkerPlan& worker, const JobPlan& job) {
  return std::find(worker.functions.begin(), worker.functions.end(), job.options.spec.function) !=
         worker.functions.end();
}

// Nothing that the oracle does not follow keeps such a job from being dealt: no reader that is
// behind, and no producer that may be taken for gone.
bool surely_dealt(const Plan& plan, const JobPlan& job) {
  return !job.options.forget_when_delivered ||
         (plan.results_cap == limits::kResultsCap && plan.faults.empty() && plan.loss == 0 &&
          plan.garble == 0);
}

bool may_be_paused(const Plan& plan, const JobPlan& job) {
  return job.pause_after ||
         std::any_of(plan.observers.begin(), plan.observers.end(),
                     [&job](const ObserverPlan& observer) {
                       return observer.job == job.ordinal && !observer.pauses.empty();
                     });
}

}  // namespace

void Oracle::check_place(Job& job, const Session& to, const std::string& what) {
  if (job.paused) violated("a paused job is dealt nothing", what);
  const WorkerPlan* worker = instances_[to.instance].plan;
  if (worker == nullptr) return;
  if (!offers(*worker, *job.plan)) violated("functions are asked of those who offer them", what);
  if (!has_labels(*worker, *job.plan)) violated("labels are respected", what);
  if (!worker->signature.empty()) {
    if (job.signature.empty()) job.signature = worker->signature;
    if (job.signature != worker->signature)
      violated("a job is bound to one signature",
               fmt::format("{}: '{}' and '{}'", what, job.signature, worker->signature));
  }
}

void Oracle::check_priority(const Dealt& dealt) {
  const Job& job = jobs_[dealt.ordinal];
  const WorkerPlan* worker = instances_[dealt.instance].plan;
  if (worker == nullptr) return;
  for (const Job& other : jobs_) {
    if (!other.id || other.plan->options.priority <= job.plan->options.priority) continue;
    if (other.cancelled || may_be_paused(plan_, *other.plan)) continue;
    if (other.written <= other.dealt_to || !surely_dealt(plan_, *other.plan)) continue;
    // One that is bound to nothing yet may be bound to what this worker does not offer.
    const bool bound = !other.signature.empty() && (other.signature == worker->signature);
    if (bound && offers(*worker, *other.plan) && has_labels(*worker, *other.plan))
      violated(
          "the higher priority goes first",
          fmt::format("{} {} is dealt as t{} while {} waits with {} of {} dealt", job.plan->key,
                      dealt.end, dealt.token, other.plan->key, other.dealt_to, other.written));
  }
}

// Leases leave in another order than they were dealt in: that of their tokens.
void Oracle::turn_ends() {
  std::sort(dealt_.begin(), dealt_.end(),
            [](const Dealt& a, const Dealt& b) { return a.token < b.token; });
  for (const Dealt& dealt : std::exchange(dealt_, {})) {
    check_priority(dealt);
    Job& job = jobs_[dealt.ordinal];
    job.dealt_to = std::max(job.dealt_to, dealt.end);
  }
  check_recalled();
}

void Oracle::hears(const Steer& steer) {
  for (const JobId id : steer.jobs) {
    Job* of = job(id);
    if (of == nullptr) continue;
    const bool over = all_recorded(of->plan->ordinal);  // then there is nothing to pause
    if (steer.action == Steering::kPause && !over) of->pause_request = steer.request;
    if (steer.action != Steering::kResume) continue;
    of->pause_request = 0;
    of->paused = false;
  }
}

// It has been done: the broker may not have known who asked.
void Oracle::emits_answer(const Answer& answer) {
  for (Job& of : jobs_) {
    if (of.pause_request == 0 || of.pause_request != answer.request || of.paused) continue;
    of.paused = true;
    to_recall_.push_back(of.plan->ordinal);
  }
}

// In the turn in which a job was paused, what cannot have been started everywhere was asked back.
void Oracle::check_recalled() {
  for (const std::uint32_t ordinal : std::exchange(to_recall_, {})) {
    const Job& of = jobs_[ordinal];
    if (!of.paused) continue;
    std::map<SessionId, std::uint64_t> held;
    for (const auto& [code, token] : tokens_) {
      if (token.ordinal != ordinal || token.released) continue;
      for (const IndexRange& range : token.open.ranges())
        for (TaskIndex at = range.first; at < range.end(); at = at + 1)
          if (const Task& task = of.tasks[at.value];
              task.record == 0 && last_run(task, code) == nullptr)
            ++held[token.session];
    }
    for (const auto& [session, tasks] : held) {
      const Session& to = sessions_[session];
      const Instance& instance = instances_[to.instance];
      if (to.over || instance.attempt == 0 || instance.plan == nullptr) continue;
      if (tasks <= instance.plan->slots) continue;
      const auto asked = of.recalled.find(session);
      // What came back for an earlier pause may be behind many reports that were lost.
      if (asked == of.recalled.end() || asked->second + 60s < now_)
        violated("what a pause finds unstarted is asked back",
                 fmt::format("{}: {} tasks at one session of {} slots", of.plan->key, tasks,
                             instance.plan->slots));
    }
  }
}

}  // namespace fanmill::sim
