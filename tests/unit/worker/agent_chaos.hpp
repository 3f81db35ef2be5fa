// A hostile afternoon from one seed: executors that finish, crash and stop at random moments, and a
// broker that loses, repeats and reorders messages, recalls, stops sessions and answers late. The
// ledger says what went wrong, or nothing.
#pragma once

#include <cstdint>
#include <string>

namespace fanmill::worker {

struct ChaosResult {
  std::string violation;  // empty: none
  std::uint64_t tasks_done{};
  std::uint64_t crashes{};
  std::uint64_t returned{};
  std::uint64_t sessions{};
};

ChaosResult run_chaos(std::uint64_t seed);

}  // namespace fanmill::worker
