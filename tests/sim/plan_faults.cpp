#include "tests/sim/plan_faults.hpp"

#include <algorithm>

namespace fanmill::sim {

void plan_faults(Random& random, Plan& plan, double estimate) {
  const auto peers =
      static_cast<std::uint32_t>(plan.workers.size() + plan.observers.size()) + plan.producers;
  const auto some_time = [&] {
    return nanoseconds(static_cast<std::int64_t>(1e9 * estimate * random.unit() *
                                                 (random.chance(0.3) ? random.unit() : 1.0)));
  };
  const auto add = [&](double chance, std::uint64_t most, FaultKind kind, nanoseconds least,
                       nanoseconds longest) {
    if (!random.chance(chance)) return;
    for (std::uint64_t i = random.between(1, most); i > 0; --i) {
      Fault fault;
      fault.kind = kind;
      fault.at = some_time();
      fault.lasts = random.magnitude(least, longest);
      fault.target = static_cast<std::uint32_t>(
          kind == FaultKind::kPartition || kind == FaultKind::kDisconnect
              ? random.between(0, peers - 1)
          : kind == FaultKind::kPauseProducer ? random.between(0, plan.producers - 1)
                                              : random.between(0, plan.workers.size() - 1));
      fault.to_broker = random.chance(0.7);
      fault.from_broker = !fault.to_broker || random.chance(0.6);
      plan.faults.push_back(fault);
    }
  };
  add(0.35, 12, FaultKind::kKillExecutor, 1ms, 2ms);
  add(0.3, 4, FaultKind::kKillWorker, 1ms, 20s);
  add(0.15, 2, FaultKind::kDrainWorker, 1ms, 20s);
  add(0.25, 3, FaultKind::kPauseWorker, 1ms, random.chance(0.2) ? 600s : 20s);
  add(0.15, 2, FaultKind::kPauseProducer, 1ms, 90s);
  add(0.25, 3, FaultKind::kPauseBroker, 1ms, random.chance(0.2) ? 600s : 20s);
  add(0.35, 4, FaultKind::kPartition, 10ms, 30s);
  add(0.2, 4, FaultKind::kDisconnect, 1ms, 2ms);
  std::stable_sort(plan.faults.begin(), plan.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

// The broker dies, at any moment, and starts again on what its disk has.
void plan_deaths(Random& random, Plan& plan, double estimate) {
  if (!random.chance(0.5)) return;
  for (std::uint64_t i = random.between(1, 4); i > 0; --i) {
    Fault fault;
    fault.kind = FaultKind::kKillBroker;
    fault.at = nanoseconds(static_cast<std::int64_t>(1e9 * estimate * random.unit()));
    fault.lasts = random.magnitude(1ms, 20s);
    plan.faults.push_back(fault);
    if (!random.chance(0.4)) continue;
    // Somebody who was lost before comes back after it, with what others have by then.
    Fault absence;
    absence.kind = FaultKind::kPauseWorker;
    absence.target = static_cast<std::uint32_t>(random.between(0, plan.workers.size() - 1));
    const nanoseconds before = random.between(nanoseconds(7s), nanoseconds(20s));
    absence.at = std::max(fault.at - before, nanoseconds(0));
    absence.lasts = fault.at - absence.at + random.magnitude(1ms, 10s);
    plan.faults.push_back(absence);
  }
  std::stable_sort(plan.faults.begin(), plan.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

void plan_disk(Plan& plan, double estimate) {
  Random random(mix(plan.seed ^ 0xd15c));
  const auto add = [&](FaultKind kind, nanoseconds most) {
    if (!random.chance(0.15)) return;
    for (std::uint64_t i = random.between(1, 3); i > 0; --i) {
      Fault fault;
      fault.kind = kind;
      fault.at = nanoseconds(static_cast<std::int64_t>(1e9 * estimate * random.unit()));
      fault.lasts = random.magnitude(1ms, most);
      plan.faults.push_back(fault);
    }
  };
  add(FaultKind::kDiskFull, 40s);
  add(FaultKind::kSyncFails, 20s);
  std::stable_sort(plan.faults.begin(), plan.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

}  // namespace fanmill::sim
