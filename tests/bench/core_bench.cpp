// fanmill-core-bench: what the broker's core costs, with fake fleets in simulated time. CPU time in
// the core alone: no sockets, no codec.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "tests/unit/broker/fleet.hpp"

namespace {

using fanmill::broker::Fleet;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

struct Cost {
  double core_s{};
  double seconds{};
  std::uint64_t tasks{};
  std::uint64_t leases{};
};

struct Case {
  std::size_t workers{};
  std::uint32_t slots = 1;
  std::size_t jobs = 1;
  nanoseconds each{};
  nanoseconds time{};
};

Cost measure(const Case& wanted) {
  Fleet fleet(false);
  for (std::size_t i = 0; i < wanted.workers; ++i) fleet.add_worker({.slots = wanted.slots});
  fleet.run_for(10ms);
  for (std::size_t i = 0; i < wanted.jobs; ++i)
    fleet.add_job({.tasks = 3'000'000 / wanted.jobs, .each = wanted.each});
  fleet.run_for(2 * wanted.each + 200ms);  // the start is not what is asked for
  const auto tasks = [&] {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < wanted.jobs; ++i) all += fleet.done(i);
    return all;
  };
  const std::uint64_t core = fleet.core_ns();
  const std::uint64_t done = tasks();
  const std::uint64_t leases = fleet.leases();
  fleet.run_for(wanted.time);
  return {static_cast<double>(fleet.core_ns() - core) / 1e9,
          std::chrono::duration<double>(wanted.time).count(), tasks() - done,
          fleet.leases() - leases};
}

void show(const char* what, const Cost& cost) {
  fmt::print(
      "{:<44} {:>8} tasks {:>8} leases  {:>7.0f} ns per task {:>7.0f} ns per lease {:>6.3f} of a "
      "core\n",
      what, cost.tasks, cost.leases, cost.core_s * 1e9 / static_cast<double>(cost.tasks),
      cost.core_s * 1e9 / static_cast<double>(cost.leases), cost.core_s / cost.seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const char* only = argc > 1 ? argv[1] : "";
  const auto wanted = [&](const char* name) { return std::strstr(name, only) != nullptr; };
  double one = 0;
  double many = 0;
  const auto per_task = [](const Cost& cost) {
    return cost.core_s / static_cast<double>(cost.tasks);
  };
  if (wanted("sleeps")) {
    const Cost a = measure({.workers = 1, .each = 10ms, .time = 200s});
    const Cost b = measure({.workers = 64, .each = 10ms, .time = 10s});
    show("1 worker, 10 ms sleeps", a);
    show("64 workers, 10 ms sleeps", b);
    one = per_task(a);
    many = per_task(b);
    fmt::print("64 workers cost {:.2f} times what 1 costs, per task\n", many / one);
  }
  if (wanted("sessions"))
    show("10,000 one-slot workers, 100 ms tasks",
         measure({.workers = 10'000, .each = 100ms, .time = 3s}));
  if (wanted("jobs")) {
    const Cost a = measure({.workers = 4, .slots = 4, .jobs = 1, .each = 1ms, .time = 10s});
    const Cost b = measure({.workers = 4, .slots = 4, .jobs = 1000, .each = 1ms, .time = 10s});
    show("1 job of 1 ms tasks, 16 slots", a);
    show("1,000 jobs of 1 ms tasks, 16 slots", b);
    fmt::print(
        "1,000 waiting jobs cost {:.2f} times what 1 costs, per lease\n",
        b.core_s / static_cast<double>(b.leases) / (a.core_s / static_cast<double>(a.leases)));
  }
  if (wanted("noop"))
    show("4 slots, 1 us tasks", measure({.workers = 1, .slots = 4, .each = 1us, .time = 300ms}));
  return 0;
}
