// The broker's state machine: ventilator, sink, sessions and jobs. Pure: no socket, file, clock,
// thread, log or random source; time and events come in, ordered duties go out. The loop around it
// is broker/loop.hpp, and the simulator's is tests/sim.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/duties.hpp"
#include "broker/core/life.hpp"
#include "broker/core/recovered.hpp"
#include "proto/clock.hpp"
#include "proto/codec.hpp"
#include "proto/error.hpp"
#include "proto/limits.hpp"

namespace fanmill::broker {

struct CoreConfig {
  Life life;
  std::uint64_t seed = 0;  // for jitter and session ids; the core draws nothing else at random
  std::string durability = "memory";  // the level named to producers
  nanoseconds heartbeat_interval = limits::kHeartbeatInterval;
  nanoseconds lease_duration = limits::kLeaseDuration;
  nanoseconds producer_gone_after = limits::kProducerGoneAfter;
  nanoseconds ack_delay = limits::kAckDelay;  // of Accepted and ReportsTaken; zero: at once
  std::uint64_t results_cap = limits::kResultsCap;
  std::uint64_t unread_batches_max = limits::kUnreadBatchesMax;
  std::uint64_t producer_window_tasks = limits::kProducerWindowTasks;
  std::uint64_t producer_window_bytes = limits::kProducerWindowBytes;
  bool news = false;  // what happens to jobs is told in Duties::news
  // For people who ask for the broker's status.
  std::string version;
  std::vector<std::string> addresses;
};

// ---- events ----
struct MessageArrived {
  PeerId peer;
  Envelope<ToBroker> envelope;
  Blob blob;
};
struct MalformedArrived {  // bytes that are no message: a strike against the session, and an answer
  PeerId peer;
  Error error;
};
struct PeerGone {  // the transport says that nobody is there any more
  PeerId peer;
};
struct Durable {  // every write up to this number (from 1, in the order handed over) is durable
  std::uint64_t write{};
};
struct Paused {  // the loop stood still for so long: nobody's lease is charged for it
  nanoseconds gap;
};
struct StoreFull {  // the disk is, or has room again: no tuples are taken meanwhile
  bool full{};
};
struct Tick {};
using Event =
    std::variant<MessageArrived, MalformedArrived, PeerGone, Durable, Paused, StoreFull, Tick>;

// ---- what a test or `status` may look at ----
struct JobView {
  JobId job;
  std::string key;
  JobCounts counts;
  bool closed{};
  bool ended{};  // every task terminal and every row acknowledged
  WaitingFor waiting_for{};
};
struct WorkerView {
  SessionId session;
  std::string name;
  std::uint32_t slots{};
  std::uint64_t leased_tasks{};
  std::uint64_t leases{};
};
struct CoreView {
  std::vector<JobView> jobs;
  std::vector<WorkerView> workers;
  std::uint64_t stale_results{};  // reports answered but not counted: their tasks had a record
  std::uint64_t expired_leases{};
  std::uint64_t malformed{};
};

class Core {
 public:
  explicit Core(CoreConfig config);
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;
  ~Core();

  void reached_at(std::vector<std::string> addresses);  // CoreConfig::addresses, once bound
  // What earlier lives of the broker have left, before the first step; config.life is later than
  // theirs. Refused (kMalformedInput): it contradicts itself.
  Result<void> restore(Recovered recovered, MonoTime now);

  // `now` never decreases. Timers that are due are served by every step.
  void step(const Event& event, MonoTime now);
  // Everything asked for since the last call. Dispatch happens here, once for all events of a turn.
  Duties take_duties(MonoTime now);

  CoreView view() const;
  // Aborts (FANMILL_ASSERT) where the state contradicts itself; linear in the state, for tests.
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::broker
