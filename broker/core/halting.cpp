#include "broker/core/halting.hpp"

#include <fmt/format.h>

#include <string>

#include "broker/core/lifecycle.hpp"
#include "broker/core/mutation.hpp"

namespace fanmill::broker {
namespace {

std::uint64_t counted(const JobCounts& counts, HaltOn on) {
  switch (on) {
    case HaltOn::kFailures:
      return counts.failed + counts.dead_lettered;
    case HaltOn::kSuccesses:
      return counts.succeeded;
    case HaltOn::kEnds:
      return counts.terminal() - counts.cancelled;
  }
  return 0;
}

bool is_met(const HaltPolicy& policy, const Job& job) {
  const std::uint64_t number = counted(job.counts, policy.on);
  if (policy.percent == 0)
    return policy.beyond ? number > policy.count : number >= policy.count && number > 0;
  if (!job.closed || number == 0) return false;
  const double part = 100.0 * static_cast<double>(number);
  const double limit = static_cast<double>(policy.percent) * static_cast<double>(job.next_index);
  return policy.beyond ? part > limit : part >= limit;
}

const char* verb(HaltOn on) {
  switch (on) {
    case HaltOn::kFailures:
      return "failed";
    case HaltOn::kSuccesses:
      return "succeeded";
    case HaltOn::kEnds:
      return "ended";
  }
  return "";
}

std::string sentence(const HaltPolicy& policy, const Job& job) {
  const std::uint64_t number = counted(job.counts, policy.on);
  const std::string limit =
      policy.percent == 0 ? std::to_string(policy.count) : std::to_string(policy.percent) + " %";
  return fmt::format("{} task{} {}, and the job was to halt {} {}", number, number == 1 ? "" : "s",
                     verb(policy.on), policy.beyond ? "beyond" : "at", limit);
}

}  // namespace

const HaltPolicy* met_policy(const Job& job) {
  for (const HaltPolicy& policy : job.options.halt)
    if (is_met(policy, job)) return &policy;
  return nullptr;
}

void halt_if_due(World& world, Job& job) {
  if (job.options.halt.empty() || job.cancelled || job.all_done()) return;
  if (mutated(Mutation::kIgnoreHalt)) return;
  const HaltPolicy* policy = met_policy(job);
  if (policy == nullptr) return;
  job.halted = sentence(*policy, job);
  cancel_job(world, job, policy->now ? 0 : CancelJob::kNoKill, "its policy: " + job.halted);
}

}  // namespace fanmill::broker
