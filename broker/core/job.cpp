#include "broker/core/job.hpp"

#include <algorithm>

#include "proto/error.hpp"

namespace fanmill::broker {

Chunk* Job::chunk_of(TaskIndex index) {
  auto it = chunks.upper_bound(index.value);
  if (it == chunks.begin()) return nullptr;
  --it;
  return it->second.range().contains(index) ? &it->second : nullptr;
}

std::uint32_t Job::attempt_of(TaskIndex index) const {
  const auto it = exceptions.find(index.value);
  return it == exceptions.end() ? 1 : it->second.attempt();
}

IndexRange Job::next_tasks(std::uint64_t most, bool fresh_too) const {
  IndexRange run;
  if (!ready.empty()) {
    run = ready.next_run({}, most);
    // One lease is of one attempt: it ends where that changes.
    auto exception = exceptions.lower_bound(run.first.value);
    if (exception != exceptions.end()) {
      const std::uint32_t attempt = attempt_of(run.first);
      if (attempt == 1) {
        run.count = std::min(run.count, exception->first - run.first.value);
      } else {
        std::uint64_t alike = 0;
        while (alike < run.count && exception != exceptions.end() &&
               exception->first == run.first.value + alike &&
               exception->second.attempt() == attempt) {
          ++alike;
          ++exception;
        }
        run.count = alike;
      }
    }
  } else if (fresh_too && fresh.value < next_index) {
    run = {fresh, std::min(most, next_index - fresh.value)};
  }
  if (run.empty()) return run;
  const Chunk* chunk = const_cast<Job*>(this)->chunk_of(run.first);
  FANMILL_ASSERT(chunk != nullptr);
  run.count = std::min(run.count, chunk->range().end() - run.first);
  return run;
}

void Job::taken(IndexRange tasks) {
  if (tasks.first < fresh) {
    ready.remove(tasks);
    if (!alone_ready.empty()) alone_ready.remove(tasks);
  } else {
    FANMILL_ASSERT(tasks.first == fresh);
    fresh = tasks.end();
  }
}

void Job::make_ready(IndexRange tasks) {
  if (alone.empty()) {
    ready.add(tasks);
    return;
  }
  for (const IndexRange& range : alone.present(tasks)) alone_ready.add(range);
  for (const IndexRange& range : alone.absent(tasks)) ready.add(range);
}

void Job::clear_suspicion(IndexRange tasks) {
  std::vector<IndexRange> once = suspects.present(tasks);
  for (const IndexRange& range : alone.present(tasks)) {
    for (const IndexRange& waits : alone_ready.present(range)) ready.add(waits);
    alone_ready.remove(range);
  }
  for (const IndexRange& range : once)
    for (const IndexRange& only : alone.absent(range)) suspects.remove(only);
  alone.remove(tasks);
}

void Job::forget_suspicion(IndexRange tasks) {
  if (suspects.empty()) return;
  suspects.remove(tasks);
  alone.remove(tasks);
  alone_ready.remove(tasks);
}

void Job::forget_delay(std::map<std::uint64_t, History>::iterator exception) {
  if (!exception->second.retry_at) return;
  delayed.erase({*exception->second.retry_at, exception->first});
  exception->second.retry_at.reset();
  if (exception->second.avoids == 0) return;
  exception->second.avoids = 0;
  avoiding.erase(exception->first);
}

void Job::move_due_retries(MonoTime now) {
  while (!delayed.empty() && delayed.begin()->first <= now) {
    const std::uint64_t index = delayed.begin()->second;
    forget_delay(exceptions.find(index));
    make_ready({TaskIndex{index}, 1});
  }
}

Credit Job::credit(std::uint64_t window_tasks, std::uint64_t window_bytes) const {
  return {counts.terminal() + window_tasks, released_bytes + window_bytes};
}

std::uint64_t Job::grace_left_ms(MonoTime now) const {
  if (!cancelled) return 0;
  if (cancel_grace_ms == CancelJob::kNoKill) return cancel_grace_ms;
  const auto gone = std::chrono::duration_cast<std::chrono::milliseconds>(now - cancel_asked);
  const auto gone_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, gone.count()));
  return cancel_grace_ms > gone_ms ? cancel_grace_ms - gone_ms : 0;
}

JobCounts Job::counted() const {
  JobCounts now = counts;
  now.accepted = next_index;
  now.running = std::min(leased, next_index - counts.terminal());
  return now;
}

}  // namespace fanmill::broker
