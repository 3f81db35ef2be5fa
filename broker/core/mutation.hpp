// Deliberate bugs for the tests of the tests: a simulator or a unit test that does not notice one
// of these is worthless. Outside fanmill_broker_core_mutable every question is answered at compile
// time with no.
#pragma once

#include <cstdint>

namespace fanmill::broker {

enum class Mutation : std::uint8_t {
  kNone = 0,
  // -- acknowledged before durable --
  kAckRepeatedSubmitEarly,  // a repeated Submit is answered at once, not after the chunk's commit
  kAckSubmitEarly,          // the first Accepted of a chunk leaves before its commit
  kAckResultsEarly,         // ReportsTaken leaves before the records' commit
  kLeaseBeforeDurable,      // a lease leaves before its chunk's commit
  kRowsBeforeDurable,       // rows leave before their record's commit
  kTakeWhenFull,            // tuples are taken although the store has no room
  // -- who may say what --
  kAcceptStaleFailure,  // a failure or crash counts although its token no longer holds the task
  kRecordTwice,         // a second success of a task that has a record is recorded too
  kReuseTokens,         // every second lease gets the token of the one before it
  kSkipReportOrder,     // reports are processed out of order, and repeats of them again
  // -- leases --
  kExpireAfterPause,       // a pause of the broker is charged to the workers' leases
  kChargeUnstarted,        // a lost worker's unstarted tasks are charged a loss like running ones
  kLoseAtOnce,             // one loss with its worker dead-letters a task
  kKeepUnclaimedLeases,    // a re-hello does not return the leases it does not name
  kDropReturnedRange,      // the last range of a Returned is forgotten
  kSkipDigestComparison,   // heartbeats renew whatever the broker believes, lost leases included
  kForgetRetryAfterCrash,  // a crashed task below its limit is never dealt again
  kForgetLostLeases,       // the tasks of a lost worker are not dealt again
  kKeepLossCharges,        // a worker that comes back is not refunded
  kDealLostAtOnce,         // a task that ran at a lost worker is dealt again at once
  kSuspectsTogether,       // suspects run beside others
  kRepeatAtMostOnce,       // what may have run is dealt again although it must not
  kDealAheadAtMostOnce,    // such tasks are dealt to busy slots
  // -- policies --
  kIgnoreHalt,  // a job's halt policy is not looked at
  // -- rounds --
  kRetrySucceeded,    // a retry takes tasks that have succeeded along
  kForgetRoundFence,  // a success of an earlier round counts in a later one
  // -- flow --
  kCreditAsDelta,  // every credit message is added to what was there
  kExceedCredit,   // leases go beyond the worker's credit
  kIgnoreWindow,   // rows are sent past the reader's window
  // -- whose turn, and where --
  kDealPaused,          // a job that stands still is dealt on
  kPauseWithoutRecall,  // what was not started of such a job stays at the workers
  kIgnoreLabels,        // a job is dealt to workers without its labels
  kIgnoreSignature,     // a job is dealt to workers that offer its function with another signature
  kIgnorePriority,      // whoever was served least goes first, whatever its priority
  // -- delivery --
  kOutOfOrderRows,         // in input order, a gap before the next recorded slice is jumped over
  kEndBeforeAcknowledged,  // JobEnded once every task is terminal, acknowledged or not
  kNoRewind,               // a repeated Gather does not send lost rows again
  kForgetUnacknowledged,   // rows are dropped from the store when they are sent
  kShareCursor,            // what one reader acknowledges, another one of the job has acknowledged
  kStealOwnership,         // who gathers a job owns it, though its owner lives
  // -- pushes --
  kPushTwice,      // a repeated chunk of a key is taken again
  kPushWithGaps,   // a chunk is taken although one of its key before it is missing
  kAckPushEarly,   // Pushed leaves before the chunk's commit
  kForgetPushers,  // nobody is told that there is room again
  // -- steering --
  kSteerAgain,  // a late repetition of what was asked for is done again
  // -- restarts --
  kChargeAgainAfterRestart,  // a failure that was charged before a restart is charged again
  kKeepLowestClaim,          // of several claims after a restart the first to come is kept
  kForgetAwaited,            // what nobody claims after a restart is never dealt again
  kNoAwaiting,               // what may be under way is dealt at once after a restart
  kLowHorizon,               // tasks are dealt before the store knows that they may have been
  kForgetCharges,            // attempts are counted anew after a restart
  kForgetRecords,            // what has a record is done again after a restart
  kForgetPushSequences,      // what was pushed before a restart may be pushed again
  kRestartRowsAnew,          // after a restart rows are numbered anew
  kReuseEpoch,               // a life has the epoch of the one before it
};
inline constexpr int kMutations = static_cast<int>(Mutation::kReuseEpoch);

#ifdef FANMILL_MUTATIONS
// The bug that is switched on, in the whole process; tests set it before they make a core.
inline Mutation active_mutation = Mutation::kNone;
inline bool mutated(Mutation mutation) { return active_mutation == mutation; }
#else
constexpr bool mutated(Mutation /*mutation*/) { return false; }
#endif

}  // namespace fanmill::broker
