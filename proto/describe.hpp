// The fields of every message, in their order on the wire. PROTOCOL.md repeats them for people;
// the golden bytes of the tests hold both to it.
#pragma once

#include "proto/fields.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace fanmill {

// Of "name@host".
inline constexpr std::size_t kWorkerTextMax = 2 * limits::kNameBytesMax + 1;

// ---- parts ----
template <class A, wire::Of<Block> M>
void describe(A& a, M& m) {
  a(m.tuples, m.bytes);
}
template <class A, wire::Of<IndexRange> M>
void describe(A& a, M& m) {
  a(m.first, m.count);
}
template <class A, wire::Of<AttemptToken> M>
void describe(A& a, M& m) {
  a(m.epoch, m.counter);
}
template <class A, wire::Of<Credit> M>
void describe(A& a, M& m) {
  a(m.tasks, m.bytes);
}
template <class A, wire::Of<FunctionOffer> M>
void describe(A& a, M& m) {
  a(m.name, wire::at_most(m.signature, limits::kSignatureBytesMax));
}
template <class A, wire::Of<EnvironmentVariable> M>
void describe(A& a, M& m) {
  a(m.name, wire::at_most(m.value, limits::kArgumentBytesMax), m.placeholders);
}
template <class A, wire::Of<JobSpec> M>
void describe(A& a, M& m) {
  a(m.function, wire::at_most(m.argv, limits::kTupleElementsMax, limits::kArgumentBytesMax),
    wire::at_most(m.names, limits::kTupleElementsMax), m.time_limit_ms, m.max_output,
    wire::at_most(m.shell, limits::kArgumentBytesMax),
    wire::at_most(m.chdir, limits::kArgumentBytesMax), wire::at_most(m.env, limits::kVariablesMax),
    wire::at_most(m.input, 1, limits::kArgumentBytesMax), m.time_limit_percent, m.group,
    m.at_most_once);
}
template <class A, wire::Of<Label> M>
void describe(A& a, M& m) {
  a(m.name, m.value);
}
template <class A, wire::Of<HaltPolicy> M>
void describe(A& a, M& m) {
  a(m.on, m.count, m.percent, m.beyond, m.now);
}
template <class A, wire::Of<JobOptions> M>
void describe(A& a, M& m) {
  a(m.spec, m.name, m.priority, m.retries, m.crash_limit, m.rows_with_tuples,
    m.forget_when_delivered, m.wait_workers_ms, wire::at_most(m.where, limits::kLabelsMax),
    m.keep_ms, m.named_key, wire::at_most(m.halt, limits::kHaltPoliciesMax));
}
template <class A, wire::Of<RunningTask> M>
void describe(A& a, M& m) {
  a(m.job, m.token, m.index);
}
template <class A, wire::Of<Claim> M>
void describe(A& a, M& m) {
  a(m.job, m.token, m.unfinished);
}
template <class A, wire::Of<JobCounts> M>
void describe(A& a, M& m) {
  a(m.accepted, m.running, m.succeeded, m.failed, m.dead_lettered, m.cancelled);
}

// ---- both roles → broker ----
template <class A, wire::Of<Goodbye> M>
void describe(A& a, M&) {
  a();
}

// ---- producer → broker ----
template <class A, wire::Of<ProducerHello> M>
void describe(A& a, M& m) {
  a(m.instance, m.attempt, m.host, m.pid, m.user);
}
template <class A, wire::Of<ProducerHeartbeat> M>
void describe(A& a, M&) {
  a();
}
template <class A, wire::Of<OpenJob> M>
void describe(A& a, M& m) {
  a(m.key, m.options);
}
template <class A, wire::Of<Submit> M>
void describe(A& a, M& m) {
  a(m.job, m.first, m.count, wire::at_most(m.blocks, limits::kChunkBlocksMax));
}
template <class A, wire::Of<CloseJob> M>
void describe(A& a, M& m) {
  a(m.job, m.total);
}
template <class A, wire::Of<Gather> M>
void describe(A& a, M& m) {
  a(m.job, m.order, m.cursor, m.window_bytes);
}
template <class A, wire::Of<GatherAck> M>
void describe(A& a, M& m) {
  a(m.job, m.cursor);
}
template <class A, wire::Of<CancelJob> M>
void describe(A& a, M& m) {
  a(m.job, m.grace_ms);
}
template <class A, wire::Of<Ask> M>
void describe(A& a, M& m) {
  a(m.request, m.topic, m.selector);
}
template <class A, wire::Of<Steer> M>
void describe(A& a, M& m) {
  a(m.request, wire::at_most(m.jobs, limits::kJobsSteeredMax), m.action, m.grace_ms, m.outcomes);
}
template <class A, wire::Of<Push> M>
void describe(A& a, M& m) {
  a(m.job, m.key, m.sequence, m.count, wire::at_most(m.blocks, limits::kChunkBlocksMax));
}

// ---- worker → broker ----
template <class A, wire::Of<WorkerHello> M>
void describe(A& a, M& m) {
  a(m.instance, m.attempt, m.name, m.host, m.pid, m.slots,
    wire::at_most(m.offers, limits::kFunctionsMax), m.credit, m.claims,
    wire::at_most(m.labels, limits::kLabelsMax), m.version);
}
template <class A, wire::Of<WorkerHeartbeat> M>
void describe(A& a, M& m) {
  a(m.credit, m.leases_seen, m.reports_sent, m.held_count, m.held_digest,
    wire::at_most(m.running, limits::kRunningNamedMax), m.draining, m.list_attached, m.held,
    m.number);
}
template <class A, wire::Of<Results> M>
void describe(A& a, M& m) {
  a(m.report, m.job, m.token, m.first, m.count, m.outcome, m.values_bytes, m.run_ns, m.credit);
}
template <class A, wire::Of<Returned> M>
void describe(A& a, M& m) {
  a(m.report, m.job, m.token, m.ranges, m.unbound, m.recall, m.credit);
}

// ---- broker → producer ----
template <class A, wire::Of<ProducerWelcome> M>
void describe(A& a, M& m) {
  a(m.instance, m.attempt, m.heartbeat_ms);
}
template <class A, wire::Of<JobOpened> M>
void describe(A& a, M& m) {
  a(m.key, m.job, m.next_index, m.closed, m.credit, m.accepted_bytes,
    wire::at_most(m.signature, limits::kSignatureBytesMax), m.durability, m.tuples_digest);
}
template <class A, wire::Of<Accepted> M>
void describe(A& a, M& m) {
  a(m.job, m.next_index, m.closed, m.credit);
}
template <class A, wire::Of<Rows> M>
void describe(A& a, M& m) {
  a(m.job, m.position, m.next, m.batch_first, m.batch_count, m.first, m.count, m.outcome,
    m.dead_lettered, m.token, m.attempt, wire::at_most(m.worker, kWorkerTextMax), m.values_bytes,
    m.run_ns, m.tuples_bytes, m.tuples_skip, m.round);
}
template <class A, wire::Of<JobStatus> M>
void describe(A& a, M& m) {
  a(m.job, m.counts, m.workers, m.slots, m.waiting_for, m.waiting_index);
}
template <class A, wire::Of<JobEvent> M>
void describe(A& a, M& m) {
  a(m.job, m.index, m.outcome, m.attempt, m.limit, wire::at_most(m.worker, kWorkerTextMax));
}
template <class A, wire::Of<JobEnded> M>
void describe(A& a, M& m) {
  a(m.job, m.counts, wire::clipped(m.halted, limits::kFailureMessageMax), m.rounds);
}
template <class A, wire::Of<Refused> M>
void describe(A& a, M& m) {
  a(m.key, m.job, m.code, wire::clipped(m.message, limits::kFailureMessageMax), m.request);
}
template <class A, wire::Of<HeartbeatReply> M>
void describe(A& a, M& m) {
  a(m.list_wanted, m.number, m.full);
}
template <class A, wire::Of<UnknownSession> M>
void describe(A& a, M&) {
  a();
}
template <class A, wire::Of<Answer> M>
void describe(A& a, M& m) {
  a(m.request);
}
template <class A, wire::Of<RowsEnded> M>
void describe(A& a, M& m) {
  a(m.job, m.cursor, m.counts);
}
template <class A, wire::Of<Pushed> M>
void describe(A& a, M& m) {
  a(m.job, m.key, m.sequence, m.next_index, m.room, m.tasks);
}

// ---- broker → worker ----
template <class A, wire::Of<WorkerWelcome> M>
void describe(A& a, M& m) {
  a(m.instance, m.attempt, m.heartbeat_ms, m.lease_ms, m.keep);
}
template <class A, wire::Of<Lease> M>
void describe(A& a, M& m) {
  a(m.lease, m.job, m.token, m.first, m.count, m.skip, m.attempt,
    wire::at_most(m.blocks, limits::kChunkBlocksMax), wire::at_most(m.spec, 1));
}
template <class A, wire::Of<ReportsTaken> M>
void describe(A& a, M& m) {
  a(m.report);
}
template <class A, wire::Of<Recall> M>
void describe(A& a, M& m) {
  a(m.recall, m.job, m.count);
}
template <class A, wire::Of<StopJob> M>
void describe(A& a, M& m) {
  a(m.job, m.grace_ms);
}

}  // namespace fanmill
