// What the broker knows of one worker session: what it may be given, what it holds, and when it was
// heard.
#pragma once

#include <cstdint>
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
};

// One job at one worker.
struct Share {
  JobId job;
  bool offered = false;  // the worker can run it
  bool bound = false;    // the worker knows its JobSpec
  std::uint64_t leased{};
};

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
  std::vector<Share> shares;

  bool stuffed = false;  // the next tasks did not fit into its credit

  // ---- what it holds ----
  // By token counter, which rises with the lease's number; those that came with the hello have the
  // lowest.
  std::map<std::uint64_t, HeldLease> leases;
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
  std::optional<MonoTime> recall_until;  // one is out
  MonoTime recall_not_before;

  bool dirty = false;        // something changed since it was last served
  std::uint64_t load_key{};  // its place in World::by_load
  bool listed = false;       // it is in World::by_load

  bool may_be_given() const { return !gone && !draining; }
  const FunctionOffer* offer(const std::string& function) const;
  Share* find_share(JobId job);
  Share& share(JobId job, const std::string& function);
  void forget_share(JobId job);
};

}  // namespace fanmill::broker
