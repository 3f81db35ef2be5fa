// Deliberate bugs of the agent core, for the simulator: a test suite that does not find them proves
// nothing. They exist only in the library fanmill_worker_core_mutable (FANMILL_MUTATIONS defined);
// everywhere else mutated() is the constant false and leaves no code behind.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fanmill::worker {

enum class Mutation : std::uint8_t {
  kNone,
  // After a crash the first task that had *not* started is reported as crashed.
  kChargeUnstarted,
  // After a crash the last tasks that the dead executor had reported run again.
  kRequeueReported,
  // Reports without acknowledgement are thrown away when the session ends, instead of sent again.
  kForgetReports,
  // A recall is answered with tasks that an executor has started, too; they go on running.
  kRecallStarted,
  // The lease deadline is ignored: queued tasks start however long the broker has been silent.
  kStartAfterDeadline,
  // Heartbeats leave the oldest lease out of count and digest while tasks of it are still there.
  kDigestDropsOne,
  // What has run and was not reported when its executor died runs again, at most once or not.
  kRepeatAtMostOnce,
  // Every third Returned is never sent, and not sent again either; its tasks are forgotten.
  kLoseReturned,
  // An executor gets further work after LowerEnd without waiting for its Stopped.
  kDealBeforeStopped,
  // Credit is announced as if what arrived had been finished already.
  kCreditForgetsHeld,
  // A Lease that arrives twice is queued twice once the first copy has been finished.
  kRepeatLease,
  // Reports of an earlier session are sent again under the numbers they had there.
  kKeepReportNumbers,
  // A task killed at its time limit goes back to the queue instead of being reported.
  kTimeLimitRequeues,
};

inline constexpr std::array<Mutation, 13> kAllMutations = {
    Mutation::kChargeUnstarted,   Mutation::kRequeueReported,    Mutation::kForgetReports,
    Mutation::kRecallStarted,     Mutation::kStartAfterDeadline, Mutation::kDigestDropsOne,
    Mutation::kRepeatAtMostOnce,  Mutation::kLoseReturned,       Mutation::kDealBeforeStopped,
    Mutation::kCreditForgetsHeld, Mutation::kRepeatLease,        Mutation::kKeepReportNumbers,
    Mutation::kTimeLimitRequeues,
};

constexpr std::string_view name_of(Mutation mutation) {
  switch (mutation) {
    case Mutation::kNone:
      return "none";
    case Mutation::kChargeUnstarted:
      return "worker-charge-unstarted";
    case Mutation::kRequeueReported:
      return "worker-requeue-reported";
    case Mutation::kForgetReports:
      return "worker-forget-reports";
    case Mutation::kRecallStarted:
      return "worker-recall-started";
    case Mutation::kStartAfterDeadline:
      return "worker-start-after-deadline";
    case Mutation::kDigestDropsOne:
      return "worker-digest-drops-one";
    case Mutation::kRepeatAtMostOnce:
      return "worker-repeat-at-most-once";
    case Mutation::kLoseReturned:
      return "worker-lose-returned";
    case Mutation::kDealBeforeStopped:
      return "worker-deal-before-stopped";
    case Mutation::kCreditForgetsHeld:
      return "worker-credit-forgets-held";
    case Mutation::kRepeatLease:
      return "worker-repeat-lease";
    case Mutation::kKeepReportNumbers:
      return "worker-keep-report-numbers";
    case Mutation::kTimeLimitRequeues:
      return "worker-time-limit-requeues";
  }
  return "?";
}

inline constexpr int kMutations = static_cast<int>(kAllMutations.size());

#ifdef FANMILL_MUTATIONS
// The bug that is switched on, in the whole process; tests set it before they make a core.
inline Mutation active_mutation = Mutation::kNone;
inline bool mutated(Mutation mutation) { return active_mutation == mutation; }
#else
constexpr bool mutated(Mutation /*mutation*/) { return false; }
#endif

}  // namespace fanmill::worker
