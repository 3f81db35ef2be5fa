#include "tests/unit/broker/duty_text.hpp"

#include <fmt/format.h>

namespace fanmill::broker {
namespace {

std::uint32_t short_of(JobId job) { return static_cast<std::uint32_t>(job.value); }

std::string text(TaskIndex first, std::uint64_t count) {
  return fmt::format("[{},{})", first.value, first.value + count);
}

std::string text(const std::vector<IndexRange>& ranges) {
  std::string all;
  for (const IndexRange& range : ranges) all += text(range.first, range.count);
  return all;
}

const char* text(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSucceeded:
      return "succeeded";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kCrashed:
      return "crashed";
    case Outcome::kTimeLimit:
      return "time-limit";
    case Outcome::kWorkerLost:
      return "worker-lost";
    case Outcome::kCancelled:
      return "cancelled";
  }
  return "?";
}

const char* text(WaitingFor waiting) {
  switch (waiting) {
    case WaitingFor::kNothing:
      return "nothing";
    case WaitingFor::kReader:
      return "reader";
    case WaitingFor::kSlowTask:
      return "task";
    case WaitingFor::kWorkers:
      return "workers";
    case WaitingFor::kProducer:
      return "producer";
    case WaitingFor::kPaused:
      return "paused";
  }
  return "?";
}

std::string text(const JobCounts& c) {
  std::string all = fmt::format("{}/{}", c.terminal(), c.accepted);
  if (c.failed > 0) all += fmt::format(" failed {}", c.failed);
  if (c.dead_lettered > 0) all += fmt::format(" dead-lettered {}", c.dead_lettered);
  if (c.cancelled > 0) all += fmt::format(" cancelled {}", c.cancelled);
  if (c.running > 0) all += fmt::format(" running {}", c.running);
  return all;
}

struct WriteText {
  std::string operator()(const PutJob& w) const {
    return fmt::format("put-job {} {} key={}", short_of(w.job), w.options.spec.function, w.key);
  }
  std::string operator()(const PutChunk& w) const {
    return fmt::format("put-chunk {} {}", short_of(w.job), text(w.first, w.count));
  }
  std::string operator()(const PutClose& w) const {
    return fmt::format("put-close {} total={}", short_of(w.job), w.total);
  }
  std::string operator()(const PutRecord& w) const {
    std::string line = fmt::format("put-record {} r{} {} {}", short_of(w.job), w.record.value,
                                   text(w.valid), text(w.outcome));
    if (w.dead_lettered) line += " dead-lettered";
    if (w.attempt > 1) line += fmt::format(" attempt={}", w.attempt);
    if (!w.worker.empty()) line += fmt::format(" by {}", w.worker);
    return line;
  }
  std::string operator()(const PutState& w) const {
    return fmt::format("put-state {}{}{}{} horizon={}", short_of(w.job),
                       w.cancelled ? " cancelled" : "", w.held ? " held" : "",
                       w.order ? fmt::format(" order={}", static_cast<int>(*w.order)) : "",
                       w.horizon.value);
  }
  std::string operator()(const PutCharge& w) const {
    const std::string refunded = w.refunded == 0 ? "" : fmt::format(" refunded={}", w.refunded);
    return fmt::format("put-charge {} task {} failures={} crashes={} losses={}{} t{}",
                       short_of(w.job), w.index.value, w.failures, w.crashes, w.losses, refunded,
                       w.token.counter);
  }
  std::string operator()(const PutPush& w) const {
    return fmt::format("put-push {} {} sequence={}", short_of(w.job), w.key, w.sequence);
  }
  std::string operator()(const PutDealt& w) const {
    return fmt::format("put-dealt {} {} {}", short_of(w.job), w.index.value,
                       w.out ? "out" : "back");
  }
  std::string operator()(const PutRound& w) const {
    return fmt::format("put-round {} {} {} t{}", short_of(w.job), w.round, text(w.tasks),
                       w.token.counter);
  }
  std::string operator()(const DropChunk& w) const {
    return fmt::format("drop-chunk {} {}", short_of(w.job), w.first.value);
  }
  std::string operator()(const DropRecord& w) const {
    return fmt::format("drop-record {} r{}", short_of(w.job), w.record.value);
  }
  std::string operator()(const DropJob& w) const {
    return fmt::format("drop-job {}", short_of(w.job));
  }
};

struct MessageText {
  std::string operator()(const ProducerWelcome& m) const {
    return fmt::format("welcome attempt={}", m.attempt);
  }
  std::string operator()(const JobOpened& m) const {
    return fmt::format("opened {} next={}{}", short_of(m.job), m.next_index,
                       m.closed ? " closed" : "");
  }
  std::string operator()(const Accepted& m) const {
    return fmt::format("accepted {} next={}{}", short_of(m.job), m.next_index,
                       m.closed ? " closed" : "");
  }
  std::string operator()(const Rows& m) const {
    std::string line = fmt::format("rows {} at={} {} {}", short_of(m.job), m.position,
                                   text(m.first, m.count), text(m.outcome));
    if (m.dead_lettered) line += " dead-lettered";
    if (m.attempt > 1) line += fmt::format(" attempt={}", m.attempt);
    if (m.tuples_bytes > 0)
      line += fmt::format(" tuples={}b skip={}", m.tuples_bytes, m.tuples_skip);
    return line;
  }
  std::string operator()(const JobStatus& m) const {
    std::string line = fmt::format("status {} {}", short_of(m.job), text(m.counts));
    if (m.waiting_for != WaitingFor::kNothing)
      line += fmt::format(" waiting-for={}", text(m.waiting_for));
    if (m.waiting_for == WaitingFor::kSlowTask) line += fmt::format(" {}", m.waiting_index.value);
    return line;
  }
  std::string operator()(const JobEvent& m) const {
    return fmt::format("event {} task {} {} {} of {} at {}", short_of(m.job), m.index.value,
                       text(m.outcome), m.attempt, m.limit, m.worker);
  }
  std::string operator()(const JobEnded& m) const {
    return fmt::format("ended {} {}{}{}", short_of(m.job), text(m.counts),
                       m.halted.empty() ? "" : " halted: ", m.halted);
  }
  std::string operator()(const Refused& m) const {
    return fmt::format("refused {}: {}", name_of(m.code), m.message);
  }
  std::string operator()(const HeartbeatReply& m) const {
    return std::string("heartbeat-reply") + (m.list_wanted ? " list-wanted" : "") +
           (m.full ? " full" : "");
  }
  std::string operator()(const UnknownSession&) const { return "unknown-session"; }
  std::string operator()(const Answer& m) const { return fmt::format("answer #{}", m.request); }
  std::string operator()(const RowsEnded& m) const {
    return fmt::format("rows-ended {} at={} {}", short_of(m.job), m.cursor, text(m.counts));
  }
  std::string operator()(const Pushed& m) const {
    return fmt::format("pushed {} {} sequence={} next={} room={}/{}b tasks={}", short_of(m.job),
                       m.key, m.sequence, m.next_index, m.room.tasks, m.room.bytes, m.tasks);
  }
  std::string operator()(const WorkerWelcome& m) const {
    std::string line = fmt::format("welcome attempt={}", m.attempt);
    for (const AttemptToken& token : m.keep) line += fmt::format(" keep=t{}", token.counter);
    return line;
  }
  std::string operator()(const Lease& m) const {
    std::string line =
        fmt::format("lease {} {} t{}", short_of(m.job), text(m.first, m.count), m.token.counter);
    if (m.skip > 0) line += fmt::format(" skip={}", m.skip);
    if (m.attempt > 1) line += fmt::format(" attempt={}", m.attempt);
    if (!m.spec.empty()) line += " with-spec";
    return line;
  }
  std::string operator()(const ReportsTaken& m) const {
    return fmt::format("reports-taken {}", m.report);
  }
  std::string operator()(const Recall& m) const {
    return fmt::format("recall {} of {} up-to={}", m.recall, short_of(m.job), m.count);
  }
  std::string operator()(const StopJob& m) const {
    return fmt::format("stop-job {} grace={}ms", short_of(m.job), m.grace_ms);
  }
};

}  // namespace

std::string text_of(const StoreWrite& write) { return std::visit(WriteText{}, write); }
std::string text_of(const ToProducer& message) { return std::visit(MessageText{}, message); }
std::string text_of(const ToWorker& message) { return std::visit(MessageText{}, message); }

}  // namespace fanmill::broker
