#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {
constexpr nanoseconds kLease = limits::kLeaseDuration;
}  // namespace

Oracle::Token* Oracle::token(AttemptToken token) {
  const auto it = tokens_.find(code_of(token));
  return it == tokens_.end() ? nullptr : &it->second;
}

InstanceId Oracle::instance_at(PeerId peer) const {
  for (const auto& [id, instance] : instances_)
    if (instance.peer == peer) return id;
  return {};
}

void Oracle::release_all_of(InstanceId instance) {
  for (auto& [code, token] : tokens_)
    if (token.instance == instance) token.released = true;
}

void Oracle::release_lost(Token& token) {
  token.released = true;
  if (token.refunded || token.number == 0 || token.open.count() != token.tasks.count) return;
  Session& of = sessions_[token.session];
  token.refunded = true;
  of.used.tasks -= token.tasks.count;
  of.used.bytes -= token.bytes;
}

// ---- what the broker hears ----

void Oracle::broker_hears(const broker::Event& event) {
  turn_ends();
  if (const auto* arrived = std::get_if<broker::MessageArrived>(&event)) {
    if (const auto* from = std::get_if<FromWorker>(&arrived->envelope.message)) {
      hears(arrived->peer, arrived->envelope.session, *from);
    } else {
      hears(arrived->envelope.session, std::get<FromProducer>(arrived->envelope.message));
    }
  } else if (const auto* malformed = std::get_if<broker::MalformedArrived>(&event)) {
    release_all_of(instance_at(malformed->peer));  // the third strike ends the session
  } else if (const auto* paused = std::get_if<broker::Paused>(&event)) {
    for (auto& [id, instance] : instances_)
      instance.heard = std::min(now_, instance.heard + paused->gap);
    for (auto& [code, token] : tokens_) token.sent = std::min(now_, token.sent + paused->gap);
  }
}

// Silence may end leases in any step, as the core serves its timers in each.
void Oracle::broker_stepped() {
  for (auto& [id, tokens] : unseen_) {
    const Session& of = sessions_[id];
    while (!tokens.empty()) {
      Token& token = tokens_[tokens.front()];
      const bool seen = token.number <= of.leases_seen;
      const bool expired = token.sent + kLease <= now_ && of.heartbeat >= token.sent + kLease / 2;
      if (!seen && !expired) break;
      if (!seen) release_lost(token);
      tokens.pop_front();
    }
  }
  for (auto& [id, instance] : instances_) {
    if (instance.attempt == 0 || instance.heard + kLease > now_) continue;
    release_all_of(id);
    instance.attempt = 0;
  }
}

void Oracle::hears(PeerId peer, SessionId session, const FromWorker& message) {
  if (const auto* hello = std::get_if<WorkerHello>(&message)) {
    Instance& instance = instances_[hello->instance];
    Credit& credit = instance.hello_credit[hello->attempt];
    credit = {std::max(credit.tasks, hello->credit.tasks),
              std::max(credit.bytes, hello->credit.bytes)};
    instance.claims.try_emplace(hello->attempt, hello->claims);
    if (hello->attempt < instance.attempt) return;
    if (hello->attempt > instance.attempt) {
      for (auto& [code, token] : tokens_) {
        if (token.instance != hello->instance) continue;
        const bool claimed =
            std::any_of(hello->claims.begin(), hello->claims.end(),
                        [code = code](const Claim& claim) { return code_of(claim.token) == code; });
        if (claimed) {
          token.number = 0;
        } else {
          token.released = true;
        }
      }
    }
    instance.peer = peer;
    instance.attempt = hello->attempt;
    instance.heard = now_;
    return;
  }
  const auto known = sessions_.find(session);
  if (known == sessions_.end()) return;
  Session& of = known->second;
  Instance& instance = instances_[of.instance];
  if (instance.peer != peer || of.over) return;
  if (instance.attempt != 0) instance.heard = now_;
  const auto grant = [&](Credit credit) {
    of.credit = {std::max(of.credit.tasks, credit.tasks), std::max(of.credit.bytes, credit.bytes)};
  };
  if (const auto* heartbeat = std::get_if<WorkerHeartbeat>(&message)) {
    grant(heartbeat->credit);
    of.heartbeat = now_;
    of.leases_seen = std::max(of.leases_seen, heartbeat->leases_seen);
    if (!heartbeat->list_attached || heartbeat->reports_sent != of.reports) return;
    for (auto& [code, token] : tokens_) {
      if (token.instance != of.instance || token.number > heartbeat->leases_seen) continue;
      const bool named =
          std::any_of(heartbeat->held.begin(), heartbeat->held.end(),
                      [code = code](AttemptToken held) { return code_of(held) == code; });
      if (!named) release_lost(token);
    }
  } else if (std::holds_alternative<Goodbye>(message)) {
    of.over = true;  // a hello that was repeated on the way may begin another one at the broker
    release_all_of(of.instance);
  } else if (const auto* results = std::get_if<Results>(&message)) {
    grant(results->credit);
    if (results->report != of.reports + 1) return;
    ++of.reports;
    const Job* job_told = job(results->job);
    if (job_told == nullptr) return;
    const IndexRange tasks{results->first, results->count};
    of.unacknowledged.push_back({results->report, job_told->plan->ordinal, tasks,
                                 code_of(results->token), results->outcome == Outcome::kSucceeded});
    if (Token* held = token(results->token)) held->open.remove(tasks);
    for (TaskIndex at = tasks.first; at < tasks.end(); at = at + 1)
      for (Run& run : jobs_[job_told->plan->ordinal].tasks[at.value].runs)
        if (run.token == code_of(results->token)) run.heard = true;
  } else if (const auto* returned = std::get_if<Returned>(&message)) {
    grant(returned->credit);
    if (returned->report != of.reports + 1) return;
    ++of.reports;
    if (Token* held = token(returned->token))
      for (const IndexRange& range : returned->ranges) held->open.remove(range);
  }
}

void Oracle::hears(SessionId session, const FromProducer& message) {
  const auto of_tuples = [&](Job* about) {
    if (about != nullptr) about->submitters.insert(session);
  };
  if (const auto* open = std::get_if<OpenJob>(&message)) {
    for (Job& each : jobs_)
      if (each.plan->key == open->key) of_tuples(&each);
  } else if (const auto* submit = std::get_if<Submit>(&message)) {
    of_tuples(job(submit->job));
  } else if (const auto* cancel = std::get_if<CancelJob>(&message)) {
    of_tuples(job(cancel->job));
  } else if (const auto* close = std::get_if<CloseJob>(&message)) {
    of_tuples(job(close->job));
  } else if (const auto* steer = std::get_if<Steer>(&message)) {
    // What comes behind a higher request is answered and not done.
    std::uint64_t& highest = steered_[session];
    if (steer->request < highest) return;
    highest = steer->request;
    hears(*steer);
    return;
  }
  JobId id;
  std::uint64_t cursor = 0;
  const auto* gather = std::get_if<Gather>(&message);
  if (gather != nullptr) {
    id = gather->job;
    cursor = gather->cursor;
  } else if (const auto* ack = std::get_if<GatherAck>(&message)) {
    id = ack->job;
    cursor = ack->cursor;
  } else {
    return;
  }
  Job* of = job(id);
  if (of == nullptr) return;
  if (observer_at(session) == nullptr) of->acked = std::max(of->acked, cursor);
  Job::Window& window = of->windows[session];
  if (gather != nullptr) {
    window.bytes = gather->window_bytes;
    window.in_flight.clear();
  }
  while (!window.in_flight.empty() && window.in_flight.front().next <= cursor)
    window.in_flight.pop_front();
}

// ---- what the broker says ----

void Oracle::broker_emits(const broker::Outgoing& out) {
  if (const auto* to_worker = std::get_if<ToWorker>(&out.message)) {
    if (const auto* welcome = std::get_if<WorkerWelcome>(to_worker)) {
      const auto [it, made] = sessions_.try_emplace(out.session);
      if (made) {
        it->second.instance = welcome->instance;
        it->second.credit = instances_[welcome->instance].hello_credit[welcome->attempt];
        for (const AttemptToken kept : welcome->keep) {
          Token* held = token(kept);
          if (held == nullptr) continue;
          held->session = out.session;
          // What it has in this life moves over; what was given away, and came back, is kept anew.
          const bool has = held->kept_in == epoch_ && !held->released && !held->open.empty();
          if (kept.epoch == epoch_ || has) continue;
          for (const Claim& claim : instances_[welcome->instance].claims[welcome->attempt])
            if (claim.token == kept) kept_again(*held, code_of(kept), claim.unfinished);
        }
        for (const Claim& claim : instances_[welcome->instance].claims[welcome->attempt])
          if (std::find(welcome->keep.begin(), welcome->keep.end(), claim.token) ==
              welcome->keep.end())
            check_dropped(claim);
      }
    } else if (const auto* lease = std::get_if<Lease>(to_worker)) {
      const auto* source = std::get_if<broker::ChunkBytes>(&out.blob);
      emits_lease(out.session, *lease, source == nullptr ? 0 : source->bytes);
    } else if (const auto* recall = std::get_if<Recall>(to_worker)) {
      if (Job* of = job(recall->job)) of->recalled[out.session] = now_;
    }
    return;
  }
  const auto& to_producer = std::get<ToProducer>(out.message);
  if (const auto* answer = std::get_if<Answer>(&to_producer)) emits_answer(*answer);
  if (const auto* rows = std::get_if<Rows>(&to_producer)) {
    Job& of = job_of(rows->job, "Rows");
    const Task& task = of.tasks[rows->first.value];
    // What a retry has made history stays in the stream of results for who reads it again.
    if (task.record == 0 && code_of(rows->token) > task.fence)
      violated("rows are of recorded tasks",
               fmt::format("{} task {}", of.plan->key, rows->first.value));
  } else if (const auto* event = std::get_if<JobEvent>(&to_producer);
             event != nullptr && observer_at(out.session) == nullptr) {
    Job& of = job_of(event->job, "JobEvent");
    Task& task = of.tasks[event->index.value];
    const auto crashes = std::count_if(task.runs.begin(), task.runs.end(), [](const Run& run) {
      return run.state == RunState::kCrashed;
    });
    task.charged_crashes = static_cast<std::uint16_t>(task.charged_crashes + 1);
    if (task.charged_crashes > crashes || event->attempt > crashes)
      violated("only real crashes are charged",
               fmt::format("{} task {}: crash {} told, {} happened", of.plan->key,
                           event->index.value, event->attempt, crashes));
  } else if (const auto* welcome = std::get_if<ProducerWelcome>(&to_producer)) {
    const auto observer = observer_instances_.find(welcome->instance);
    if (observer != observer_instances_.end()) observer_sessions_[out.session] = observer->second;
  } else if (const auto* accepted = std::get_if<Accepted>(&to_producer)) {
    Job& of = job_of(accepted->job, "Accepted");
    if (of.submitters.count(out.session) == 0)
      violated("a job's tuples are talked about with those who submit them", of.plan->key);
  } else if (const auto* over = std::get_if<JobEnded>(&to_producer);
             over != nullptr && observer_at(out.session) == nullptr) {
    Job& of = job_of(over->job, "JobEnded");
    const auto recorded = static_cast<std::uint64_t>(std::count_if(
        of.tasks.begin(), of.tasks.end(), [](const Task& task) { return task.record != 0; }));
    const bool all_acknowledged = of.acked >= of.cursor && recorded == of.counts.accepted;
    if (of.close_write == 0 || recorded != of.written || !all_acknowledged)
      violated(
          "a job ends when everything is acknowledged",
          fmt::format("{}: {} of {} recorded, {} arrived, acknowledged up to {} of {}",
                      of.plan->key, recorded, of.written, of.counts.accepted, of.acked, of.cursor));
  }
  if (const auto* rows = std::get_if<Rows>(&to_producer)) {
    emits_rows(out.session, *rows, rows->values_bytes + rows->tuples_bytes);
  }
}

void Oracle::emits_rows(SessionId session, const Rows& rows, std::uint64_t bytes) {
  Job& of = job_of(rows.job, "Rows");
  const ObserverPlan* observer = observer_at(session);
  const RowOrder order = observer == nullptr ? of.plan->order : observer->order;
  Job::Window& window = of.windows[session];
  if (order == RowOrder::kInput && rows.first.value != rows.position)
    violated(
        "rows stream without gaps, in order",
        fmt::format("{} rows at {} begin with {}", of.plan->key, rows.position, rows.first.value));
  std::uint64_t in_flight = bytes;
  for (const Job::Sent& sent : window.in_flight) in_flight += sent.bytes;
  // Only the values and tuples of a blob are counted here: what they say is a lower bound.
  if (in_flight > window.bytes && !window.in_flight.empty())
    violated("rows stay within the reader's window",
             fmt::format("{}: {} bytes of at most {} in {} messages", of.plan->key, in_flight,
                         window.bytes, window.in_flight.size() + 1));
  window.in_flight.push_back({rows.next, bytes});
}

void Oracle::emits_lease(SessionId session, const Lease& lease, std::uint64_t bytes) {
  Job& of = job_of(lease.job, "Lease");
  const std::uint64_t counter = code_of(lease.token);
  const auto name = [&] {
    return fmt::format("{} [{},{}) t{}", of.plan->key, lease.first.value,
                       lease.first.value + lease.count, counter);
  };
  if (tokens_.contains(counter)) violated("tokens are used once", name());
  if (lease.token.epoch != epoch_) violated("tokens are of this life", name());
  const auto known = sessions_.find(session);
  if (known == sessions_.end()) violated("leases go to known sessions", name());
  if (lease.count == 0 || lease.first.value + lease.count > of.written)
    violated("leases are of accepted tasks", name());
  Session& to = known->second;
  check_place(of, to, name());
  dealt_.push_back({counter, of.plan->ordinal, lease.first.value + lease.count, to.instance});

  to.used.tasks += lease.count;
  to.used.bytes += bytes;
  if (to.used.tasks > to.credit.tasks)
    violated("the worker's credit is never exceeded",
             fmt::format("{}: {} tasks, credit {}", name(), to.used.tasks, to.credit.tasks));
  if (to.used.bytes > to.credit.bytes) {
    const bool alone = std::none_of(tokens_.begin(), tokens_.end(), [&](const auto& entry) {
      const Token& token = entry.second;
      return token.session == session && !token.released && !token.open.empty();
    });
    if (!alone)
      violated("the worker's credit is never exceeded",
               fmt::format("{}: {} bytes, credit {}", name(), to.used.bytes, to.credit.bytes));
  }

  for (TaskIndex at = lease.first; at < lease.first + lease.count; at = at + 1) {
    Task& task = of.tasks[at.value];
    if (task.record != 0)
      violated("recorded tasks are not leased", fmt::format("{}: task {}", name(), at.value));
    // What was dealt alone, after two losses, is taken for started when its worker is lost.
    const auto may_be_charged = [&] {
      std::uint64_t dealt = 0;
      for (const auto& [code, token] : tokens_)
        if (token.ordinal == of.plan->ordinal && token.tasks.contains(at)) ++dealt;
      return dealt > 2 ? dealt - 2 : 0;
    };
    if (lease.attempt == 0 ||
        (lease.attempt - 1U > task.runs_now() && lease.attempt - 1U > may_be_charged()))
      violated("unstarted tasks are never charged",
               fmt::format("{}: task {} is said to be attempt {} after {} runs", name(), at.value,
                           lease.attempt, task.runs.size()));
    const bool waits = task.lost_at > born_ && task.lost_at + limits::kLossWaitMin > now_;
    if (waits && task.refunded == 0)
      violated("what ran at a lost worker waits for it",
               fmt::format("{}: task {}", name(), at.value));
    if (task.last_token != 0) {
      const Token& before = tokens_[task.last_token];
      const bool of_this_life = task.last_token >= code_of({epoch_, 0});
      // Of tasks that run at most once the store knows more (see PutDealt); what an earlier round
      // has ended is under way nowhere.
      const bool told = of.plan->options.spec.at_most_once || task.last_token <= task.fence;
      if (!of_this_life && before.left && !told && before.kept_in != epoch_ &&
          now_ < born_ + kLease)
        violated("what may be under way is awaited after a restart",
                 fmt::format("{}: task {} was leased as t{}", name(), at.value, task.last_token));
      if (!before.released && before.open.contains(at))
        violated("one live lease per task", fmt::format("{}: task {} is still leased as t{}",
                                                        name(), at.value, task.last_token));
    }
    task.last_token = counter;
  }
  Token& made = tokens_[counter];
  made.ordinal = of.plan->ordinal;
  made.tasks = {lease.first, lease.count};
  made.open = RangeSet(made.tasks);
  made.instance = to.instance;
  made.session = session;
  made.number = lease.lease;
  made.sent = now_;
  made.bytes = bytes;
  unseen_[session].push_back(counter);
}

void Oracle::check_leases(const broker::CoreView& view) const {
  std::map<SessionId, std::uint64_t> held;
  for (const auto& [code, token] : tokens_)
    if (!token.open.empty()) ++held[token.session];
  for (const broker::WorkerView& worker : view.workers)
    if (worker.leases > held[worker.session])
      violated("a session holds what was leased to it or kept",
               fmt::format("{}: {} leases, at most {} of this session", worker.name, worker.leases,
                           held[worker.session]));
}

// ---- what leaves the broker ----

void Oracle::broker_sends(const broker::Outgoing& out, bool has_blob) {
  const auto covered = [this](std::uint64_t write) { return write != 0 && write <= durable_; };
  if (const auto* to_worker = std::get_if<ToWorker>(&out.message)) {
    if (const auto* lease = std::get_if<Lease>(to_worker)) {
      Job* of = job(lease->job);
      if (of == nullptr) return;
      if (Token* sent = token(lease->token)) {
        sent->left = has_blob;
        if (has_blob) of->signature_known = of->signature;
      }
      if (lease->first.value + lease->count > durable_next(*of))
        violated("leased tuples are durable",
                 fmt::format("{} [{},{}), durable {}", of->plan->key, lease->first.value,
                             lease->first.value + lease->count, durable_next(*of)));
      if (has_blob) return;
      for (TaskIndex at = lease->first; at < lease->first + lease->count; at = at + 1)
        if (of->tasks[at.value].record == 0)
          violated("tuples are kept while they are needed",
                   fmt::format("{} task {} leased without its tuple", of->plan->key, at.value));
    } else if (const auto* taken = std::get_if<ReportsTaken>(to_worker)) {
      const auto known = sessions_.find(out.session);
      if (known == sessions_.end()) return;
      Session& of = known->second;
      if (taken->report > of.reports)
        violated("only what came is acknowledged",
                 fmt::format("report {} of {}", taken->report, of.reports));
      while (!of.unacknowledged.empty() && of.unacknowledged.front().report <= taken->report) {
        const Session::Reported reported = of.unacknowledged.front();
        of.unacknowledged.pop_front();
        const Job& about = jobs_[reported.ordinal];
        for (TaskIndex at = reported.tasks.first; at < reported.tasks.end(); at = at + 1) {
          const Task& task = about.tasks[at.value];
          // A failure that was to be tried again is not what a later attempt has recorded.
          const bool of_this = reported.success || task.record_token == reported.token;
          if (task.record != 0 && of_this && !covered(task.record_write))
            violated("acknowledged results are durable",
                     fmt::format("{} task {} is recorded by write {}, durable are {}",
                                 about.plan->key, at.value, task.record_write, durable_));
        }
      }
    }
    return;
  }
  const auto& to_producer = std::get<ToProducer>(out.message);
  if (const auto* accepted = std::get_if<Accepted>(&to_producer)) {
    Job* of = job(accepted->job);
    if (of == nullptr) return;
    if (accepted->next_index > durable_next(*of) || (accepted->closed && !covered(of->close_write)))
      violated("accepted tuples are durable",
               fmt::format("{}: accepted {}{}, durable {}", of->plan->key, accepted->next_index,
                           accepted->closed ? " and closed" : "", durable_next(*of)));
  } else if (const auto* opened = std::get_if<JobOpened>(&to_producer)) {
    Job* of = job(opened->job);
    if (of == nullptr) return;
    if (opened->key != of->plan->key) violated("the same key is the same job", opened->key);
    if (!covered(of->put_write) || opened->next_index > durable_next(*of) ||
        (opened->closed && !covered(of->close_write)))
      violated("accepted tuples are durable",
               fmt::format("{}: opened at {}, durable {}", of->plan->key, opened->next_index,
                           durable_next(*of)));
  } else if (const auto* rows = std::get_if<Rows>(&to_producer)) {
    Job* of = job(rows->job);
    if (of == nullptr) return;
    if (!has_blob) {
      if (rows->next > of->acked)
        violated("rows are kept until acknowledged",
                 fmt::format("{} rows {} to {} are gone, acknowledged up to {}", of->plan->key,
                             rows->position, rows->next, of->acked));
      return;
    }
    for (TaskIndex at = rows->first; at < rows->first + rows->count; at = at + 1)
      if (const Task& task = of->tasks[at.value];
          code_of(rows->token) > task.fence && !covered(task.record_write))
        violated("rows are durable before they leave",
                 fmt::format("{} task {}", of->plan->key, at.value));
  }
}

}  // namespace fanmill::sim
