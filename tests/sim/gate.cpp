// fanmill-sim-mutants: the test of the simulator. Each deliberate bug of the cores must be found
// within so many seeds, else an invariant is missing.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "broker/core/mutation.hpp"
#include "tests/sim/runner.hpp"
#include "worker/mutation.hpp"

namespace {

using namespace fanmill::sim;
using InBroker = fanmill::broker::Mutation;
using InWorker = fanmill::worker::Mutation;

constexpr std::uint64_t kSeeds = 500;

struct Mutant {
  std::string name;
  InBroker broker = InBroker::kNone;
  InWorker worker = InWorker::kNone;
  bool required = true;
  const char* why = "";  // it cannot be required
};

#define FANMILL_BROKER_MUTANT(name) {"broker " #name, InBroker::name, InWorker::kNone, true, ""}
#define FANMILL_WORKER_MUTANT(name) {"worker " #name, InBroker::kNone, InWorker::name, true, ""}

std::vector<Mutant> mutants() {
  return {
      FANMILL_BROKER_MUTANT(kAckRepeatedSubmitEarly),
      FANMILL_BROKER_MUTANT(kAckSubmitEarly),
      FANMILL_BROKER_MUTANT(kAckResultsEarly),
      FANMILL_BROKER_MUTANT(kLeaseBeforeDurable),
      FANMILL_BROKER_MUTANT(kRowsBeforeDurable),
      FANMILL_BROKER_MUTANT(kTakeWhenFull),
      FANMILL_BROKER_MUTANT(kAcceptStaleFailure),
      FANMILL_BROKER_MUTANT(kRecordTwice),
      FANMILL_BROKER_MUTANT(kReuseTokens),
      FANMILL_BROKER_MUTANT(kSkipReportOrder),
      FANMILL_BROKER_MUTANT(kExpireAfterPause),
      FANMILL_BROKER_MUTANT(kChargeUnstarted),
      FANMILL_BROKER_MUTANT(kLoseAtOnce),
      FANMILL_BROKER_MUTANT(kKeepUnclaimedLeases),
      FANMILL_BROKER_MUTANT(kDropReturnedRange),
      FANMILL_BROKER_MUTANT(kSkipDigestComparison),
      FANMILL_BROKER_MUTANT(kForgetRetryAfterCrash),
      FANMILL_BROKER_MUTANT(kForgetLostLeases),
      FANMILL_BROKER_MUTANT(kDealLostAtOnce),
      FANMILL_BROKER_MUTANT(kSuspectsTogether),
      FANMILL_BROKER_MUTANT(kRepeatAtMostOnce),
      FANMILL_BROKER_MUTANT(kDealAheadAtMostOnce),
      FANMILL_BROKER_MUTANT(kIgnoreHalt),
      FANMILL_BROKER_MUTANT(kRetrySucceeded),
      FANMILL_BROKER_MUTANT(kForgetRoundFence),
      FANMILL_BROKER_MUTANT(kCreditAsDelta),
      FANMILL_BROKER_MUTANT(kExceedCredit),
      FANMILL_BROKER_MUTANT(kIgnoreWindow),
      FANMILL_BROKER_MUTANT(kDealPaused),
      FANMILL_BROKER_MUTANT(kPauseWithoutRecall),
      FANMILL_BROKER_MUTANT(kIgnoreLabels),
      FANMILL_BROKER_MUTANT(kIgnoreSignature),
      FANMILL_BROKER_MUTANT(kIgnorePriority),
      FANMILL_BROKER_MUTANT(kOutOfOrderRows),
      FANMILL_BROKER_MUTANT(kEndBeforeAcknowledged),
      FANMILL_BROKER_MUTANT(kNoRewind),
      FANMILL_BROKER_MUTANT(kForgetUnacknowledged),
      FANMILL_BROKER_MUTANT(kShareCursor),
      FANMILL_BROKER_MUTANT(kStealOwnership),
      FANMILL_BROKER_MUTANT(kPushTwice),
      FANMILL_BROKER_MUTANT(kPushWithGaps),
      FANMILL_BROKER_MUTANT(kAckPushEarly),
      FANMILL_BROKER_MUTANT(kForgetPushers),
      FANMILL_BROKER_MUTANT(kSteerAgain),
      FANMILL_BROKER_MUTANT(kChargeAgainAfterRestart),
      FANMILL_BROKER_MUTANT(kKeepLowestClaim),
      FANMILL_BROKER_MUTANT(kForgetAwaited),
      FANMILL_BROKER_MUTANT(kNoAwaiting),
      FANMILL_BROKER_MUTANT(kLowHorizon),
      FANMILL_BROKER_MUTANT(kForgetCharges),
      FANMILL_BROKER_MUTANT(kForgetRecords),
      FANMILL_BROKER_MUTANT(kForgetPushSequences),
      FANMILL_BROKER_MUTANT(kRestartRowsAnew),
      FANMILL_BROKER_MUTANT(kReuseEpoch),
      FANMILL_WORKER_MUTANT(kChargeUnstarted),
      FANMILL_WORKER_MUTANT(kRequeueReported),
      FANMILL_WORKER_MUTANT(kForgetReports),
      FANMILL_WORKER_MUTANT(kRecallStarted),
      FANMILL_WORKER_MUTANT(kStartAfterDeadline),
      FANMILL_WORKER_MUTANT(kDigestDropsOne),
      FANMILL_WORKER_MUTANT(kRepeatAtMostOnce),
      FANMILL_WORKER_MUTANT(kLoseReturned),
      FANMILL_WORKER_MUTANT(kDealBeforeStopped),
      FANMILL_WORKER_MUTANT(kCreditForgetsHeld),
      FANMILL_WORKER_MUTANT(kRepeatLease),
      FANMILL_WORKER_MUTANT(kKeepReportNumbers),
      FANMILL_WORKER_MUTANT(kTimeLimitRequeues),
  };
}

std::string first_line(const std::string& text, std::size_t most) {
  return text.substr(0, std::min(most, text.find('\n')));
}

}  // namespace

int main(int argc, char** argv) {
  const char* only = argc > 1 ? argv[1] : nullptr;
  std::vector<Mutant> all = mutants();
  if (only != nullptr)
    all.erase(std::remove_if(all.begin(), all.end(),
                             [only](const Mutant& mutant) {
                               return mutant.name.find(only) == std::string::npos;
                             }),
              all.end());
  std::vector<Batch> batches;
  for (const Mutant& mutant : all) {
    Batch batch;
    batch.first = 1;
    batch.last = kSeeds;
    batch.stop_at_first = true;
    batch.prepare = [broker = mutant.broker, worker = mutant.worker] {
      fanmill::broker::active_mutation = broker;
      fanmill::worker::active_mutation = worker;
    };
    batches.push_back(std::move(batch));
  }
  run_batches(batches, static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))), 0,
              batches.size());

  std::size_t found = 0;
  bool complete = !all.empty();
  std::printf("%-34s %-6s %s\n", "mutation", "seed", "found by");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Mutant& mutant = all[i];
    if (batches[i].findings.empty()) {
      std::printf("%-34s %-6s %s\n", mutant.name.c_str(), "-",
                  mutant.required ? "NOT FOUND" : mutant.why);
      complete = complete && !mutant.required;
      continue;
    }
    ++found;
    const Finding& finding = batches[i].findings.front();
    std::printf("%-34s %-6llu %s: %s\n", mutant.name.c_str(),
                static_cast<unsigned long long>(finding.seed), finding.invariant.c_str(),
                first_line(finding.text, 110).c_str());
  }
  std::printf("%zu of %zu deliberate bugs found within %llu seeds\n", found, all.size(),
              static_cast<unsigned long long>(kSeeds));
  return complete ? 0 : 1;
}
