// What the broker knows of one worker session: what it may be given, what it holds, and when it was
// heard.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/rates.hpp"
#include "proto/clock.hpp"
#include "proto/ids.hpp"
#include "proto/messages.hpp"
#include "proto/range_set.hpp"

namespace fanmill::broker {

struct HeldLease {
  AttemptToken token;
  JobId job;
  std::uint64_t number{};  // in the session; 0 if it came with the hello
  RangeSet unfinished;
  std::uint32_t attempt{};
  std::uint64_t bytes{};
  MonoTime sent;
  bool reported = false;  // a report of it has arrived
  double charged{};       // to its job's virtual time, for what is unfinished
  double ran_ns{};        // that heartbeats have seen its tasks run
  double fill{};          // of what the worker should hold
};

// One job at one worker, since it was first dealt there.
struct Share {
  JobId job;
  std::int32_t priority{};
  bool bound = false;  // the worker knows its JobSpec
  std::uint64_t leased{};
  double fill{};               // of what the worker should hold
  bool unstarted = false;      // some of it may not have been started
  std::uint64_t last_lease{};  // the number of the latest
  // ---- asked back (recalls.hpp) ----
  std::uint32_t recall{};        // the number of the request that is out, or 0
  bool recall_all = false;       // it asks for everything that is not started
  std::uint64_t recall_after{};  // of the leases up to this one
  MonoTime recall_until;         // then it is given up
};

// How full a worker is of tasks of one priority, 1 being all it should hold.
struct Fill {
  std::int32_t priority{};
  std::uint64_t tasks{};
  double fill{};
};

// Hosts are compared by it.
inline std::uint64_t digest_of_host(const std::string& host) {
  return std::max<std::uint64_t>(1, std::hash<std::string>{}(host));
}

struct Line;

struct Worker {
  SessionId session;
  PeerId peer;
  InstanceId instance;
  std::uint32_t attempt{};  // of the hello
  std::uint64_t ordinal{};  // by age
  std::string name;
  std::string label;  // "name@host"
  std::string host;
  std::uint32_t slots{};
  std::vector<FunctionOffer> offers;
  std::vector<Label> labels;
  std::uint32_t pid{};
  std::string version;
  WorkerWelcome welcome;

  MonoTime heard;
  MonoTime heartbeat;  // the last one came then
  bool gone = false;   // the transport lost it; it may come back until its leases end
  bool draining = false;
  std::uint32_t strikes{};

  // ---- what it may be given ----
  Credit credit;
  Credit used;
  std::vector<Line*> lines;   // of jobs that it can run
  std::vector<Share> shares;  // by rising job
  std::vector<Fill> fill;     // by rising priority, of those that it holds tasks of

  bool stuffed = false;  // the next tasks did not fit into its credit

  // ---- what it holds ----
  // Tokens rise with the lease's number; those that came with the hello have the lowest.
  std::map<AttemptToken, HeldLease> leases;
  std::uint64_t digest{};  // over their tokens
  std::uint64_t leased_tasks{};
  std::uint64_t leased_bytes{};
  std::uint64_t leases_sent{};
  std::uint64_t leases_seen{};
  std::uint64_t after_until{};  // a lease waits for this write: later ones must not overtake it
  std::vector<RunningTask> running;

  // ---- what it said ----
  std::uint64_t reports{};       // the last one processed
  std::uint64_t acknowledged{};  // the last one that ReportsTaken named
  bool ack_due = false;
  bool ack_armed = false;  // a kReports timer is out

  // ---- what came of it ----
  std::uint64_t recorded{};  // tasks
  MovingRate recorded_rate;
  MonoTime joined;

  // ---- recall ----
  std::uint32_t recalls{};
  std::uint32_t recalls_out{};
  MonoTime recall_not_before;

  // ---- suspects (losses.hpp) ----
  bool alone = false;             // it holds one, and is given nothing beside it
  std::optional<JobId> clearing;  // it is given nothing until one of this job can run here

  bool dirty = false;           // something changed since it was last served
  std::uint64_t load_key{};     // leased tasks per slot
  std::uint64_t listed_load{};  // the same, where it stands in World::by_load
  bool listed = false;          // it is there

  bool may_be_given() const { return !gone && !draining; }
  const FunctionOffer* offer(const std::string& function) const;
  Share* find_share(JobId job);
  Share& share(JobId job);
  void forget_share(JobId job);
  // Tasks of this priority come, or go again.
  void fill_up(std::int32_t priority, std::uint64_t tasks, double by);
  void drain_off(std::int32_t priority, std::uint64_t tasks, double by);
};

}  // namespace fanmill::broker
