#include "broker/core/explain.hpp"

namespace fanmill::broker {

std::string reason_of(const World& /*world*/, const Job& job) {
  if (job.all_done() || job.leased > 0) return {};
  if (job.held) return "it is paused";
  if (job.paused) return "its producer is gone";
  if (!job.has_work() && job.delayed.empty()) return "it waits for tuples";
  return "no worker has taken it yet";
}

}  // namespace fanmill::broker
