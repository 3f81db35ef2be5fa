#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {

void Oracle::observer_is(InstanceId instance, std::uint32_t number) {
  observer_instances_[instance] = number;
}

const ObserverPlan* Oracle::observer_at(SessionId session) const {
  const auto it = observer_sessions_.find(session);
  return it == observer_sessions_.end() ? nullptr : &plan_.observers[it->second];
}

bool Oracle::is_closed(std::uint32_t ordinal) const { return jobs_[ordinal].close_write != 0; }

// ---- reading ----

void Oracle::look_begins(std::uint32_t number) {
  Observer& of = observers_[number];
  const Job& about = jobs_[plan_.observers[number].job];
  of = {};
  of.seen.resize(about.tasks.size());
  of.wanted.resize(about.tasks.size());
  for (std::size_t i = 0; i < about.tasks.size(); ++i)
    of.wanted[i] = about.tasks[i].record != 0 && about.tasks[i].record_write <= durable_;
}

void Oracle::observer_rows(std::uint32_t number, const Rows& rows, const Blob& blob) {
  Observer& of = observers_[number];
  const RowOrder order = plan_.observers[number].order;
  Job& about = jobs_[plan_.observers[number].job];
  if (of.seen.empty()) of.seen.resize(about.tasks.size());
  const auto fail = [&](const char* invariant) {
    violated(invariant,
             fmt::format("{} rows at {} [{},{}) to observer {}", about.plan->key, rows.position,
                         rows.first.value, rows.first.value + rows.count, number));
  };
  const std::uint64_t end = rows.first.value + rows.count;
  const bool right = order == RowOrder::kAsCompleted ? rows.next == rows.position + 1
                     : order == RowOrder::kInput
                         ? rows.first.value == rows.position && rows.next == end
                         : rows.first.value >= rows.position && rows.next == end;
  if (!right || rows.position != of.cursor) fail("rows stream without gaps, in order");
  of.cursor = rows.next;
  check_rows(about, rows, blob);
  for (TaskIndex at = rows.first; at.value < end; at = at + 1) {
    if (of.seen[at.value]) fail("each task is delivered once to a reader");
    of.seen[at.value] = true;
  }
}

void Oracle::observer_sees_end(std::uint32_t number, const JobCounts& counts) {
  Observer& of = observers_[number];
  const Job& about = jobs_[plan_.observers[number].job];
  of.seen.resize(about.tasks.size());
  const bool looked = plan_.observers[number].order == RowOrder::kRecorded;
  for (std::size_t i = 0; i < about.written; ++i) {
    const bool wanted = looked ? of.wanted[i] : true;
    if (wanted && !of.seen[i])
      violated("the end comes behind every row",
               fmt::format("{}: observer {} has not seen task {}, {} of {} are told to be recorded",
                           about.plan->key, number, i, counts.terminal(), counts.accepted));
  }
  if (!looked && about.close_write == 0) violated("open jobs do not end", about.plan->key);
}

// ---- pushing ----

std::uint64_t Oracle::tuple_of(std::uint32_t ordinal, std::uint64_t index) const {
  const Job& of = jobs_[ordinal];
  if (of.plan->pushers.empty()) return index;
  if (index >= of.tuples.size()) violated("tuples are of accepted tasks", of.plan->key);
  return of.tuples[index];
}

void Oracle::check_pushed(Job& job, const broker::PutChunk& put) {
  const JobPlan& plan = *job.plan;
  if (job.pushed.empty()) job.pushed.resize(plan.pushers.size());
  const auto recorded = static_cast<std::uint64_t>(std::count_if(
      job.tasks.begin(), job.tasks.end(), [](const Task& task) { return task.record != 0; }));
  if (put.first.value >= recorded + plan_.producer_window_tasks)
    violated("pushes stay within the job's window",
             fmt::format("{} chunk at {}, {} recorded", plan.key, put.first.value, recorded));
  std::size_t at = 0;
  std::optional<std::size_t> by;
  for (std::uint64_t i = 0; i < put.count; ++i) {
    const auto tuple = tuple_at(put.bytes.view(), at, plan);
    if (!tuple || !take_tuple(put.bytes.view(), at, plan, *tuple))
      violated("tuples are stored as submitted", plan.key);
    for (std::size_t p = 0; p < plan.pushers.size() && !by; ++p)
      if (*tuple >= plan.pushers[p].first &&
          *tuple < plan.pushers[p].first + plan.pushers[p].tuples)
        by = p;
    if (!by || *tuple != plan.pushers[*by].first + job.pushed[*by])
      violated("what is pushed is taken once, in the order of its key",
               fmt::format("{} tuple {} as task {}", plan.key, *tuple, put.first.value + i));
    ++job.pushed[*by];
    job.tuples.push_back(*tuple);
  }
  if (at != put.bytes.size())
    violated("tuples are stored as submitted", "bytes behind the last tuple");
}

void Oracle::pushed_is_heard(std::uint32_t ordinal, std::uint32_t pusher, std::uint64_t end,
                             std::uint64_t next_index) {
  Job& of = jobs_[ordinal];
  const std::uint64_t durable = durable_next(of);
  std::uint64_t of_key = 0;
  const PusherPlan& plan = of.plan->pushers[pusher];
  for (std::uint64_t i = 0; i < durable; ++i)
    if (of.tuples[i] >= plan.first && of.tuples[i] < plan.first + plan.tuples) ++of_key;
  if (next_index > durable || end - plan.first > of_key)
    violated("accepted tuples are durable",
             fmt::format("{}: the pusher of {} counts on {}, durable {}", of.plan->key, plan.key,
                         end - plan.first, of_key));
}

void Oracle::pusher_ends(std::uint32_t ordinal, std::uint32_t pusher) {
  jobs_[ordinal].pushers_ended.insert(pusher);
}

bool Oracle::pushers_have_ended(std::uint32_t ordinal) const {
  return jobs_[ordinal].pushers_ended.size() == jobs_[ordinal].plan->pushers.size();
}

}  // namespace fanmill::sim
