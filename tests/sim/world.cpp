#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/network.hpp"
#include "tests/sim/sim_broker.hpp"
#include "tests/sim/sim_observer.hpp"
#include "tests/sim/sim_producer.hpp"
#include "tests/sim/sim_worker.hpp"

namespace fanmill::sim {
namespace {
// Far beyond what any seed needs: whoever comes here turns in a circle.
constexpr std::uint64_t kEventsMax = 3'000'000;
}  // namespace

World::World(const Plan& given, Trace& traced)
    : plan(given), trace(traced), random(mix(given.seed ^ 0x5157)), oracle(given), begin(now()) {
  network = std::make_unique<Network>(*this);
  broker = std::make_unique<SimBroker>(*this);
  for (std::uint32_t i = 0; i < plan.workers.size(); ++i)
    workers.push_back(std::make_unique<SimWorker>(*this, i));
  for (std::uint32_t i = 0; i < plan.producers; ++i)
    producers.push_back(std::make_unique<SimProducer>(*this, i));
  for (std::uint32_t i = 0; i < plan.observers.size(); ++i)
    observers.push_back(std::make_unique<SimObserver>(*this, i));
}

World::~World() = default;

void World::begin_fault(const Fault& fault) {
  if (calm) return;
  const auto peer_is_worker = fault.target < workers.size();
  switch (fault.kind) {
    case FaultKind::kKillExecutor:
      workers[fault.target]->kill_some_executor();
      break;
    case FaultKind::kKillWorker:
      workers[fault.target]->kill(fault.lasts);
      break;
    case FaultKind::kDrainWorker:
      workers[fault.target]->drain(fault.lasts);
      break;
    case FaultKind::kPauseWorker:
      workers[fault.target]->pause(fault.lasts);
      break;
    case FaultKind::kPauseProducer:
      producers[fault.target]->pause(fault.lasts);
      break;
    case FaultKind::kPauseBroker:
      broker->pause(fault.lasts);
      break;
    case FaultKind::kKillBroker:
      kill_broker(fault.lasts);
      break;
    case FaultKind::kDiskFull:
      broker->fill_disk(fault.lasts);
      break;
    case FaultKind::kSyncFails:
      broker->fail_next_sync(fault.lasts);
      break;
    case FaultKind::kPartition:
      tell([&] {
        return fmt::format("peer {} is cut off{}{} for {} ms", fault.target,
                           fault.to_broker ? " towards the broker" : "",
                           fault.from_broker ? " from the broker" : "",
                           fault.lasts.count() / 1'000'000);
      });
      network->partition(fault.target, fault.to_broker, fault.from_broker, now() + fault.lasts);
      break;
    case FaultKind::kDisconnect:
      tell([&] { return fmt::format("peer {} loses its connection", fault.target); });
      if (peer_is_worker) {
        workers[fault.target]->disconnect();
      } else if (const std::size_t i = fault.target - workers.size(); i < producers.size()) {
        producers[i]->disconnect();
      } else {
        network->cut(fault.target);
      }
      break;
  }
}

// Most peers are told by the transport; the others find out.
void World::kill_broker(nanoseconds away) {
  if (!broker->alive()) return;
  broker->kill(away);
  for (std::uint32_t i = 0; i < workers.size(); ++i) {
    if (random.chance(0.7))
      workers[i]->disconnect();
    else
      network->cut(i);
  }
  for (std::uint32_t i = 0; i < producers.size(); ++i) {
    if (random.chance(0.7))
      producers[i]->disconnect();
    else
      network->cut(static_cast<std::uint32_t>(workers.size()) + i);
  }
  for (std::uint32_t i = 0; i < observers.size(); ++i)
    network->cut(static_cast<std::uint32_t>(workers.size() + producers.size()) + i);
}

bool World::readers_are_done(std::uint32_t job) const {
  if (!oracle.ended(job)) return false;
  for (std::size_t i = 0; i < observers.size(); ++i)
    if (plan.observers[i].job == job && plan.observers[i].role != ObserverRole::kRetries &&
        !observers[i]->is_done())
      return false;
  return true;
}

bool World::all_over() const {
  return oracle.all_ended() &&
         std::all_of(observers.begin(), observers.end(),
                     [](const auto& observer) { return observer->is_done(); });
}

void World::serve_until(MonoTime time) {
  while (!events.empty() && events.next() <= time && !all_over()) {
    if (events.served() > kEventsMax)
      violated("nobody turns in a circle", fmt::format("{} events", events.served()));
    oracle.time_is(events.next());
    events.serve_next();
  }
}

void World::run() {
  for (const Fault& fault : plan.faults)
    events.at(begin + fault.at, [this, &fault] { begin_fault(fault); });
  serve_until(begin + plan.horizon);
  calm = true;
  tell([] { return std::string("the faults have stopped"); });
  serve_until(begin + plan.horizon + plan.liveness);
  if (!all_over()) {
    std::string states = oracle.what_is_missing();
    for (const auto& worker : workers) states += "\n    " + worker->text();
    for (const auto& producer : producers) states += "\n    " + producer->text();
    for (const auto& observer : observers) states += "\n    " + observer->text();
    for (const auto& worker : broker->core().view().workers)
      states += fmt::format("\n    broker: {} session {:x}, {} tasks leased in {}", worker.name,
                            worker.session.value, worker.leased_tasks, worker.leases);
    for (const auto& job : broker->core().view().jobs)
      states += fmt::format("\n    broker: {} {}/{} running {} waiting for {}", job.key,
                            job.counts.terminal(), job.counts.accepted, job.counts.running,
                            static_cast<int>(job.waiting_for));
    violated("after the faults everything ends", states);
  }
  check_the_end();
}

// A while later nothing is left but what is meant to be kept.
void World::check_the_end() {
  const auto quiet_for = [this](nanoseconds time) {
    const MonoTime until = now() + time;
    while (!events.empty() && events.next() <= until) {
      if (events.served() > kEventsMax)
        violated("nobody turns in a circle", fmt::format("{} events", events.served()));
      oracle.time_is(events.next());
      events.serve_next();
    }
  };
  // A task that still runs may outlast its job's end: a second attempt, or of a cancelled job.
  nanoseconds longest = 100s;
  for (const Fault& fault : plan.faults)
    longest = std::max(longest, fault.at + fault.lasts - (now() - begin) + 100s);
  for (const JobPlan& job : plan.jobs) longest = std::max(longest, 2 * job.rare + 100s);
  for (const JobPlan& job : plan.jobs)
    longest = std::max<nanoseconds>(
        longest, std::chrono::milliseconds(2 * job.options.spec.time_limit_ms) + 100s);
  quiet_for(longest);
  for (const JobPlan& job : plan.jobs) {
    const auto id = oracle.id_of(job.ordinal);
    if (job.options.forget_when_delivered && id && broker->store().kept(*id) != 0)
      violated("what was delivered is forgotten", fmt::format("{}: {} chunks and records are left",
                                                              job.key, broker->store().kept(*id)));
  }
  for (const auto& worker : workers) {
    if (!worker->idle()) violated("in the end nobody holds anything", worker->text());
    oracle.check_told(worker->instance());
  }
  for (const auto& worker : broker->core().view().workers)
    if (worker.leased_tasks != 0)
      violated("in the end nobody holds anything",
               fmt::format("broker: {} tasks leased to {}", worker.leased_tasks, worker.name));
  for (const auto& producer : producers) producer->leave();
  quiet_for(10s + 2 * plan.commit_max);
  for (const JobPlan& job : plan.jobs)
    if (job.options.forget_when_delivered && !oracle.known_forgotten(job.ordinal))
      violated("a delivered job is forgotten with its producer", job.key);
  broker->core().check_invariants();
  for (const auto& worker : workers) worker->check();
}

}  // namespace fanmill::sim
