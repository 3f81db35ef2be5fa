// One simulated installation: what all its parts share. The parts know each other only through it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/basics.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/plan.hpp"

namespace fanmill::sim {

class Network;
class SimBroker;
class SimWorker;
class SimProducer;
class SimObserver;

struct World {
  World(const Plan& given, Trace& traced);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const Plan& plan;
  Trace& trace;
  EventQueue events;
  Random random;
  Oracle oracle;
  MonoTime begin;
  bool calm = false;  // the faults have stopped
  std::uint64_t instances = 0;

  std::unique_ptr<Network> network;
  std::unique_ptr<SimBroker> broker;
  std::vector<std::unique_ptr<SimWorker>> workers;
  std::vector<std::unique_ptr<SimProducer>> producers;
  std::vector<std::unique_ptr<SimObserver>> observers;

  MonoTime now() const { return events.now(); }
  InstanceId next_instance() { return {mix(plan.seed ^ ++instances) | 1}; }
  template <class Text>
  void tell(Text&& text) {
    if (trace.wanted()) trace.line(now(), text());
  }

  // Whoever reads this job, but for who reads what was retried.
  bool readers_are_done(std::uint32_t job) const;
  // Until everything has ended; throws Violation.
  void run();
  void kill_broker(nanoseconds away);

 private:
  bool all_over() const;
  void begin_fault(const Fault& fault);
  void serve_until(MonoTime time);
  void check_the_end();
};

}  // namespace fanmill::sim
