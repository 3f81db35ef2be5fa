#include "broker/core/producers.hpp"

#include <algorithm>
#include <chrono>

#include "broker/core/delivery.hpp"
#include "broker/core/eligibility.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/pausing.hpp"
#include "broker/core/sink.hpp"
#include "broker/core/suggest.hpp"

namespace fanmill::broker {
namespace {

constexpr std::chrono::seconds kFirstWorkerWithin{5};
// Credit is said anew when it has grown by this part of the window.
constexpr std::uint64_t kCreditParts = 8;

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

Credit credit_of(const World& world, const Job& job) {
  return job.credit(world.config.producer_window_tasks, world.config.producer_window_bytes);
}

void say_opened(World& world, const Producer& producer, Job& job) {
  job.credit_said = credit_of(world, job);
  world.send_after(
      producer.peer, producer.session,
      ToProducer{JobOpened{job.key, job.id, job.next_index, job.closed, job.credit_said,
                           job.accepted_bytes, job.signature, world.config.durability}});
}

void create(World& world, Producer& producer, const std::string& key, const JobOptions& options) {
  auto job = std::make_unique<Job>();
  job->id = {(std::uint64_t{world.config.epoch} << 32) | ++world.jobs_opened};
  job->key = key;
  job->options = options;
  job->submitted_at = world.now;
  job->recorded = MovingRate(world.now);
  bind(world, *job);
  world.write(PutJob{job->id, key, options});
  adopt(world, producer, *job);
  say_opened(world, producer, *job);
  world.job_of_key[key] = job->id;
  world.active[job->id] = job.get();
  world.jobs[job->id] = std::move(job);
}

void drop_job(World& world, Job& job) {
  world.write(DropJob{job.id});
  unbind(world, job);
  world.job_of_key.erase(job.key);
  world.active.erase(job.id);
  world.jobs.erase(job.id);  // `job` is gone
}

void refuse_unknown(World& world, const Producer& producer, const Opening& opening) {
  std::vector<std::string> names;
  for (const auto& [session, worker] : world.workers)
    for (const FunctionOffer& offer : worker->offers) names.push_back(offer.name);
  refuse(world, producer, opening.key, {}, ErrorCode::kUnknownFunction,
         unknown_function(opening.options.spec.function, std::move(names)));
}

void lose_owner(World& world, Job& job) {
  job.owner = {};
  job.owner_gone_at = world.now;
  world.timers.arm(world.now + world.config.producer_gone_after, TimerKind::kJob, job.id.value);
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
  world.send_now(producer.peer, producer.session, ToProducer{HeartbeatReply{}});
  // A lost Accepted must not leave the producer without credit for ever.
  for (const JobId id : producer.jobs) {
    Job* job = world.job(id);
    if (job == nullptr || job->owner != producer.session || job->closed) continue;
    job->accept_due = true;
    world.touch(*job);
  }
}

void adopt(World& world, Producer& producer, Job& job) {
  if (job.owner == producer.session) return;
  job.owner = producer.session;
  job.owner_gone_at.reset();
  producer.jobs.insert(job.id);
  if (!job.paused) return;
  job.paused = false;
  world.work_appeared = true;
  world.touch(job);
}

void on_open(World& world, Producer& producer, const OpenJob& open) {
  if (open.key.empty()) {
    refuse(world, producer, {}, {}, ErrorCode::kUsage, "a job needs a key");
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
  const std::chrono::milliseconds wait(
      std::min<std::uint64_t>(open.options.wait_workers_ms, std::uint64_t{1} << 40));
  world.timers.arm(world.now + wait, TimerKind::kOpening, 0);
  world.timers.arm(world.now + std::max<nanoseconds>(wait, kFirstWorkerWithin), TimerKind::kOpening,
                   0);
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
    const std::chrono::milliseconds wait(
        std::min<std::uint64_t>(opening.options.wait_workers_ms, std::uint64_t{1} << 40));
    const nanoseconds most =
        world.workers.empty() ? std::max<nanoseconds>(wait, kFirstWorkerWithin) : nanoseconds(wait);
    if (world.now - opening.since >= most) {
      refuse_unknown(world, *producer, opening);
    } else {
      still.push_back(std::move(opening));
    }
  }
  world.openings = std::move(still);
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

void on_submit(World& world, Producer& producer, const Submit& submit, const Blob& blob) {
  Job* job = job_or_refuse(world, producer, submit.job);
  if (job == nullptr) return;
  adopt(world, producer, *job);
  world.touch(*job);
  const bool taken = !job->closed && submit.first.value == job->next_index;
  owe_acceptance(world, *job, !taken);
  bool early = mutated(Mutation::kAckRepeatedSubmitEarly) && submit.first.value < job->next_index;
  if (taken) {
    Result<ChunkTable> table = ChunkTable::make(submit.blocks, submit.count, blob.size());
    if (!table || submit.count == 0) {
      job->accept_due = false;
      refuse(world, producer, {}, job->id, table ? ErrorCode::kProtocol : table.error().code,
             table ? "a chunk without tuples" : table.error().message);
      return;
    }
    if (!job->has_work()) world.work_appeared = true;
    const std::uint64_t number =
        world.write(PutChunk{job->id, submit.first, submit.count, submit.blocks, blob});
    job->chunks.emplace_hint(
        job->chunks.end(), submit.first.value,
        Chunk{submit.first, std::move(*table), number, submit.count, submit.count});
    job->next_index += submit.count;
    job->accepted_bytes += blob.size();
    job->submitted_at = world.now;
    early = mutated(Mutation::kAckSubmitEarly);
  }
  if (early)
    world.send_now(producer.peer, producer.session,
                   ToProducer{Accepted{job->id, job->next_index, job->closed, job->credit_said}});
}

void on_close(World& world, Producer& producer, const CloseJob& close) {
  Job* job = job_or_refuse(world, producer, close.job);
  if (job == nullptr) return;
  adopt(world, producer, *job);
  if (close.total < job->next_index && !job->cancelled) {
    refuse(world, producer, {}, job->id, ErrorCode::kConflict,
           "the job has " + std::to_string(job->next_index) + " tuples already, more than the " +
               std::to_string(close.total) + " it was to be closed with");
    return;
  }
  if (!job->closed && close.total == job->next_index) {
    job->closed = true;
    world.write(PutClose{job->id, close.total});
  }
  job->accept_due = true;
  world.touch(*job);
}

void on_cancel(World& world, Producer& producer, const CancelJob& cancel) {
  Job* job = job_or_refuse(world, producer, cancel.job);
  if (job == nullptr) return;
  adopt(world, producer, *job);
  job->accept_due = true;
  world.touch(*job);
  // A repetition puts nothing off.
  if (!job->cancelled || cancel.grace_ms < job->grace_left_ms(world.now)) {
    job->cancel_grace_ms = cancel.grace_ms;
    job->cancel_asked = world.now;
  }
  if (!job->cancelled) {
    job->cancelled = true;
    if (!job->closed) world.write(PutClose{job->id, job->next_index});
    job->closed = true;
    RangeSet unfinished;
    for (const IndexRange& range : job->ready.present({TaskIndex{}, job->next_index}))
      unfinished.add(range);
    for (const auto& [at, index] : job->delayed) unfinished.add({TaskIndex{index}, 1});
    if (job->fresh.value < job->next_index)
      unfinished.add({job->fresh, job->next_index - job->fresh.value});
    job->fresh = {job->next_index};
    record_cancelled(world, *job, unfinished.ranges());
  }
  if (job->stopped) return;
  for (const auto& [session, worker] : world.workers) {
    const Share* share = worker->find_share(job->id);
    if (share != nullptr && share->bound)
      world.send_after(worker->peer, session,
                       ToWorker{StopJob{job->id, job->grace_left_ms(world.now)}});
  }
}

void say_credit(World& world, Job& job) {
  const Producer* producer = world.producer(job.owner);
  if (producer == nullptr) return;
  const Credit credit = credit_of(world, job);
  const bool grown =
      !job.closed && (credit.tasks >= job.credit_said.tasks +
                                          world.config.producer_window_tasks / kCreditParts + 1 ||
                      credit.bytes >= job.credit_said.bytes +
                                          world.config.producer_window_bytes / kCreditParts + 1);
  if (!grown && !job.accept_due) return;
  job.accept_due = false;
  job.accepts_owed = 0;
  job.credit_said = credit;
  world.send_after(producer->peer, producer->session,
                   ToProducer{Accepted{job.id, job.next_index, job.closed, credit}});
}

void stop_if_done(World& world, Job& job) {
  if (job.stopped || !job.all_done()) return;
  job.stopped = true;
  unbind(world, job);
  world.active.erase(job.id);
  for (const auto& [session, worker] : world.workers) {
    Share* share = worker->find_share(job.id);
    if (share == nullptr) continue;
    if (share->bound) world.send_after(worker->peer, session, ToWorker{StopJob{job.id, 0}});
    if (share->leased == 0) worker->forget_share(job.id);
  }
}

void end_producer(World& world, Producer& producer, bool on_purpose) {
  for (const JobId id : producer.jobs) {
    Job* job = world.job(id);
    if (job == nullptr || job->owner != producer.session) continue;
    const bool over = job->options.forget_when_delivered && all_acknowledged(*job);
    if (job->reader && job->reader->session == producer.session) job->reader.reset();
    if (over && on_purpose) {
      drop_job(world, *job);
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

void check_job(World& world, JobId id) {
  Job* job = world.job(id);
  if (job == nullptr) return;
  const bool had_work = job->has_work();
  job->move_due_retries(world.now);
  if (!had_work && job->has_work()) world.work_appeared = true;
  world.touch(*job);
  if (!job->owner_gone_at || !job->options.forget_when_delivered) return;
  if (*job->owner_gone_at + world.config.producer_gone_after > world.now) return;
  if (all_acknowledged(*job)) {
    drop_job(world, *job);
  } else {
    pause_without_producer(world, *job);
  }
}

}  // namespace fanmill::broker
