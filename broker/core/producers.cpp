#include "broker/core/producers.hpp"

#include <algorithm>
#include <chrono>

#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/intake.hpp"
#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pushes.hpp"
#include "broker/core/suggest.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

constexpr std::chrono::seconds kFirstWorkerWithin{5};

// How long a job waits for a worker that offers its function. A run that asked for no wait may
// still be ahead of its own workers.
nanoseconds patience(const JobOptions& options, bool any_worker) {
  if (options.wait_workers_ms == 0 && !any_worker) return kFirstWorkerWithin;
  return std::chrono::milliseconds(
      std::min<std::uint64_t>(options.wait_workers_ms, std::uint64_t{1} << 40));
}

void refuse(World& world, const Producer& producer, std::string key, JobId job, ErrorCode code,
            std::string message) {
  world.send_now(producer.peer, producer.session,
                 ToProducer{Refused{std::move(key), job, code, std::move(message)}});
}

Job* job_or_refuse(World& world, const Producer& producer, JobId id) {
  Job* job = world.job(id);
  if (job == nullptr)
    refuse(world, producer, {}, id, ErrorCode::kNotFound, "no such job at this broker");
  return job;
}

const FunctionOffer* offered(const World& world, const std::string& function) {
  for (const auto& [session, worker] : world.workers)
    if (const FunctionOffer* offer = worker->offer(function)) return offer;
  return nullptr;
}

void say_opened(World& world, const Producer& producer, Job& job) {
  job.credit_said = credit_of(world, job);
  world.send_after(
      producer.peer, producer.session,
      ToProducer{JobOpened{job.key, job.id, job.next_index, job.closed, job.credit_said,
                           job.accepted_bytes, job.signature, world.config.durability,
                           job.digest ? job.digest->value() : 0}});
}

void create(World& world, Producer& producer, const std::string& key, const JobOptions& options) {
  say_opened(world, producer, make_job(world, producer, key, options));
}

void refuse_unknown(World& world, const Producer& producer, const Opening& opening) {
  std::vector<std::string> names;
  for (const auto& [session, worker] : world.workers)
    for (const FunctionOffer& offer : worker->offers) names.push_back(offer.name);
  refuse(world, producer, opening.key, {}, ErrorCode::kUnknownFunction,
         unknown_function(opening.options.spec.function, std::move(names)));
}

}  // namespace

void on_producer_hello(World& world, PeerId peer, const ProducerHello& hello) {
  const auto known = world.producer_of.find(hello.instance);
  Producer* producer = nullptr;
  if (known != world.producer_of.end()) {
    Producer* old = world.producer(known->second);
    if (old->attempt > hello.attempt) return;
    if (old->attempt == hello.attempt) {
      producer = old;
    } else {
      end_producer(world, *old, false);
    }
  }
  if (producer == nullptr) {
    if (world.producers.size() + world.workers.size() >= limits::kSessionsMax) {
      world.send_now(peer, {}, ToProducer{Refused{{}, {}, ErrorCode::kLimit, "too many sessions"}});
      return;
    }
    auto made = std::make_unique<Producer>();
    made->session = world.next_session();
    made->peer = peer;
    made->instance = hello.instance;
    made->attempt = hello.attempt;
    made->user = hello.user;
    made->host = hello.host;
    made->pid = hello.pid;
    producer = made.get();
    world.producer_of[hello.instance] = made->session;
    world.timers.arm(world.now + world.config.producer_gone_after, TimerKind::kProducer,
                     made->session.value);
    world.producers[made->session] = std::move(made);
  }
  producer->heard = world.now;
  const auto heartbeat =
      std::chrono::duration_cast<std::chrono::milliseconds>(world.config.heartbeat_interval);
  world.send_now(producer->peer, producer->session,
                 ToProducer{ProducerWelcome{producer->instance, producer->attempt,
                                            static_cast<std::uint64_t>(heartbeat.count())}});
}

void on_producer_heartbeat(World& world, Producer& producer) {
  world.send_now(producer.peer, producer.session, ToProducer{HeartbeatReply{.full = world.full}});
  // A lost Accepted must not leave the producer without credit for ever.
  for (auto id = producer.jobs.begin(); id != producer.jobs.end();) {
    Job* job = world.job(*id);
    id = job == nullptr ? producer.jobs.erase(id) : std::next(id);
    if (job == nullptr) continue;
    repeat_pushed(world, producer, *job);
    if (job->owner != producer.session || job->closed) continue;
    job->accept_due = true;
    world.touch(*job);
  }
}

void on_open(World& world, Producer& producer, const OpenJob& open) {
  if (open.key.empty()) {
    refuse(world, producer, {}, {}, ErrorCode::kUsage, "a job needs a key");
    return;
  }
  if (open.options.spec.at_most_once && open.options.retries > 0) {
    refuse(world, producer, open.key, {}, ErrorCode::kUsage,
           "a task that runs at most once is not tried again: leave out --retries or "
           "--at-most-once");
    return;
  }
  const auto known = world.job_of_key.find(open.key);
  if (known != world.job_of_key.end()) {
    Job& job = *world.job(known->second);
    if (job.options != open.options) {
      refuse(world, producer, open.key, {}, ErrorCode::kConflict,
             "the key '" + open.key +
                 "' belongs to a job with another function or other options: choose another --key");
      return;
    }
    adopt(world, producer, job);
    say_opened(world, producer, job);
    return;
  }
  if (offered(world, open.options.spec.function) != nullptr) {
    create(world, producer, open.key, open.options);
    return;
  }
  for (Opening& opening : world.openings) {
    if (opening.key != open.key) continue;
    opening.session = producer.session;
    opening.options = open.options;
    return;
  }
  world.openings.push_back({producer.session, open.key, open.options, world.now});
  check_openings(world);
  for (const bool any_worker : {true, false}) {
    world.timers.arm(world.now + patience(open.options, any_worker), TimerKind::kOpening, 0);
  }
}

void check_openings(World& world) {
  std::vector<Opening> still;
  for (Opening& opening : std::exchange(world.openings, {})) {
    Producer* producer = world.producer(opening.session);
    if (producer == nullptr) continue;
    if (offered(world, opening.options.spec.function) != nullptr) {
      create(world, *producer, opening.key, opening.options);
      continue;
    }
    if (world.now - opening.since >= patience(opening.options, !world.workers.empty())) {
      refuse_unknown(world, *producer, opening);
    } else {
      still.push_back(std::move(opening));
    }
  }
  world.openings = std::move(still);
}

// To whoever asked; the owner hears it with the rest of the turn.
static void answer_acceptance(World& world, const Producer& producer, Job& job) {
  world.touch(job);
  if (job.owner == producer.session) {
    job.accept_due = true;
    return;
  }
  world.send_after(producer.peer, producer.session,
                   ToProducer{Accepted{job.id, job.next_index, job.closed, credit_of(world, job)}});
}

// A chunk that was taken may be acknowledged with the next ones; whatever else comes is answered.
static void owe_acceptance(World& world, Job& job, bool at_once) {
  if (at_once || ++job.accepts_owed >= limits::kAcksAtOnce ||
      world.config.ack_delay == nanoseconds(0)) {
    job.accept_due = true;
  } else if (!job.accept_armed) {
    job.accept_armed = true;
    world.timers.arm(world.now + world.config.ack_delay, TimerKind::kAccept, job.id.value);
  }
}

void accept_overdue(World& world, JobId id) {
  Job* job = world.job(id);
  if (job == nullptr) return;
  job->accept_armed = false;
  if (job->accepts_owed == 0) return;
  job->accept_due = true;
  world.touch(*job);
}

// Two that feed one job would each take the other's tuples for its own.
static bool is_fed_by(World& world, const Producer& producer, const Job& job) {
  if (job.closed || job.owner == producer.session) return true;
  refuse(world, producer, {}, job.id, ErrorCode::kConflict,
         "another producer has opened job " + to_text(job.id) +
             " by the same key meanwhile, and goes on with it");
  return false;
}

void on_submit(World& world, Producer& producer, const Submit& submit, const Blob& blob) {
  Job* job = job_or_refuse(world, producer, submit.job);
  if (job == nullptr) return;
  adopt_if_alone(world, producer, *job);
  if (!is_fed_by(world, producer, *job)) return;
  world.touch(*job);
  // What is not taken is sent again.
  const bool taken = !job->closed && !world.full && submit.first.value == job->next_index;
  bool early = mutated(Mutation::kAckRepeatedSubmitEarly) && submit.first.value < job->next_index;
  if (taken) {
    const auto took = take_chunk(world, *job, submit.count, submit.blocks, blob);
    if (!took) {
      refuse(world, producer, {}, job->id, took.error().code, took.error().message);
      return;
    }
    early = mutated(Mutation::kAckSubmitEarly);
  }
  if (early)
    world.send_now(producer.peer, producer.session,
                   ToProducer{Accepted{job->id, job->next_index, job->closed, job->credit_said}});
  if (job->owner == producer.session) {
    owe_acceptance(world, *job, !taken);
  } else {
    answer_acceptance(world, producer, *job);
  }
}

void on_close(World& world, Producer& producer, const CloseJob& close) {
  Job* job = job_or_refuse(world, producer, close.job);
  if (job == nullptr) return;
  adopt_if_alone(world, producer, *job);
  if (close.total < job->next_index && !job->cancelled) {
    refuse(world, producer, {}, job->id, ErrorCode::kConflict,
           "the job has " + std::to_string(job->next_index) + " tuples already, more than the " +
               std::to_string(close.total) + " it was to be closed with");
    return;
  }
  if (close.total == job->next_index) close_job(world, *job, producer.who());
  answer_acceptance(world, producer, *job);
}

void on_cancel(World& world, Producer& producer, const CancelJob& cancel) {
  Job* job = job_or_refuse(world, producer, cancel.job);
  if (job == nullptr) return;
  cancel_job(world, *job, cancel.grace_ms, producer.who());
  answer_acceptance(world, producer, *job);
}

void say_credit(World& world, Job& job) {
  const Producer* producer = world.producer(job.owner);
  if (producer == nullptr) return;
  const Credit credit = credit_of(world, job);
  const bool grown = !job.closed && credit_has_grown(world, job.credit_said, credit);
  if (!grown && !job.accept_due) return;
  job.accept_due = false;
  job.accepts_owed = 0;
  job.credit_said = credit;
  world.send_after(producer->peer, producer->session,
                   ToProducer{Accepted{job.id, job.next_index, job.closed, credit}});
}

void end_producer(World& world, Producer& producer, bool on_purpose) {
  for (const JobId id : std::exchange(producer.jobs, {})) {
    Job* job = world.job(id);
    if (job == nullptr) continue;
    forget_pusher(producer, *job);
    const bool over = job->options.forget_when_delivered && all_acknowledged(*job);
    if (job->readers.erase(producer.session) > 0)
      world.tell([&] { return producer.who() + " reads " + name_of(*job) + " no more"; });
    if (job->owner != producer.session) continue;
    if (over && on_purpose) {
      forget_job(world, *job);
    } else {
      lose_owner(world, *job);
    }
  }
  world.producer_of.erase(producer.instance);
  world.producers.erase(producer.session);  // `producer` is gone
}

void check_producer(World& world, SessionId session) {
  Producer* producer = world.producer(session);
  if (producer == nullptr) return;
  const MonoTime end = producer->heard + world.config.producer_gone_after;
  if (end <= world.now) {
    end_producer(world, *producer, false);
  } else {
    world.timers.arm(end, TimerKind::kProducer, session.value);
  }
}

}  // namespace fanmill::broker
