#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {

void Oracle::producer_emits(const FromProducer& message) {
  const auto* submit = std::get_if<Submit>(&message);
  if (submit == nullptr) return;
  const Job* of = job(submit->job);
  if (of == nullptr) return;
  const std::uint64_t end = submit->first.value + submit->count;
  if (end > of->credit.tasks && submit->first.value != of->accepted_heard)
    violated("the producer's credit is never exceeded",
             fmt::format("{} submits up to {}, credit {}, accepted {}", of->plan->key, end,
                         of->credit.tasks, of->accepted_heard));
}

void Oracle::producer_hears(const ToProducer& message) {
  const auto note = [this](JobId id, std::uint64_t next_index, Credit credit) {
    Job* of = job(id);
    if (of == nullptr) return;
    of->accepted_heard = std::max(of->accepted_heard, next_index);
    of->credit = {std::max(of->credit.tasks, credit.tasks),
                  std::max(of->credit.bytes, credit.bytes)};
  };
  if (const auto* opened = std::get_if<JobOpened>(&message)) {
    note(opened->job, opened->next_index, opened->credit);
  } else if (const auto* accepted = std::get_if<Accepted>(&message)) {
    note(accepted->job, accepted->next_index, accepted->credit);
  }
}

void Oracle::producer_cancels(std::uint32_t ordinal) {
  jobs_[ordinal].cancelled = jobs_[ordinal].cancel_told = true;
}

void Oracle::producer_accepted(std::uint32_t ordinal, std::uint64_t next_index) {
  Job& of = jobs_[ordinal];
  if (!of.dropped && next_index > durable_next(of))
    violated("accepted tuples are durable", fmt::format("{}: the producer counts on {}, durable {}",
                                                        of.plan->key, next_index, of.durable_next));
}

// What rows carry and say, whoever reads them.
void Oracle::check_rows(const Job& of, const Rows& rows, const Blob& blob) const {
  const JobPlan& plan = *of.plan;
  const auto fail = [&](const char* invariant, TaskIndex at) {
    violated(invariant, fmt::format("{} rows at {} [{},{}): task {}", plan.key, rows.position,
                                    rows.first.value, rows.first.value + rows.count, at.value));
  };
  if (rows.first.value + rows.count > of.written) fail("rows are of submitted tasks", rows.first);
  const std::string_view bytes = blob.view();
  std::size_t at_value = 0;
  const std::string_view values = bytes.substr(0, rows.values_bytes);
  if (rows.outcome == Outcome::kSucceeded) {
    for (std::uint64_t i = 0; i < rows.batch_count; ++i) {
      const TaskIndex at = rows.batch_first + i;
      const auto facts = take_value(values, at_value, plan, at.value);
      if (!facts || facts->token != code_of(rows.token)) fail("rows carry their tasks' values", at);
    }
  }
  if (plan.options.rows_with_tuples) {
    if (rows.tuples_bytes > bytes.size()) fail("rows carry their tuples", rows.first);
    const std::string_view tuples = bytes.substr(bytes.size() - rows.tuples_bytes);
    std::size_t at_tuple = 0;
    if (rows.tuples_skip > rows.first.value) fail("rows carry their tuples", rows.first);
    for (std::uint64_t i = 0; i < rows.tuples_skip + rows.count; ++i)
      if (!take_tuple(tuples, at_tuple, plan,
                      tuple_of(plan.ordinal, rows.first.value - rows.tuples_skip + i)))
        fail("rows carry their tuples", rows.first + i);
  }

  for (TaskIndex at = rows.first; at < rows.first + rows.count; at = at + 1) {
    const Task& task = of.tasks[at.value];
    if (task.record == 0 || task.record_write > durable_)
      fail("rows are durable before they leave", at);
    if (task.record_token != code_of(rows.token) || task.outcome != rows.outcome ||
        task.dead_lettered != rows.dead_lettered)
      fail("rows say what was recorded", at);
  }
}

void Oracle::rows_arrive(std::uint32_t ordinal, const Rows& rows, const Blob& blob) {
  Job& of = jobs_[ordinal];
  const JobPlan& plan = *of.plan;
  const auto fail = [&](const char* invariant, TaskIndex at) {
    violated(invariant, fmt::format("{} rows at {} [{},{}): task {}", plan.key, rows.position,
                                    rows.first.value, rows.first.value + rows.count, at.value));
  };
  const std::uint64_t next =
      plan.order == RowOrder::kInput ? rows.first.value + rows.count : rows.position + 1;
  if (rows.position != of.cursor || rows.next != next ||
      (plan.order == RowOrder::kInput && rows.first.value != of.cursor))
    fail("rows stream without gaps, in order", rows.first);
  of.cursor = rows.next;
  of.untaken.push_back({rows.next, {rows.first, rows.count}});
  if (rows.first.value + rows.count > of.tasks.size())
    fail("rows are of submitted tasks", rows.first);

  check_rows(of, rows, blob);
  for (TaskIndex at = rows.first; at < rows.first + rows.count; at = at + 1) {
    Task& task = of.tasks[at.value];
    if (task.arrived) fail("each task is delivered once", at);
    task.arrived = true;
    ++of.counts.accepted;
    switch (rows.outcome) {
      case Outcome::kSucceeded:
        ++of.counts.succeeded;
        break;
      case Outcome::kCancelled:
        ++of.counts.cancelled;
        break;
      default:
        ++(rows.dead_lettered ? of.counts.dead_lettered : of.counts.failed);
    }
    const Behaviour behaviour = plan.behaviour(at.value);
    // A hanging task may end when the agent that should have killed it was stopped itself.
    const bool never_succeeds = behaviour == Behaviour::kFails || behaviour == Behaviour::kCrashes;

    if (rows.outcome == Outcome::kSucceeded && never_succeeds)
      fail("what cannot succeed does not", at);
    if (rows.outcome == Outcome::kFailed && behaviour != Behaviour::kFails &&
        behaviour != Behaviour::kFailsOnce)
      fail("what does not fail has not failed", at);
  }
}

void Oracle::rows_taken(std::uint32_t ordinal, std::uint64_t cursor) {
  Job& of = jobs_[ordinal];
  while (!of.untaken.empty() && of.untaken.front().first <= cursor) {
    const IndexRange rows = of.untaken.front().second;
    of.untaken.pop_front();
    for (TaskIndex at = rows.first; at < rows.end(); at = at + 1) of.tasks[at.value].taken = true;
  }
}

void Oracle::job_ended(std::uint32_t ordinal, const JobCounts& counts) {
  Job& of = jobs_[ordinal];
  const bool complete =
      of.counts.accepted == of.written && (of.cancelled || of.written == of.plan->tuples);
  if (of.ended || !complete)
    violated("a job ends with a row for each task",
             fmt::format("{}: {} rows of {} tasks", of.plan->key, of.counts.accepted, of.written));
  JobCounts seen = counts;
  seen.running = 0;
  if (seen != of.counts)
    violated(
        "the final counts are those of the rows",
        fmt::format("{}: {} succeeded, {} failed, {} dead, {} cancelled told; {}, {}, {}, {} seen",
                    of.plan->key, counts.succeeded, counts.failed, counts.dead_lettered,
                    counts.cancelled, of.counts.succeeded, of.counts.failed,
                    of.counts.dead_lettered, of.counts.cancelled));
  of.ended = true;
}

bool Oracle::all_ended() const {
  return std::all_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.ended; });
}

std::string Oracle::what_is_missing() const {
  std::string all;
  for (const Job& job : jobs_) {
    if (job.ended) continue;
    std::uint64_t records = 0;
    std::string first;
    for (std::size_t i = 0; i < job.tasks.size(); ++i) {
      if (job.tasks[i].record != 0) {
        ++records;
      } else if (first.empty()) {
        first = fmt::format(", first without a record: {} (last t{}, {} runs)", i,
                            job.tasks[i].last_token, job.tasks[i].runs.size());
      }
    }
    all += fmt::format("{}: {} of {} tuples stored, {} recorded, {} arrived, acknowledged {}{}; ",
                       job.plan->key, job.written, job.plan->tuples, records, job.counts.accepted,
                       job.acked, first);
  }
  return all;
}

}  // namespace fanmill::sim
