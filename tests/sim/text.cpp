#include "tests/sim/text.hpp"

#include <fmt/format.h>

#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {

std::uint32_t id(JobId job) { return static_cast<std::uint32_t>(job.value); }
std::string range(TaskIndex first, std::uint64_t count) {
  return fmt::format("[{},{})", first.value, first.value + count);
}
std::string ranges(const std::vector<IndexRange>& all) {
  std::string text;
  for (const IndexRange& one : all) text += range(one.first, one.count);
  return text;
}
std::string credit(Credit c) { return fmt::format("credit {}/{}", c.tasks, c.bytes); }

struct Text {
  std::string operator()(const ProducerHello& m) const {
    return fmt::format("ProducerHello attempt {}", m.attempt);
  }
  std::string operator()(const ProducerHeartbeat&) const { return "ProducerHeartbeat"; }
  std::string operator()(const Goodbye&) const { return "Goodbye"; }
  std::string operator()(const OpenJob& m) const { return "OpenJob " + m.key; }
  std::string operator()(const Submit& m) const {
    return fmt::format("Submit {} {}", id(m.job), range(m.first, m.count));
  }
  std::string operator()(const CloseJob& m) const {
    return fmt::format("CloseJob {} total {}", id(m.job), m.total);
  }
  std::string operator()(const Gather& m) const {
    return fmt::format("Gather {} from {}, window {}", id(m.job), m.cursor, m.window_bytes);
  }
  std::string operator()(const GatherAck& m) const {
    return fmt::format("GatherAck {} {}", id(m.job), m.cursor);
  }
  std::string operator()(const CancelJob& m) const {
    return fmt::format("CancelJob {}", id(m.job));
  }
  std::string operator()(const WorkerHello& m) const {
    std::string text =
        fmt::format("WorkerHello attempt {}, {} slots, {}", m.attempt, m.slots, credit(m.credit));
    for (const Claim& claim : m.claims)
      text += fmt::format(" t{}{}", code_of(claim.token), ranges(claim.unfinished));
    return text;
  }
  std::string operator()(const WorkerHeartbeat& m) const {
    std::string text = fmt::format("WorkerHeartbeat seen {} sent {} held {} {}", m.leases_seen,
                                   m.reports_sent, m.held_count, credit(m.credit));
    for (const RunningTask& task : m.running)
      text +=
          fmt::format(" running {}:{} t{}", id(task.job), task.index.value, code_of(task.token));
    if (m.list_attached) text += " list";
    for (const AttemptToken token : m.held) text += fmt::format(" t{}", code_of(token));
    if (m.draining) text += " draining";
    return text;
  }
  std::string operator()(const Results& m) const {
    return fmt::format("Results #{} {} {} t{} outcome {}", m.report, id(m.job),
                       range(m.first, m.count), code_of(m.token), static_cast<int>(m.outcome));
  }
  std::string operator()(const Returned& m) const {
    return fmt::format("Returned #{} {} {} t{}{} recall {}", m.report, id(m.job), ranges(m.ranges),
                       code_of(m.token), m.unbound ? " unbound" : "", m.recall);
  }
  std::string operator()(const ProducerWelcome& m) const {
    return fmt::format("ProducerWelcome attempt {}", m.attempt);
  }
  std::string operator()(const JobOpened& m) const {
    return fmt::format("JobOpened {} {} next {} {}", m.key, id(m.job), m.next_index,
                       credit(m.credit));
  }
  std::string operator()(const Accepted& m) const {
    return fmt::format("Accepted {} next {}{} {}", id(m.job), m.next_index,
                       m.closed ? " closed" : "", credit(m.credit));
  }
  std::string operator()(const Rows& m) const {
    return fmt::format("Rows {} at {} next {} {} of {} t{} outcome {}", id(m.job), m.position,
                       m.next, range(m.first, m.count), range(m.batch_first, m.batch_count),
                       code_of(m.token), static_cast<int>(m.outcome));
  }
  std::string operator()(const JobStatus& m) const {
    return fmt::format("JobStatus {} {}/{} waiting for {}", id(m.job), m.counts.terminal(),
                       m.counts.accepted, static_cast<int>(m.waiting_for));
  }
  std::string operator()(const JobEvent& m) const {
    return fmt::format("JobEvent {} task {} attempt {} of {}", id(m.job), m.index.value, m.attempt,
                       m.limit);
  }
  std::string operator()(const JobEnded& m) const { return fmt::format("JobEnded {}", id(m.job)); }
  std::string operator()(const Refused& m) const {
    return fmt::format("Refused {} {} {}: {}", m.key, id(m.job), name_of(m.code), m.message);
  }
  std::string operator()(const HeartbeatReply& m) const {
    return m.list_wanted ? "HeartbeatReply, list wanted" : "HeartbeatReply";
  }
  std::string operator()(const UnknownSession&) const { return "UnknownSession"; }
  std::string operator()(const Ask& m) const {
    return fmt::format("Ask #{} topic {} {}", m.request, static_cast<int>(m.topic), m.selector);
  }
  std::string operator()(const Steer& m) const {
    std::string text = fmt::format("Steer #{} action {}", m.request, static_cast<int>(m.action));
    for (const JobId job : m.jobs) text += fmt::format(" {}", id(job));
    return text;
  }
  std::string operator()(const Push& m) const {
    return fmt::format("Push {} {} sequence {} count {}", id(m.job), m.key, m.sequence, m.count);
  }
  std::string operator()(const Answer& m) const { return fmt::format("Answer #{}", m.request); }
  std::string operator()(const RowsEnded& m) const {
    return fmt::format("RowsEnded {} at {}", id(m.job), m.cursor);
  }
  std::string operator()(const Pushed& m) const {
    return fmt::format("Pushed {} {} sequence {} next {} {}", id(m.job), m.key, m.sequence,
                       m.next_index, credit(m.room));
  }
  std::string operator()(const WorkerWelcome& m) const {
    std::string text = fmt::format("WorkerWelcome attempt {}, keep", m.attempt);
    for (const AttemptToken token : m.keep) text += fmt::format(" t{}", code_of(token));
    return text;
  }
  std::string operator()(const Lease& m) const {
    return fmt::format("Lease #{} {} {} t{} skip {} attempt {}{}", m.lease, id(m.job),
                       range(m.first, m.count), code_of(m.token), m.skip, m.attempt,
                       m.spec.empty() ? "" : " with spec");
  }
  std::string operator()(const ReportsTaken& m) const {
    return fmt::format("ReportsTaken {}", m.report);
  }
  std::string operator()(const Recall& m) const {
    return fmt::format("Recall #{} {} up to {}", m.recall, id(m.job), m.count);
  }
  std::string operator()(const StopJob& m) const {
    return fmt::format("StopJob {} grace {}", id(m.job), m.grace_ms);
  }
};

}  // namespace

std::string text_of(const FromProducer& message) { return std::visit(Text{}, message); }
std::string text_of(const FromWorker& message) { return std::visit(Text{}, message); }
std::string text_of(const ToProducer& message) { return std::visit(Text{}, message); }
std::string text_of(const ToWorker& message) { return std::visit(Text{}, message); }

}  // namespace fanmill::sim
