#include "worker/agent_core.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "worker/dealer.hpp"
#include "worker/departure.hpp"
#include "worker/lease_book.hpp"
#include "worker/mutation.hpp"
#include "worker/report_queue.hpp"
#include "worker/session.hpp"

namespace fanmill::worker {
namespace {

// A drained worker waits so long for a broker that takes its last reports.
constexpr nanoseconds kFarewellWait = limits::kLeaseDuration;

void sooner(std::optional<MonoTime>& at, std::optional<MonoTime> other) {
  if (other && (!at || *other < *at)) at = other;
}

}  // namespace

struct AgentCore::State {
  State(AgentConfig config, MonoTime now)
      : book(config.window),
        dealer(config.slots, book, reports, now),
        departure(config.idle_timeout, config.time_limit, now),
        session(std::move(config), now) {}

  LeaseBook book;
  ReportQueue reports;
  Dealer dealer;
  Departure departure;
  Session session;
  bool draining = false;
  bool leaves_at_once = false;
  bool finished = false;
  std::optional<MonoTime> farewell_by;  // drained, but reports are not taken

  Session::Facts facts();
  std::vector<Claim> claims();
  void say_hello(AgentDuties& out, MonoTime now);
  void see_about_leaving(AgentDuties& out, MonoTime now);
  void see_about_the_end(AgentDuties& out, MonoTime now);
  void drain();

  void on(const BrokerConnected&, MonoTime now) { session.connected(now); }
  void on(const BrokerLost&, MonoTime now) { session.lost(now); }
  void on(const BrokerMessage& event, MonoTime now);
  void on(const ExecutorReady& event, MonoTime) {
    dealer.on_ready(event);
    session.offers_are(dealer.offers(), dealer.all_ready_once());
  }
  void on(const ExecutorDone& event, MonoTime now) { dealer.on_done(event, now); }
  void on(const ExecutorStopped& event, MonoTime) { dealer.on_stopped(event); }
  void on(const ExecutorFreed& event, MonoTime) { dealer.on_freed(event); }
  void on(const ExecutorProgress& event, MonoTime now) { dealer.on_progress(event, now); }
  void on(const ExecutorDied& event, MonoTime now) { dealer.on_died(event, now); }
  void on(const DrainRequested&, MonoTime) { drain(); }
  void on(const LeaveAtOnce&, MonoTime) { leaves_at_once = true; }
  void on(const Tick&, MonoTime) {}

  void hear(const WorkerWelcome&, const Blob&, MonoTime) {}
  void hear(const Lease& lease, const Blob& blob, MonoTime now) {
    const bool fresh = session.lease_is_fresh(lease.lease);
    if (!fresh && !mutated(Mutation::kRepeatLease)) return;
    if (!dealer.on_lease(lease, blob)) session.lost(now);
  }
  void hear(const ReportsTaken& taken, const Blob&, MonoTime now) {
    if (!reports.taken(taken.report, now)) session.lost(now);
  }
  void hear(const Recall& recall, const Blob&, MonoTime) { dealer.on_recall(recall); }
  void hear(const StopJob& stop, const Blob&, MonoTime now) { dealer.on_stop_job(stop, now); }
  void hear(const HeartbeatReply&, const Blob&, MonoTime) {}
  void hear(const UnknownSession&, const Blob&, MonoTime) {}
  void hear(const Refused&, const Blob&, MonoTime) {}
};

void AgentCore::State::on(const BrokerMessage& event, MonoTime now) {
  switch (session.receive(event.envelope, now)) {
    case Session::Arrival::kNothing:
      return;
    case Session::Arrival::kWelcomed:
      dealer.on_kept(std::get<WorkerWelcome>(event.envelope.message).keep);
      if (mutated(Mutation::kForgetReports)) reports.forget_all();
      reports.begin_session();
      return;
    case Session::Arrival::kMessage:
      std::visit([&](const auto& message) { hear(message, event.blob, now); },
                 event.envelope.message);
      return;
  }
}

Session::Facts AgentCore::State::facts() {
  std::uint64_t count = book.held_count();
  std::uint64_t digest = book.held_digest();
  if (mutated(Mutation::kDigestDropsOne) && count > 0) {
    --count;
    digest ^= digest_of(book.held().front());
  }
  return {.credit = book.credit(),
          .reports_sent = reports.last(),
          .held_count = count,
          .held_digest = digest,
          .running = [this] { return dealer.running(); },
          .held = [this] { return book.held(); },
          .claims = [this] { return claims(); }};
}

// A task counts as unfinished until the broker has taken its report: else it would be leased again
// before the report arrives.
std::vector<Claim> AgentCore::State::claims() {
  auto all = reports.unfinished();
  for (const HeldLease* lease : book.leases()) {
    if (!lease->kept) continue;
    auto& of = all[lease->token];
    of.job = lease->job->id;
    for (const IndexRange& range : lease->unreported.ranges()) of.tasks.add(range);
  }
  std::vector<Claim> claims;
  claims.reserve(all.size());
  for (const auto& [token, of] : all) claims.push_back({of.job, token, of.tasks.ranges()});
  return claims;
}

void AgentCore::State::say_hello(AgentDuties& out, MonoTime now) {
  book.begin_session();
  session.say_hello(facts(), out, now);
}

void AgentCore::State::drain() {
  if (std::exchange(draining, true)) return;
  dealer.drain();
  session.drain();
}

void AgentCore::State::see_about_leaving(AgentDuties& out, MonoTime now) {
  if (!departure.ever()) return;
  const bool idle = dealer.idle() && reports.unacknowledged() == 0;
  const auto leave = departure.at({.idle = idle, .a_task_takes = dealer.longest_expected()}, now);
  if (leave == Departure::Leave::kNotYet) return;
  if (!draining) out.drains_because = Departure::reason(leave);
  drain();
  if (leave == Departure::Leave::kAtOnce) dealer.kill_what_runs();
}

// Drained: nothing is held and every report is taken, or nobody is there to take them.
void AgentCore::State::see_about_the_end(AgentDuties& out, MonoTime now) {
  if ((leaves_at_once || departure.is_over(now)) && !finished) {
    session.say_goodbye(out);
    finished = true;
  }
  if (!draining || finished || !dealer.idle()) return;
  if (reports.unacknowledged() != 0) {
    if (session.welcomed()) {
      farewell_by.reset();
    } else if (!farewell_by) {
      farewell_by = now + kFarewellWait;
    }
    if (!farewell_by || now < *farewell_by) return;
  }
  session.say_goodbye(out);
  finished = true;
}

AgentCore::AgentCore(AgentConfig config, MonoTime now)
    : state_(std::make_unique<State>(std::move(config), now)) {}
AgentCore::AgentCore(AgentCore&&) noexcept = default;
AgentCore::~AgentCore() = default;

void AgentCore::step(const Event& event, MonoTime now) {
  std::visit([&](const auto& it) { state_->on(it, now); }, event);
}

AgentDuties AgentCore::take_duties(MonoTime now) {
  State& s = *state_;
  AgentDuties out;
  s.see_about_leaving(out, now);
  const auto lease_valid = [&] { return s.session.lease_valid(now); };
  const auto reports_flow = [&] { return s.reports.bytes() < limits::kReportsUnackedBytesMax; };
  s.dealer.deal({.lease_valid = lease_valid(), .reports_flow = reports_flow()}, now);
  if (!s.finished) {
    if (s.session.hello_due(now)) s.say_hello(out, now);
    if (s.session.welcomed()) {
      const std::size_t before = out.send.size();
      s.reports.send(out.send, s.session.id(), s.book.credit(), now);
      if (out.send.size() != before) s.session.credit_sent(s.book.credit());
    }
    s.session.tend(s.facts(), out, now);
  }
  s.see_about_the_end(out, now);
  out.executors = s.dealer.take_duties();
  out.finished = s.finished;
  if (s.finished) return out;
  out.watch = s.dealer.watch();
  sooner(out.wake_at, s.dealer.wake_at());
  sooner(out.wake_at, s.session.wake_at());
  if (s.session.welcomed()) sooner(out.wake_at, s.reports.resend_at());
  if (lease_valid()) sooner(out.wake_at, s.session.valid_until());
  sooner(out.wake_at, s.farewell_by);
  sooner(out.wake_at, s.departure.wake_at());
  return out;
}

AgentCore::View AgentCore::view() const {
  const State& s = *state_;
  return {.connected = s.session.welcomed(),
          .queued_tasks = s.dealer.queued_tasks(),
          .held_leases = s.book.held_count(),
          .unacknowledged_reports = s.reports.unacknowledged(),
          .busy_slots = s.dealer.busy_slots()};
}

void AgentCore::check_invariants() const {
  state_->book.check_invariants();
  state_->dealer.check_invariants();
}

}  // namespace fanmill::worker
