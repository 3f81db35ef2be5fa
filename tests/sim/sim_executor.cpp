#include "tests/sim/sim_executor.hpp"

#include <fmt/format.h>

#include <utility>

#include "proto/limits.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {
// Shorter tasks run in one go, up to so much work: the page then shows them all as done.
constexpr nanoseconds kShort = 100us;
constexpr nanoseconds kBurst = 250us;
}  // namespace

void SimExecutor::give(const executor::Bind& bind) {
  if (!alive_) return;
  socket_.emplace_back(bind);
  wake(world_.random.exponential(10us));
}

void SimExecutor::give(const executor::Forget& forget) {
  if (!alive_) return;
  socket_.emplace_back(forget);
}

void SimExecutor::give(const executor::Work& frame, const Blob& blob) {
  if (!alive_) return;
  Work work;
  work.job = world_.oracle.plan_of(frame.job);
  work.frame = frame;
  work.blob = blob;
  if (frame.position < position_ || frame.count == 0)
    violated("positions are given once", fmt::format("{} after {}", frame.position, position_));
  position_ = frame.position + frame.count;
  if (work.job == nullptr) return;  // forgotten meanwhile: it can only be a repetition
  socket_.emplace_back(std::move(work));
  wake(world_.random.exponential(10us));
}

std::uint64_t SimExecutor::lower_end(std::uint64_t end) {
  end_ = end;
  return std::max(end_, started_);
}

void SimExecutor::wake(nanoseconds after) {
  if (busy_ || !alive_) return;
  busy_ = true;
  world_.events.after(after, [self = shared_from_this()] {
    self->busy_ = false;
    if (self->alive_) self->go();
  });
}

// The next Work becomes what is worked on; false if none waits.
bool SimExecutor::take_incoming() {
  while (queue_.empty() && !socket_.empty()) {
    Incoming incoming = std::move(socket_.front());
    socket_.pop_front();
    if (const auto* bind = std::get_if<executor::Bind>(&incoming)) {
      passing_over_ = false;
      bound_.insert(bind->job);
    } else if (const auto* forget = std::get_if<executor::Forget>(&incoming)) {
      bound_.erase(forget->job);
    } else {
      Work& work = std::get<Work>(incoming);
      if (passing_over_) continue;
      if (bound_.count(work.frame.job) == 0)
        violated("executors know the jobs of their work", work.job->key);
      for (std::uint32_t i = 0; i < work.frame.skip; ++i)
        if (!take_tuple(work.blob.view(), work.at, *work.job,
                        world_.oracle.tuple_of(work.job->ordinal,
                                               work.frame.first.value - work.frame.skip + i)))
          violated("executors are given the tuples of their tasks",
                   fmt::format("{} skipping before {}", work.job->key, work.frame.first.value));
      queue_.push_back(std::move(work));
    }
  }
  return !queue_.empty();
}

void SimExecutor::go() {
  nanoseconds spent{};
  while (spent < kBurst && take_incoming()) {
    Work& work = queue_.front();
    const std::uint64_t position = work.frame.position + work.next;
    const std::uint64_t index = work.frame.first.value + work.next;
    if (end_ <= position) {
      stop_at(position);
      return;
    }
    started_ = position + 1;
    if (!take_tuple(work.blob.view(), work.at, *work.job,
                    world_.oracle.tuple_of(work.job->ordinal, index)))
      violated("executors are given the tuples of their tasks",
               fmt::format("{} task {}", work.job->key, index));
    const std::uint32_t crashed = world_.oracle.crashed_before(work.job->ordinal, index);
    execution_ =
        world_.oracle.task_starts(instance_, work.job->ordinal, index, code_of(work.frame.token));
    const Behaviour behaviour = work.job->behaviour(index);
    const nanoseconds takes = work.job->duration(index);
    const bool crashes =
        behaviour == Behaviour::kCrashes || (behaviour == Behaviour::kCrashesOnce && crashed == 0);
    if (takes < kShort && !crashes) {
      spent += takes + 1ns;
      end_task(work, takes);
      continue;
    }
    running_ = busy_ = true;
    world_.events.after(spent + (crashes ? takes / 2 : takes),
                        [self = shared_from_this(), crashes, takes] {
                          if (!self->alive_) return;
                          self->busy_ = self->running_ = false;
                          if (crashes) {
                            self->running_ = true;
                            self->kill(11, RunState::kCrashed);
                            return;
                          }
                          self->end_task(self->queue_.front(), takes);
                          self->go();
                        });
    return;
  }
  if (spent > nanoseconds(0)) {
    wake(spent);
    return;
  }
  flush();
}

void SimExecutor::begin_report(const Work& work, Outcome outcome) {
  const TaskIndex index = work.frame.first + work.next;
  if (report_ && report_->outcome != outcome) close_report();
  if (report_) {
    ++report_->tasks.count;
    return;
  }
  report_.emplace();
  report_->job = work.job;
  report_->position = work.frame.position + work.next;
  report_->tasks = {index, 1};
  report_->token = code_of(work.frame.token);
  report_->outcome = outcome;
}

void SimExecutor::end_task(Work& work, nanoseconds took) {
  const std::uint64_t index = work.frame.first.value + work.next;
  const std::uint64_t token = code_of(work.frame.token);
  const std::uint32_t ordinal = work.job->ordinal;
  const Behaviour behaviour = work.job->behaviour(index);
  const bool fails =
      behaviour == Behaviour::kFails ||
      (behaviour == Behaviour::kFailsOnce && world_.oracle.failed_before(ordinal, index) == 0);
  begin_report(work, fails ? Outcome::kFailed : Outcome::kSucceeded);
  if (fails) {
    Failure failure;
    failure.code = ErrorCode::kFunctionFailed;
    failure.message = failure_text(*work.job, index, token);
    report_->failures.push_back(std::move(failure));
  } else {
    append_value(report_->values, *work.job, index, {token, execution_});
  }
  world_.oracle.task_ends(ordinal, index, token, fails ? RunState::kFailed : RunState::kSucceeded);
  report_->run += took;
  unsent_ += took;
  finished_ = started_;
  if (++work.next == work.frame.count) {
    close_report();
    queue_.pop_front();
  }
  if (unsent_ >= limits::kResultFlushTime) flush();
}

void SimExecutor::close_report() {
  if (!report_) return;
  ResultColumns columns;
  columns.failures = std::move(report_->failures);
  DoneFrame frame;
  frame.done.position = report_->position;
  frame.done.count = report_->tasks.count;
  frame.done.outcome = report_->outcome;
  frame.done.values_bytes = report_->values.size();
  frame.done.run_ns = static_cast<std::uint64_t>(report_->run.count());
  append_columns(report_->values, columns);
  frame.blob = Blob::from(std::move(report_->values));
  frame.ordinal = report_->job->ordinal;
  frame.tasks = report_->tasks;
  frame.token = report_->token;
  report_.reset();
  closed_.push_back(std::move(frame));
}

void SimExecutor::flush() {
  close_report();
  unsent_ = nanoseconds(0);
  for (DoneFrame& frame : std::exchange(closed_, {})) agent_.send(std::move(frame));
}

void SimExecutor::stop_at(std::uint64_t position) {
  flush();
  queue_.clear();
  socket_.clear();
  bound_.clear();
  passing_over_ = true;
  agent_.send(executor::Stopped{position});
}

void SimExecutor::kill(int signal, RunState state) {
  if (!alive_) return;
  alive_ = false;
  if (running_) {
    const Work& work = queue_.front();
    world_.oracle.task_ends(work.job->ordinal, work.frame.first.value + work.next,
                            code_of(work.frame.token), state);
  }
  // What it had done and not said happened, and nobody will ever know.
  const auto lose = [&](std::uint32_t ordinal, IndexRange tasks, std::uint64_t token) {
    for (TaskIndex at = tasks.first; at < tasks.end(); at = at + 1)
      world_.oracle.task_ends(ordinal, at.value, token, RunState::kLost);
  };
  if (report_) lose(report_->job->ordinal, report_->tasks, report_->token);
  for (const DoneFrame& frame : closed_) lose(frame.ordinal, frame.tasks, frame.token);
  agent_.died(signal);
}

}  // namespace fanmill::sim
