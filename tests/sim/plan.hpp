// What one seed turns on: who is there, what they do, and what goes wrong. Swarm testing: every
// feature is off in some seeds, so that none hides another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/messages.hpp"
#include "tests/sim/basics.hpp"

namespace fanmill::sim {

enum class Behaviour : std::uint8_t {
  kSucceeds,
  kFailsOnce,
  kFails,
  kCrashesOnce,
  kCrashes,
  kHangs,  // far beyond the job's time limit
};

// Who pushes tuples [first, first + tuples) of a job, whatever indexes these are given.
struct PusherPlan {
  std::string key;
  std::uint64_t first{};
  std::uint64_t tuples{};
};

struct JobPlan {
  std::uint32_t ordinal{};
  std::uint32_t producer{};
  std::string key;
  JobOptions options;
  RowOrder order{};
  std::uint64_t tuples{};
  std::uint64_t chunk_tuples{};  // of the longest chunk
  nanoseconds feed_pause{};      // between two chunks; zero: as fast as credit allows
  nanoseconds read_pause{};      // before rows are taken care of
  std::optional<nanoseconds> cancel_after;
  std::uint64_t cancel_grace_ms{};
  std::optional<nanoseconds> pause_after;  // by somebody
  nanoseconds pause_lasts{};
  std::uint64_t closes_late_ms{};  // the source stays open and idle
  // Durations: most tasks take `usual`, one in `rare_every` takes `rare`.
  nanoseconds usual{};
  nanoseconds rare{};
  std::uint64_t rare_every{};
  // Of 1000 tasks so many …
  std::uint32_t fail_once{}, fail{}, crash_once{}, crash{}, hang{};
  std::uint32_t tuple_pad{}, value_pad{};  // longest padding
  std::uint64_t salt{};

  std::vector<PusherPlan> pushers;  // none: its producer submits them all

  Behaviour behaviour(std::uint64_t index) const;
  nanoseconds duration(std::uint64_t index) const;
  std::uint32_t crash_limit() const;
};

struct WorkerPlan {
  std::uint32_t slots{};
  Credit window;
  std::vector<std::string> functions;
  std::string signature = "(...)";  // of all of them
  std::vector<Label> labels;
  nanoseconds starts_after{};
};

// Somebody else at a job that is kept.
enum class ObserverRole : std::uint8_t { kReads, kPushes, kSteers, kRetries };
struct ObserverPlan {
  ObserverRole role{};
  std::uint32_t job{};
  nanoseconds starts_after{};
  // Reads.
  RowOrder order{};
  std::uint64_t window{};
  nanoseconds read_pause{};
  bool silent{};  // takes what the window allows, and no more
  // Pushes.
  std::uint32_t pusher{};
  std::uint64_t chunk_tuples{};
  // Steers: pauses the job then, for so long.
  std::vector<std::pair<nanoseconds, nanoseconds>> pauses;
  // Retries: runs again what failed once everybody has read it all, so often; then reads it all.
  std::uint32_t rounds{};
};

enum class FaultKind : std::uint8_t {
  kKillExecutor,
  kKillWorker,
  kDrainWorker,
  kPauseWorker,
  kPauseProducer,
  kPauseBroker,
  kKillBroker,
  kDiskFull,    // commits wait until it has room again, but for what a reserve lets through
  kSyncFails,   // the next one of the broker, which ends with it
  kPartition,   // of one peer's link: to the broker, from it, or both
  kDisconnect,  // the transport loses a connection; the peer notices later by itself
};
struct Fault {
  FaultKind kind{};
  nanoseconds at{};
  nanoseconds lasts{};
  std::uint32_t target{};
  bool to_broker{}, from_broker{};
};

struct Plan {
  std::uint64_t seed{};
  std::vector<WorkerPlan> workers;
  std::uint32_t producers{};
  std::vector<JobPlan> jobs;
  std::vector<std::uint64_t> reader_windows;  // by producer
  std::vector<ObserverPlan> observers;

  // Network.
  nanoseconds latency{};
  nanoseconds jitter{};
  double loss{};
  double repeat{};
  double reorder{};
  double garble{};
  bool partition_holds{};  // what is sent in a partition arrives after it (a live TCP connection)
  bool peer_gone{};        // the broker is told of closed connections
  double codec{};          // of messages that pass through the real codec

  double start_failures{};  // of executors

  // Broker.
  nanoseconds turn_delay{};  // messages collected for one turn
  nanoseconds commit_min{}, commit_max{};
  std::uint64_t producer_window_tasks{}, producer_window_bytes{};
  std::uint64_t results_cap{};

  std::vector<Fault> faults;
  nanoseconds horizon{};   // no fault begins or goes on after it
  nanoseconds liveness{};  // after it everything ends within so much

  std::string text() const;
};

Plan make_plan(std::uint64_t seed);

}  // namespace fanmill::sim
