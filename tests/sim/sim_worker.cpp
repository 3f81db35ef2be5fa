#include "tests/sim/sim_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

SimWorker::SimWorker(World& world, std::uint32_t number)
    : world_(world), number_(number), plan_(world.plan.workers[number]) {
  world_.events.after(plan_.starts_after, [this] { start(); });
}

void SimWorker::start() {
  if (agent_) return;
  ++life_;
  instance_ = world_.next_instance();
  world_.tell([&] { return fmt::format("worker {} starts as {:x}", number_, instance_.value); });
  worker::AgentConfig config;
  config.instance = instance_;
  config.name = "w" + std::to_string(number_);
  config.host = "h" + std::to_string(number_ % 2);
  config.pid = static_cast<std::uint32_t>(life_);
  config.slots = plan_.slots;
  config.seed = world_.plan.seed ^ life_;
  config.window = plan_.window;
  slots_.assign(plan_.slots, {});
  inbox_.clear();
  watch_ = false;
  paused_until_ = {};
  agent_.emplace(std::move(config), world_.now());
  turn_at(world_.now());
}

void SimWorker::stop(RunState running) {
  ++life_;
  agent_.reset();
  turn_at_.reset();
  ++turn_number_;
  for (SlotState& slot : slots_)
    if (slot.executor) slot.executor->kill(9, running);
  slots_.clear();
  if (connection_ != PeerId{}) world_.network->close(connection_);
  connection_ = {};
}

void SimWorker::kill(nanoseconds down) {
  if (!agent_) return;
  world_.tell([&] { return fmt::format("worker {} is killed", number_); });
  stop(RunState::kLost);
  world_.events.after(down, [this] { start(); });
}

void SimWorker::drain(nanoseconds down) {
  if (!agent_) return;
  world_.tell([&] { return fmt::format("worker {} is to drain", number_); });
  down_after_drain_ = down;
  deliver(worker::DrainRequested{});
}

void SimWorker::pause(nanoseconds gap) {
  if (!agent_) return;
  world_.tell(
      [&] { return fmt::format("worker {} pauses for {} ms", number_, gap.count() / 1'000'000); });
  paused_until_ = std::max(paused_until_, world_.now() + gap);
  turn_at(paused_until_);
}

void SimWorker::kill_some_executor() {
  if (!agent_ || slots_.empty()) return;
  SlotState& slot = slots_[world_.random.between(0, slots_.size() - 1)];
  if (slot.executor) slot.executor->kill(9, RunState::kCrashed);
}

void SimWorker::disconnect() { world_.network->cut(number_); }

void SimWorker::deliver(worker::Event event) {
  if (!agent_) return;
  inbox_.push_back({std::move(event), {}});
  turn_at(world_.now() + world_.random.exponential(5us));
}

void SimWorker::turn_at(MonoTime time) {
  time = std::max(time, paused_until_);
  if (turn_at_ && *turn_at_ <= time && *turn_at_ >= paused_until_) return;
  turn_at_ = time;
  world_.events.at(time, [this, number = ++turn_number_] {
    if (number != turn_number_ || !agent_) return;
    turn_at_.reset();
    turn();
  });
}

void SimWorker::step(const worker::Event& event) { agent_->step(event, world_.now()); }

void SimWorker::turn() {
  const std::vector<Waiting> events = std::exchange(inbox_, {});
  for (const Waiting& waiting : events) {
    if (waiting.done)
      world_.oracle.report_reaches_agent(waiting.done->ordinal, waiting.done->tasks,
                                         waiting.done->token);
    if (const auto* heard = std::get_if<worker::BrokerMessage>(&waiting.event))
      world_.oracle.agent_receives(instance_, heard->envelope.message, heard->envelope.session);
    step(waiting.event);
  }
  if (events.empty()) {
    for (std::uint32_t i = 0; watch_ && i < slots_.size(); ++i) {
      const auto& executor = slots_[i].executor;
      if (executor && executor->alive())
        step(worker::ExecutorProgress{i, executor->started(), executor->finished()});
    }
    step(worker::Tick{});
  }
  while (agent_ && carry_out(agent_->take_duties(world_.now()))) {
  }
  if (agent_ && ++turns_ % 16 == 0) agent_->check_invariants();
}

void SimWorker::reconnect() {
  if (connection_ != PeerId{}) world_.network->close(connection_);
  connection_ = {};
  world_.events.after(world_.random.magnitude(100us, 50ms), [this, life = life_] {
    if (life != life_) return;
    PeerEnd end;
    end.to_worker = [this, life](const Envelope<ToWorker>& envelope, const Blob& blob) {
      if (life == life_) deliver(worker::BrokerMessage{envelope, blob});
    };
    end.garbled = [this, life] {
      if (life == life_) deliver(worker::BrokerLost{{ErrorCode::kProtocol, "garbled"}});
    };
    connection_ = world_.network->connect(number_, std::move(end));
    deliver(worker::BrokerConnected{});
  });
}

void SimWorker::executor_says(std::uint32_t slot, nanoseconds delay, worker::Event event) {
  MonoTime& last = slots_[slot].last_frame;
  last = std::max(last, world_.now() + delay);
  world_.events.at(last, [this, life = life_, event = std::move(event)] {
    if (life == life_) deliver(event);
  });
}

void SimWorker::begin_executor(std::uint32_t slot) {
  SimExecutor::Agent agent;
  agent.send = [this, slot, life = life_](SimExecutor::Frame frame) {
    if (life != life_) return;
    if (const auto* stopped = std::get_if<executor::Stopped>(&frame)) {
      executor_says(slot, world_.random.exponential(10us),
                    worker::ExecutorStopped{slot, stopped->position});
      return;
    }
    auto& done = std::get<SimExecutor::DoneFrame>(frame);
    MonoTime& last = slots_[slot].last_frame;
    last = std::max(last, world_.now() + world_.random.exponential(10us));
    world_.events.at(last, [this, slot, life, done] {
      if (life != life_) return;
      inbox_.push_back({worker::ExecutorDone{slot, done.done, done.blob}, done});
      turn_at(world_.now() + world_.random.exponential(5us));
    });
  };
  agent.died = [this, slot, life = life_](int signal) {
    if (life != life_) return;
    const SimExecutor& executor = *slots_[slot].executor;
    world_.tell([&] {
      return fmt::format("worker {} executor {} dies: started {}, finished {}", number_, slot,
                         executor.started(), executor.finished());
    });
    executor_says(slot, world_.random.exponential(100us),
                  worker::ExecutorDied{slot, executor.started(), executor.finished(), -1, signal,
                                       "", "last words"});
  };
  slots_[slot].executor = std::make_shared<SimExecutor>(world_, instance_, std::move(agent));
  if (!world_.calm && world_.random.chance(world_.plan.start_failures)) {
    slots_[slot].executor->kill(1, RunState::kLost);
    return;
  }
  executor::Hello hello;
  hello.version = kExecutorProtocolVersion;
  hello.uses_page = true;
  for (const std::string& function : plan_.functions)
    hello.offers.push_back({function, plan_.signature});
  executor_says(slot, world_.random.magnitude(200us, 20ms), worker::ExecutorReady{slot, hello});
}

bool SimWorker::carry_out(worker::AgentDuties duties) {
  bool again = false;
  if (duties.reconnect) reconnect();
  for (worker::ToSend& send : duties.send)
    if (auto* hello = std::get_if<WorkerHello>(&send.message)) hello->labels = plan_.labels;
  for (const worker::ToSend& send : duties.send)
    world_.oracle.agent_emits(instance_, send.message, send.session);
  for (const worker::ToSend& send : duties.send) {
    world_.oracle.agent_announces(instance_, plan_, send.message);
    if (connection_ != PeerId{})
      world_.network->to_broker(connection_, send.session, send.message, send.blob);
  }
  for (const worker::ExecutorDuty& duty : duties.executors) {
    std::visit(Overloaded{
                   [&](const worker::DealBind& d) {
                     if (auto& executor = slots_[d.slot].executor) executor->give(d.bind);
                   },
                   [&](const worker::DealWork& d) {
                     world_.oracle.agent_deals(instance_, d.work.job, d.work.token,
                                               {d.work.first, d.work.count});
                     world_.tell([&] {
                       return fmt::format("worker {} deals [{},{}) t{} to executor {} at {}",
                                          number_, d.work.first.value,
                                          d.work.first.value + d.work.count, code_of(d.work.token),
                                          d.slot, d.work.position);
                     });
                     auto& executor = slots_[d.slot].executor;
                     if (!executor) return;
                     executor->raise_end(d.end);
                     executor->give(d.work, d.blob);
                   },
                   [&](const worker::DealForget& d) {
                     if (auto& executor = slots_[d.slot].executor) executor->give(d.forget);
                   },
                   [&](const worker::LowerEnd& d) {
                     auto& executor = slots_[d.slot].executor;
                     const std::uint64_t from = executor ? executor->lower_end(d.end) : d.end;
                     world_.tell([&] {
                       return fmt::format("worker {} lowers the end of executor {} to {}: from {}",
                                          number_, d.slot, d.end, from);
                     });
                     step(worker::ExecutorFreed{d.slot, from});
                     again = true;
                   },
                   [](const worker::TellStopped&) {},
                   [&](const worker::KillExecutor& d) {
                     if (auto& executor = slots_[d.slot].executor)
                       executor->kill(9, RunState::kCrashed);
                   },
                   [&](const worker::StartExecutor& d) { begin_executor(d.slot); },
               },
               duty);
  }
  if (duties.finished) {
    world_.tell([&] { return fmt::format("worker {} has drained", number_); });
    stop(RunState::kLost);
    world_.events.after(down_after_drain_, [this] { start(); });
    return false;
  }
  watch_ = duties.watch;
  if (duties.wake_at) turn_at(*duties.wake_at);
  return again;
}

bool SimWorker::idle() const {
  if (!agent_) return false;
  const auto view = agent_->view();
  return view.queued_tasks == 0 && view.held_leases == 0 && view.unacknowledged_reports == 0 &&
         view.busy_slots == 0;
}

std::string SimWorker::text() const {
  if (!agent_) return fmt::format("worker {} is down", number_);
  const auto view = agent_->view();
  return fmt::format("worker {}: {}, {} queued, {} leases, {} reports, {} busy", number_,
                     view.connected ? "connected" : "not connected", view.queued_tasks,
                     view.held_leases, view.unacknowledged_reports, view.busy_slots);
}

void SimWorker::check() const {
  if (agent_) agent_->check_invariants();
}

}  // namespace fanmill::sim
