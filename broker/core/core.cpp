#include "broker/core/core.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/asking.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/halting.hpp"
#include "broker/core/invariants.hpp"
#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/progress.hpp"
#include "broker/core/pushes.hpp"
#include "broker/core/recalls.hpp"
#include "broker/core/restoring.hpp"
#include "broker/core/sink.hpp"
#include "broker/core/steering.hpp"
#include "broker/core/ventilator.hpp"
#include "broker/core/workers.hpp"
#include "broker/core/world.hpp"

namespace fanmill::broker {
namespace {

// A message of a session: its handler, by type.
struct ToTheProducersSide {
  World& world;
  Producer& producer;
  const Blob& blob;
  void operator()(const ProducerHello&) const {}
  void operator()(const ProducerHeartbeat&) const { on_producer_heartbeat(world, producer); }
  void operator()(const Goodbye&) const { end_producer(world, producer, true); }
  void operator()(const OpenJob& open) const { on_open(world, producer, open); }
  void operator()(const Submit& submit) const { on_submit(world, producer, submit, blob); }
  void operator()(const CloseJob& close) const { on_close(world, producer, close); }
  void operator()(const Gather& gather) const { on_gather(world, producer, gather); }
  void operator()(const GatherAck& ack) const { on_gather_ack(world, producer, ack); }
  void operator()(const CancelJob& cancel) const { on_cancel(world, producer, cancel); }
  void operator()(const Ask& ask) const { on_ask(world, producer, ask); }
  void operator()(const Steer& steer) const { on_steer(world, producer, steer); }
  void operator()(const Push& push) const { on_push(world, producer, push, blob); }
};

struct ToTheWorkersSide {
  World& world;
  Worker& worker;
  const Blob& blob;
  void operator()(const WorkerHello&) const {}
  void operator()(const WorkerHeartbeat& heartbeat) const {
    on_worker_heartbeat(world, worker, heartbeat);
  }
  void operator()(const Goodbye&) const { end_worker(world, worker); }
  void operator()(const Results& results) const { on_results(world, worker, results, blob); }
  void operator()(const Returned& returned) const { on_returned(world, worker, returned); }
};

struct OnEvent {
  World& world;

  void operator()(const MessageArrived& arrived) const {
    const SessionId session = arrived.envelope.session;
    if (const auto* from = std::get_if<FromProducer>(&arrived.envelope.message)) {
      if (const auto* hello = std::get_if<ProducerHello>(from)) {
        on_producer_hello(world, arrived.peer, *hello);
        return;
      }
      Producer* producer = world.producer(session);
      if (producer == nullptr || producer->peer != arrived.peer) {
        world.send_now(arrived.peer, session, ToProducer{UnknownSession{}});
        return;
      }
      producer->heard = world.now;
      std::visit(ToTheProducersSide{world, *producer, arrived.blob}, *from);
      return;
    }
    const auto& from = std::get<FromWorker>(arrived.envelope.message);
    if (const auto* hello = std::get_if<WorkerHello>(&from)) {
      on_worker_hello(world, arrived.peer, *hello);
      return;
    }
    Worker* worker = world.worker(session);
    if (worker == nullptr || worker->peer != arrived.peer) {
      world.send_now(arrived.peer, session, ToWorker{UnknownSession{}});
      return;
    }
    worker->heard = world.now;
    std::visit(ToTheWorkersSide{world, *worker, arrived.blob}, from);
  }

  void operator()(const MalformedArrived& malformed) const {
    ++world.malformed;
    const Refused refused{{}, {}, malformed.error.code, malformed.error.message};
    for (const auto& [session, worker] : world.workers) {
      if (worker->peer != malformed.peer) continue;
      world.send_now(malformed.peer, session, ToWorker{refused});
      if (++worker->strikes >= limits::kStrikesMax) end_worker(world, *worker);
      return;
    }
    for (const auto& [session, producer] : world.producers) {
      if (producer->peer != malformed.peer) continue;
      world.send_now(malformed.peer, session, ToProducer{refused});
      if (++producer->strikes >= limits::kStrikesMax) end_producer(world, *producer, false);
      return;
    }
    world.send_now(malformed.peer, {}, ToProducer{refused});
  }

  void operator()(const PeerGone& gone) const {
    for (const auto& [session, worker] : world.workers) {
      if (worker->peer != gone.peer) continue;
      worker_gone(world, *worker);
      return;
    }
    for (const auto& [session, producer] : world.producers) {
      if (producer->peer != gone.peer) continue;
      end_producer(world, *producer, false);
      return;
    }
  }

  void operator()(const Durable& durable) const {
    world.durable = std::max(world.durable, durable.write);
  }
  void operator()(const StoreFull& store) const {
    world.full = store.full && !mutated(Mutation::kTakeWhenFull);
  }
  void operator()(const Paused& paused) const { extend_leases(world, paused.gap); }
  void operator()(const Tick&) const {}
};

void serve_timers(World& world) {
  while (const std::optional<Timer> timer = world.timers.take_due(world.now)) {
    switch (timer->kind) {
      case TimerKind::kWorker:
        check_worker(world, {timer->id});
        break;
      case TimerKind::kProducer:
        check_producer(world, {timer->id});
        break;
      case TimerKind::kJob:
        check_job(world, {timer->id});
        break;
      case TimerKind::kStatus:
        say_status(world, {timer->id});
        break;
      case TimerKind::kAccept:
        accept_overdue(world, {timer->id});
        break;
      case TimerKind::kReports:
        acknowledge_overdue(world, {timer->id});
        break;
      case TimerKind::kRecall:
        give_up_recalls(world, {timer->id});
        break;
      case TimerKind::kOpening:
        check_openings(world);
        break;
    }
  }
}

}  // namespace

struct Core::State {
  World world;
};

Core::Core(CoreConfig config) : state_(new State{World(std::move(config))}) {}
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;
Core::~Core() = default;

void Core::reached_at(std::vector<std::string> addresses) {
  state_->world.config.addresses = std::move(addresses);
}

Result<void> Core::restore(Recovered recovered, MonoTime now) {
  World& world = state_->world;
  world.began = world.now = now;
  return broker::restore(world, std::move(recovered));
}

void Core::step(const Event& event, MonoTime now) {
  World& world = state_->world;
  if (!world.began) world.began = now;
  world.now = std::max(world.now, now);
  std::visit(OnEvent{world}, event);
  // After the event: a heartbeat that waited while the loop was busy counts before silence does.
  serve_timers(world);
}

Duties Core::take_duties(MonoTime now) {
  World& world = state_->world;
  world.now = std::max(world.now, now);
  serve_timers(world);
  acknowledge_reports(world);
  for (const JobId id : std::exchange(world.dirty_jobs, {})) {
    Job* job = world.job(id);
    if (job == nullptr) continue;
    job->dirty = false;
    halt_if_due(world, *job);
    place(world, *job);
    deliver(world, *job);
    say_credit(world, *job);
    say_pushed(world, *job);
    stop_if_done(world, *job);
  }
  dispatch(world);  // last: it remembers after which write a lease leaves
  Duties duties = std::exchange(world.duties, {});
  duties.wake_at = world.timers.next();
  return duties;
}

CoreView Core::view() const { return view_of(state_->world); }
void Core::check_invariants() const { broker::check_invariants(state_->world); }

}  // namespace fanmill::broker
