// The worker agent's state machine: its session with the broker, the queue of leased tasks, and
// which executor runs what. Pure, like the broker's core; the loop around it is worker/agent.hpp,
// and the simulator's is tests/sim.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/blob.hpp"
#include "proto/clock.hpp"
#include "proto/codec.hpp"
#include "proto/executor_frames.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace fanmill::worker {

struct AgentConfig {
  InstanceId instance;
  std::string name;
  std::string host;
  std::uint32_t pid{};
  std::uint32_t slots{};
  std::uint64_t seed = 0;  // for heartbeat and backoff jitter
  Credit window{limits::kWorkerWindowTasks, limits::kWorkerWindowBytes};
  std::vector<Label> labels = {};
  std::string version = {};  // of the program
  // It drains once it has had nothing to do for so long, a broker to talk to included.
  std::optional<nanoseconds> idle_timeout = {};
  // It is gone so long after it began: it drains as soon as a further task would not end by then,
  // as far as the mean run times of its jobs tell; what still runs is killed, and goes back.
  std::optional<nanoseconds> time_limit = {};
};

// ---- events ----
struct BrokerConnected {};  // the channel that Reconnect asked for (or the first one) is there
struct BrokerMessage {
  Envelope<ToWorker> envelope;
  Blob blob;
};
// The connection has ended, or brought bytes that are no message: the session ends and a new one
// is made.
struct BrokerLost {
  Error error;
};
struct ExecutorReady {
  std::uint32_t slot{};
  executor::Hello hello;
};
struct ExecutorDone {
  std::uint32_t slot{};
  executor::Done done;  // its blob is empty; the bytes are here:
  Blob blob;
};
struct ExecutorStopped {
  std::uint32_t slot{};
  std::uint64_t position{};
};
// The answer to LowerEnd, from the page: positions from here on will not run.
struct ExecutorFreed {
  std::uint32_t slot{};
  std::uint64_t from{};
};
// Read from the page now and then while an executor works (see AgentDuties::watch).
struct ExecutorProgress {
  std::uint32_t slot{};
  std::uint64_t started{};
  std::uint64_t finished{};
};
// The process is gone, its last frames have been handed in as events, and its page was read a last
// time.
struct ExecutorDied {
  std::uint32_t slot{};
  std::uint64_t started{};
  std::uint64_t finished{};
  std::int32_t exit_code = -1;
  std::int32_t signal{};
  std::string output_tail;  // what it had printed and not reported: stdout …
  std::string error_tail;   // … and stderr
  std::int64_t at_unix_us = 0;
};
struct DrainRequested {};  // give back what is not started, finish what runs, say Goodbye
struct LeaveAtOnce {};     // every executor is dead already: say Goodbye, so that all goes back
struct Tick {};
using Event = std::variant<BrokerConnected, BrokerMessage, BrokerLost, ExecutorReady, ExecutorDone,
                           ExecutorStopped, ExecutorFreed, ExecutorProgress, ExecutorDied,
                           DrainRequested, LeaveAtOnce, Tick>;

// ---- duties, to be done in the order of the members ----
struct ToSend {
  FromWorker message;
  SessionId session;
  Blob blob;
};
struct DealWork {
  std::uint32_t slot{};
  executor::Work work;  // its blob is empty; the bytes are here:
  Blob blob;
  std::uint64_t end{};  // to be stored in the page before the frame is written
};
struct DealBind {
  std::uint32_t slot{};
  executor::Bind bind;
};
struct DealForget {
  std::uint32_t slot{};
  executor::Forget forget;
};
struct LowerEnd {  // store `end` in the page, then read `started`, and answer ExecutorFreed at once
  std::uint32_t slot{};
  std::uint64_t end{};
};
// What runs of this job in this slot will be killed: functions that ask are told, a command gets
// SIGTERM.
struct TellStopped {
  std::uint32_t slot{};
  JobId job;
};
struct KillExecutor {  // SIGKILL, with the command's group; ExecutorDied follows
  std::uint32_t slot{};
};
struct StartExecutor {  // in this slot, the old process being gone; ExecutorReady follows
  std::uint32_t slot{};
};
using ExecutorDuty = std::variant<DealBind, DealWork, DealForget, LowerEnd, KillExecutor,
                                  StartExecutor, TellStopped>;

struct AgentDuties {
  bool reconnect = false;  // close the channel, connect another, say BrokerConnected
  std::vector<ToSend>
      send;  // on the channel; whatever a closed channel swallowed is sent again by itself
  std::vector<ExecutorDuty> executors;   // in this order
  bool watch = false;                    // hand in ExecutorProgress of every busy slot at wake_at
  bool finished = false;                 // drained: nothing is left to do
  std::string_view drains_because = {};  // it began to drain by itself; told once
  std::optional<MonoTime> wake_at;
};

class AgentCore {
 public:
  AgentCore(AgentConfig config,
            MonoTime now);  // asks for StartExecutor of every slot and for a connection
  AgentCore(AgentCore&&) noexcept;
  ~AgentCore();

  void step(const Event& event, MonoTime now);
  AgentDuties take_duties(MonoTime now);

  struct View {
    bool connected{};
    std::uint64_t queued_tasks{};
    std::uint64_t held_leases{};
    std::uint64_t unacknowledged_reports{};
    std::uint32_t busy_slots{};
  };
  View view() const;
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::worker
