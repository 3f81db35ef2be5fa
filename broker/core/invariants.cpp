#include "broker/core/invariants.hpp"

#include <algorithm>

#include "broker/core/delivery.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/halting.hpp"

namespace fanmill::broker {
namespace {

void check_worker(const World& world, const Worker& worker) {
  std::uint64_t tasks = 0;
  std::uint64_t once = 0;  // tasks that run at most once
  bool suspects = false;   // that ought to run alone
  std::uint64_t bytes = 0;
  std::uint64_t digest = 0;
  std::uint64_t number = 0;
  std::map<JobId, std::uint64_t> by_job;
  for (const auto& [token, lease] : worker.leases) {
    FANMILL_ASSERT(token == lease.token);
    FANMILL_ASSERT(token <= world.last_token());
    FANMILL_ASSERT(lease.number == 0 || life_of(token) == world.config.life);
    FANMILL_ASSERT(!lease.unfinished.empty());
    FANMILL_ASSERT(lease.number == 0 || lease.number > number);  // numbers rise with tokens
    number = std::max(number, lease.number);
    tasks += lease.unfinished.count();
    bytes += lease.bytes;
    digest ^= digest_of(lease.token);
    by_job[lease.job] += lease.unfinished.count();
    const auto of = world.jobs.find(lease.job);
    if (of == world.jobs.end()) continue;
    const Job& job = *of->second;
    // A suspect has nobody beside it.
    for (const IndexRange& range : lease.unfinished.ranges())
      if (job.alone.count(range) > 0) suspects = true;
    if (job.options.spec.at_most_once) {
      FANMILL_ASSERT(lease.unfinished.count() == 1);
      ++once;
    }
  }
  FANMILL_ASSERT(tasks == worker.leased_tasks);
  FANMILL_ASSERT(once <= worker.slots);
  FANMILL_ASSERT((!worker.alone && !suspects) || (worker.leases.size() == 1 && tasks == 1));
  FANMILL_ASSERT(bytes == worker.leased_bytes);
  FANMILL_ASSERT(digest == worker.digest);
  FANMILL_ASSERT(number <= worker.leases_sent);
  FANMILL_ASSERT(worker.used.tasks <= worker.credit.tasks || worker.used.tasks == 0);
  FANMILL_ASSERT(worker.listed == worker.may_be_given());
  if (worker.listed)
    FANMILL_ASSERT(world.by_load.count(
                       {worker.listed_load, worker.ordinal, const_cast<Worker*>(&worker)}) == 1);
  std::uint32_t recalls = 0;
  std::map<std::int32_t, std::uint64_t> by_priority;
  for (const Share& share : worker.shares) {
    recalls += share.recall == 0 ? 0U : 1U;
    if (share.leased > 0) by_priority[share.priority] += share.leased;
    const auto it = by_job.find(share.job);
    FANMILL_ASSERT(share.leased == (it == by_job.end() ? 0 : it->second));
  }
  FANMILL_ASSERT(worker.dirty || !worker.listed || worker.listed_load == worker.load_key);
  FANMILL_ASSERT(recalls == worker.recalls_out);
  FANMILL_ASSERT(by_priority.size() == worker.fill.size());
  for (const Fill& fill : worker.fill) FANMILL_ASSERT(by_priority[fill.priority] == fill.tasks);
}

// Every accepted task is in exactly one place.
void check_tasks(const World& world, const Job& job) {
  const IndexRange dealt{TaskIndex{}, job.fresh.value};
  FANMILL_ASSERT(job.fresh.value <= job.next_index);
  FANMILL_ASSERT(job.done.count() == job.counts.terminal());
  FANMILL_ASSERT(job.done.count() == job.done.count(dealt));
  FANMILL_ASSERT(job.ready.count() == job.ready.count(dealt));

  RangeSet leased;
  std::uint64_t leased_tasks = 0;
  for (const auto& [session, worker] : world.workers) {
    for (const auto& [token, lease] : worker->leases) {
      if (lease.job != job.id) continue;
      leased_tasks += lease.unfinished.count();
      for (const IndexRange& range : lease.unfinished.ranges()) leased.add(range);
    }
  }
  FANMILL_ASSERT(leased_tasks == job.leased);
  FANMILL_ASSERT(leased.count() == leased_tasks);  // at most one live lease of each task
  std::uint64_t leased_open = 0;
  for (const IndexRange& range : leased.ranges()) {
    FANMILL_ASSERT(range.end() <= job.fresh);
    FANMILL_ASSERT(job.ready.count(range) == 0 && job.awaited.count(range) == 0);
    leased_open += range.count - job.done.count(range);
  }
  std::uint64_t waiting = 0;
  for (const auto& [index, history] : job.exceptions) {
    FANMILL_ASSERT(!job.done.contains(TaskIndex{index}));
    FANMILL_ASSERT(history.failures <= job.options.retries);
    if (!history.retry_at) continue;
    ++waiting;
    FANMILL_ASSERT(job.delayed.count({*history.retry_at, index}) == 1);
    FANMILL_ASSERT(!job.ready.contains(TaskIndex{index}) && !leased.contains(TaskIndex{index}));
  }
  FANMILL_ASSERT(waiting == job.delayed.size());
  for (const IndexRange& range : job.ready.present(dealt))
    FANMILL_ASSERT(job.done.count(range) == 0 && job.alone.count(range) == 0);
  for (const IndexRange& range : job.alone_ready.present(dealt))
    FANMILL_ASSERT(job.done.count(range) == 0 && job.alone.contains(range) &&
                   leased.intersection(range).empty());
  for (const IndexRange& range : job.alone.present(dealt))
    FANMILL_ASSERT(job.suspects.contains(range));
  for (const std::uint64_t index : job.avoiding)
    FANMILL_ASSERT(job.exceptions.at(index).avoids != 0 && job.exceptions.at(index).retry_at);
  for (const IndexRange& range : job.awaited.present(dealt))
    FANMILL_ASSERT(job.done.count(range) == 0 && job.ready.count(range) == 0);
  FANMILL_ASSERT(job.awaited.count() == job.awaited.count(dealt));
  FANMILL_ASSERT(job.awaited.empty() == !job.awaited_until);
  FANMILL_ASSERT(job.horizon_safe <= job.horizon);
  // No accepted task vanishes.
  FANMILL_ASSERT(job.done.count() + job.ready.count() + job.alone_ready.count() + waiting +
                     leased_open + job.awaited.count() ==
                 job.fresh.value);
}

// Who waits stands in its line, and nobody else does.
void check_turns(const World& world) {
  std::uint64_t standing = 0;
  for (const auto& [id, job] : world.jobs) {
    FANMILL_ASSERT((job->line == nullptr) == job->stopped);
    if (job->waiting) ++standing;
    if (job->dirty || job->line == nullptr) continue;
    FANMILL_ASSERT(job->waiting == may_deal(world, *job));
    FANMILL_ASSERT(!job->waiting || job->placed == job->time);
  }
  std::uint64_t slots = 0;
  for (const auto& [demand, line] : world.lines) {
    FANMILL_ASSERT(demand == line->demand && line->jobs > 0);
    standing -= line->waiting.size();
    for (const Line::Turn& turn : line->waiting)
      FANMILL_ASSERT(turn.job->line == line.get() && turn.job->waiting &&
                     turn.time == turn.job->placed && turn.id == turn.job->id);
    slots += line->slots;
  }
  FANMILL_ASSERT(standing == 0);
  for (const auto& [session, worker] : world.workers)
    if (worker->listed) slots -= worker->slots * worker->lines.size();
  FANMILL_ASSERT(slots == 0);
}

// No job goes on beyond its policy.
void check_policies(const Job& job) {
  if (job.dirty || job.cancelled || job.all_done()) return;
  FANMILL_ASSERT(met_policy(job) == nullptr);
}

void check_chunks(const Job& job) {
  for (const auto& [first, chunk] : job.chunks) {
    FANMILL_ASSERT(first == chunk.first.value && chunk.range().end().value <= job.next_index);
    FANMILL_ASSERT(chunk.unfinished == chunk.table.tuples() - job.done.count(chunk.range()));
  }
}

void check_rows(const Job& job) {
  if (job.order != RowOrder::kAsCompleted) {
    const TaskIndex forgotten{job.options.forget_when_delivered ? job.forgotten : 0};
    std::uint64_t tasks = forgotten.value;
    TaskIndex end;
    for (const auto& [first, slice] : job.rows) {
      FANMILL_ASSERT(first == slice.range.first.value && slice.range.first >= end);
      FANMILL_ASSERT(job.done.contains(slice.range));
      end = slice.range.end();
      FANMILL_ASSERT(end > forgotten);
      tasks += end - std::max(slice.range.first, forgotten);
    }
    FANMILL_ASSERT(tasks == job.done.count());  // no row is lost
    std::uint64_t failures = 0;
    for (const auto& [first, slice] : job.failures) {
      const auto row = job.rows.find(first);
      FANMILL_ASSERT(row != job.rows.end() && row->second.record == slice.record);
      failures += slice.range.count;
    }
    FANMILL_ASSERT(job.options.forget_when_delivered ||
                   failures == job.counts.terminal() - job.counts.succeeded);
  }
}

void check_reader(const Reader& reader) {
  FANMILL_ASSERT(reader.acknowledged <= reader.sent && reader.sent <= reader.sent_ever);
  std::uint64_t bytes = 0;
  for (const Reader::InFlight& rows : reader.in_flight) {
    FANMILL_ASSERT(rows.next > reader.acknowledged && rows.next <= reader.sent);
    bytes += rows.bytes;
  }
  FANMILL_ASSERT(bytes == reader.in_flight_bytes);
  FANMILL_ASSERT(bytes <= reader.window || reader.in_flight.size() == 1);
}

}  // namespace

void check_invariants(const World& world) {
  std::uint64_t listed = 0;
  std::uint64_t slots = 0;
  for (const auto& [session, worker] : world.workers) {
    check_worker(world, *worker);
    if (!worker->listed) continue;
    ++listed;
    slots += worker->slots;
  }
  FANMILL_ASSERT(listed == world.by_load.size() && slots == world.total_slots);
  FANMILL_ASSERT(world.durable <= world.writes);
  check_turns(world);
  FANMILL_ASSERT(world.jobs.size() == world.job_of_key.size());
  for (const auto& [id, job] : world.jobs) {
    check_tasks(world, *job);
    check_chunks(*job);
    check_policies(*job);
    check_rows(*job);
    FANMILL_ASSERT(job->readers.size() <=
                   (job->options.forget_when_delivered ? 1 : limits::kReadersMax));
    for (const auto& [session, reader] : job->readers) {
      const auto producer = world.producers.find(session);
      FANMILL_ASSERT(producer != world.producers.end() &&
                     producer->second->jobs.count(job->id) == 1);
      check_reader(reader);
    }
    FANMILL_ASSERT(world.active.count(id) == (job->stopped ? 0U : 1U));
  }
}

}  // namespace fanmill::broker
