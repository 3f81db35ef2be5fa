#include "broker/core/workers.hpp"

#include <algorithm>
#include <chrono>

#include "broker/core/claims.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/losses.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/recalls.hpp"
#include "broker/core/sink.hpp"

namespace fanmill::broker {
namespace {

std::uint64_t in_ms(nanoseconds time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

void welcome(World& world, const Worker& worker) {
  world.send_now(worker.peer, worker.session, ToWorker{worker.welcome});
}

// The session is over and its leases have gone elsewhere.
void forget_worker(World& world, Worker& worker) {
  world.unlist(worker);
  forget_offers(world, worker);
  const auto known = world.worker_of.find(worker.instance);
  if (known != world.worker_of.end() && known->second == worker.session)
    world.worker_of.erase(known);
  world.worker_at.erase(worker.session);
  world.workers.erase(worker.session);  // `worker` is gone
}

void release_all(World& world, Worker& worker) {
  world.unlist(worker);
  worker.gone = true;
  while (!worker.leases.empty()) release(world, worker, worker.leases.begin()->first);
}

// Silent for a whole lease: what it said it was running is charged, and everything goes back.
void lose(World& world, Worker& worker) {
  worker.gone = true;
  world.unlist(worker);
  world.expired_leases += worker.leases.size();
  if (mutated(Mutation::kForgetLostLeases)) {
    while (!worker.leases.empty()) {
      HeldLease& lease = worker.leases.begin()->second;
      shrink(world, worker, lease, std::vector<IndexRange>(lease.unfinished.ranges()));
    }
  }
  if (mutated(Mutation::kChargeUnstarted)) {
    worker.running.clear();
    for (const auto& [token, lease] : worker.leases)
      for (const IndexRange& range : lease.unfinished.ranges())
        for (TaskIndex at = range.first; at < range.end(); at = at + 1)
          worker.running.push_back({lease.job, lease.token, at});
  }
  lose_tasks(world, worker);
  release_all(world, worker);
  forget_worker(world, worker);
}

// A task that runs now and ran at the last heartbeat took the time between.
void charge_what_runs(World& world, Worker& worker, const std::vector<RunningTask>& running) {
  if (worker.running.empty() || running.empty()) return;
  std::vector<std::pair<AttemptToken, TaskIndex>> before;
  before.reserve(worker.running.size());
  for (const RunningTask& task : worker.running) before.emplace_back(task.token, task.index);
  std::sort(before.begin(), before.end());
  for (const RunningTask& task : running) {
    if (!std::binary_search(before.begin(), before.end(), std::pair(task.token, task.index)))
      continue;
    const auto it = worker.leases.find(task.token);
    Job* job = world.job(task.job);
    if (it == worker.leases.end() || it->second.job != task.job || job == nullptr) continue;
    charge_running(*job, it->second, world.now - worker.heartbeat);
    world.touch(*job);
  }
}

void move_claims(World& world, Worker& old, Worker& worker, const std::vector<Claim>& claims) {
  for (const Claim& claim : claims) {
    const auto it = old.leases.find(claim.token);
    if (it == old.leases.end() || it->second.job != claim.job) continue;
    worker.welcome.keep.push_back(claim.token);
    move_lease(world, old, worker, claim.token);
  }
  if (mutated(Mutation::kKeepUnclaimedLeases))
    while (!old.leases.empty()) move_lease(world, old, worker, old.leases.begin()->first);
}

// What the worker holds of the leases it has seen, as the broker believes.
struct Held {
  std::uint64_t count{};
  std::uint64_t digest{};
};
Held held_of(const Worker& worker, std::uint64_t leases_seen) {
  Held held{worker.leases.size(), worker.digest};
  for (auto it = worker.leases.rbegin();
       it != worker.leases.rend() && it->second.number > leases_seen; ++it) {
    --held.count;
    held.digest ^= digest_of(it->second.token);
  }
  return held;
}

// Of a lease that never came: the worker does not count it, so the broker must not either, or every
// lost message would use up credit for ever.
void refund_lost(World& world, Worker& worker, const HeldLease& lease) {
  if (lease.number == 0 || lease.reported) return;
  worker.used.tasks -= lease.unfinished.count();
  worker.used.bytes -= lease.bytes;
  worker.stuffed = false;
  world.touch(worker);
}

void release_lost(World& world, Worker& worker, AttemptToken token) {
  refund_lost(world, worker, worker.leases.at(token));
  release(world, worker, token);
}

// Leases that the worker has seen and does not name are lost on the way: they go back.
void return_unnamed(World& world, Worker& worker, const WorkerHeartbeat& heartbeat) {
  std::vector<AttemptToken> named = heartbeat.held;
  std::sort(named.begin(), named.end());
  std::vector<AttemptToken> lost;
  for (const auto& [token, lease] : worker.leases) {
    if (lease.number > heartbeat.leases_seen) break;
    if (!std::binary_search(named.begin(), named.end(), lease.token)) lost.push_back(token);
  }
  for (const AttemptToken token : lost) release_lost(world, worker, token);
}

// Leases that no heartbeat has named a whole lease after they were sent. A worker that has said
// nothing since may still find them among what waits for it: its own silence ends them.
void expire_unseen(World& world, Worker& worker) {
  std::vector<AttemptToken> expired;
  for (auto it = worker.leases.rbegin();
       it != worker.leases.rend() && it->second.number > worker.leases_seen; ++it) {
    const HeldLease& lease = it->second;
    const bool heard_since = worker.heartbeat >= lease.sent + world.config.lease_duration / 2;
    if (!lease.reported && heard_since && lease.sent + world.config.lease_duration <= world.now)
      expired.push_back(it->first);
  }
  world.expired_leases += expired.size();
  for (const AttemptToken token : expired) {
    refund_lost(world, worker, worker.leases.at(token));
    end_if_once(world, worker, token);  // it may still arrive there
    if (worker.leases.contains(token)) release(world, worker, token);
  }
}

}  // namespace

void take_credit(World& world, Worker& worker, Credit credit) {
  Credit grown{std::max(worker.credit.tasks, credit.tasks),
               std::max(worker.credit.bytes, credit.bytes)};
  if (mutated(Mutation::kCreditAsDelta))
    grown = {worker.credit.tasks + credit.tasks, worker.credit.bytes + credit.bytes};
  if (grown == worker.credit) return;
  worker.credit = grown;
  worker.stuffed = false;
  world.touch(worker);
}

void on_worker_hello(World& world, PeerId peer, const WorkerHello& hello) {
  const auto known = world.worker_of.find(hello.instance);
  Worker* old = known == world.worker_of.end() ? nullptr : world.worker(known->second);
  if (old != nullptr && old->attempt > hello.attempt) return;
  if (old != nullptr && old->attempt == hello.attempt) {
    old->heard = world.now;
    welcome(world, *old);
    return;
  }
  if (hello.slots == 0 || hello.slots > limits::kSlotsMax) {
    world.send_now(
        peer, {},
        ToWorker{Refused{{},
                         {},
                         ErrorCode::kLimit,
                         "a worker has 1 to " + std::to_string(limits::kSlotsMax) + " slots"}});
    return;
  }
  if (old == nullptr && world.producers.size() + world.workers.size() >= limits::kSessionsMax) {
    world.send_now(peer, {}, ToWorker{Refused{{}, {}, ErrorCode::kLimit, "too many sessions"}});
    return;
  }
  auto made = std::make_unique<Worker>();
  Worker& worker = *made;
  worker.session = world.next_session();
  worker.peer = peer;
  worker.instance = hello.instance;
  worker.attempt = hello.attempt;
  worker.ordinal = ++world.workers_joined;
  worker.name = hello.name;
  worker.host = hello.host;
  worker.label = hello.name == hello.host ? hello.name : hello.name + "@" + hello.host;
  worker.slots = hello.slots;
  worker.offers = hello.offers;
  worker.labels = hello.labels;
  worker.pid = hello.pid;
  worker.version = hello.version;
  worker.joined = world.now;
  worker.recorded_rate = MovingRate(world.now);
  worker.credit = hello.credit;
  worker.heard = world.now;
  worker.welcome = {hello.instance,
                    hello.attempt,
                    in_ms(world.config.heartbeat_interval),
                    in_ms(world.config.lease_duration),
                    {}};
  refund_losses(world, hello.instance);
  if (old != nullptr) {
    move_claims(world, *old, worker, hello.claims);
    release_all(world, *old);
    forget_worker(world, *old);
  }
  take_claims(world, worker, hello.claims);
  world.worker_of[hello.instance] = worker.session;
  world.timers.arm(world.now + world.config.lease_duration, TimerKind::kWorker,
                   worker.session.value);
  world.worker_at[worker.session] = &worker;
  world.workers[worker.session] = std::move(made);
  welcome(world, worker);
  take_offers(world, worker);
  world.touch(worker);
  recall_paused(world, worker);
  world.work_appeared = true;
  check_openings(world);
}

void on_worker_heartbeat(World& world, Worker& worker, const WorkerHeartbeat& heartbeat) {
  take_credit(world, worker, heartbeat.credit);
  charge_what_runs(world, worker, heartbeat.running);
  worker.heartbeat = world.now;
  worker.running = heartbeat.running;
  worker.draining = heartbeat.draining;
  if (heartbeat.leases_seen <= worker.leases_sent)
    worker.leases_seen = std::max(worker.leases_seen, heartbeat.leases_seen);
  // What it holds can be compared only when both speak of the same moment.
  bool list_wanted = false;
  if (heartbeat.reports_sent == worker.reports && !mutated(Mutation::kSkipDigestComparison)) {
    if (heartbeat.list_attached) {
      return_unnamed(world, worker, heartbeat);
    } else {
      const Held held = held_of(worker, heartbeat.leases_seen);
      list_wanted = held.count != heartbeat.held_count || held.digest != heartbeat.held_digest;
    }
  }
  world.send_now(worker.peer, worker.session,
                 ToWorker{HeartbeatReply{list_wanted, heartbeat.number}});
  for (const Share& share : worker.shares) {
    const Job* job = world.job(share.job);
    const bool over = job == nullptr || job->cancelled || job->stopped;
    if (over && share.leased > 0)
      world.send_after(
          worker.peer, worker.session,
          ToWorker{StopJob{share.job, job == nullptr ? 0 : job->grace_left_ms(world.now)}});
  }
  look_for_paused(world, worker, heartbeat);
  world.touch(worker);
}

void check_worker(World& world, SessionId session) {
  Worker* worker = world.worker(session);
  if (worker == nullptr) return;
  const MonoTime end = worker->heard + world.config.lease_duration;
  if (end <= world.now) {
    lose(world, *worker);
    return;
  }
  expire_unseen(world, *worker);
  MonoTime next = end;
  const MonoTime again = world.now + world.config.heartbeat_interval / 2;
  for (auto it = worker->leases.rbegin();
       it != worker->leases.rend() && it->second.number > worker->leases_seen; ++it) {
    if (it->second.reported) continue;
    const MonoTime due = it->second.sent + world.config.lease_duration;
    next = std::min(next, due > world.now ? due : again);
  }
  world.timers.arm(next, TimerKind::kWorker, session.value);
}

void end_worker(World& world, Worker& worker) {
  end_all_once(world, worker);
  release_all(world, worker);
  forget_worker(world, worker);
}

void worker_gone(World& world, Worker& worker) {
  worker.gone = true;
  world.unlist(worker);
}

void extend_leases(World& world, nanoseconds gap) {
  if (mutated(Mutation::kExpireAfterPause)) return;
  for (const auto& [session, worker] : world.workers) {
    worker->heard = std::min(world.now, worker->heard + gap);
    for (auto& [token, lease] : worker->leases) lease.sent = std::min(world.now, lease.sent + gap);
  }
  for (const auto& [session, producer] : world.producers)
    producer->heard = std::min(world.now, producer->heard + gap);
  put_off_awaited(world, gap);
}

void owe_acknowledgement(World& world, Worker& worker, bool at_once) {
  if (worker.ack_due) return;
  const bool many = worker.reports - worker.acknowledged >= limits::kAcksAtOnce;
  if (at_once || many || world.config.ack_delay == nanoseconds(0)) {
    worker.ack_due = true;
    world.acks_due.push_back(worker.session);
  } else if (!worker.ack_armed) {
    worker.ack_armed = true;
    world.timers.arm(world.now + world.config.ack_delay, TimerKind::kReports, worker.session.value);
  }
}

void acknowledge_overdue(World& world, SessionId session) {
  Worker* worker = world.worker(session);
  if (worker == nullptr) return;
  worker->ack_armed = false;
  if (worker->reports > worker->acknowledged) owe_acknowledgement(world, *worker, true);
}

void acknowledge_reports(World& world) {
  for (const SessionId session : std::exchange(world.acks_due, {})) {
    Worker* worker = world.worker(session);
    if (worker == nullptr) continue;
    worker->ack_due = false;
    worker->acknowledged = worker->reports;
    ReportsTaken taken{worker->reports};
    if (mutated(Mutation::kAckResultsEarly)) {
      world.send_now(worker->peer, session, ToWorker{taken});
    } else {
      world.send_after(worker->peer, session, ToWorker{taken});
    }
  }
}

}  // namespace fanmill::broker
