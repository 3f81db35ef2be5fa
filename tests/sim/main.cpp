// fanmill-sim: seeds of simulated histories. A failing seed prints itself, the promise that was
// broken and the last events; `--seed N --trace` shows the whole of it.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "tests/sim/runner.hpp"

namespace {

using namespace fanmill::sim;

constexpr std::uint64_t kBatch = 25;
constexpr std::size_t kLeastBatches = 20;  // 500 seeds, whatever the time limit
constexpr std::size_t kShown = 3;          // findings with their events

int usage() {
  std::fputs(
      "usage: fanmill-sim [--seeds A..B] [--seed N] [--trace] [--time-limit SECONDS] [-j N]\n",
      stderr);
  return 2;
}

int run(std::uint64_t first, std::uint64_t last, double time_limit, unsigned jobs) {
  std::vector<Batch> batches;
  for (std::uint64_t at = first; at <= last; at += kBatch) {
    Batch batch;
    batch.first = at;
    batch.last = std::min(last, at + kBatch - 1);
    batches.push_back(batch);
  }
  const auto began = std::chrono::steady_clock::now();
  run_batches(batches, jobs, time_limit, kLeastBatches);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::uint64_t seeds = 0;
  std::size_t found = 0;
  std::map<std::string, std::size_t> kinds;
  for (const Batch& batch : batches) {
    seeds += batch.seeds_run;
    for (const Finding& finding : batch.findings) {
      std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(finding.seed),
                  finding.invariant.c_str(), finding.text.c_str());
      if (found++ < kShown) print_last_events(finding.seed, {});
      ++kinds[finding.invariant == "assertion of the core" ? finding.text : finding.invariant];
    }
  }
  for (const auto& [kind, count] : kinds) std::printf("%6zu × %s\n", count, kind.c_str());
  std::printf("%llu seeds in %.1f s, %zu violations\n", static_cast<unsigned long long>(seeds),
              took.count(), found);
  return found == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t last = 500;
  double time_limit = 0;
  bool trace = false;
  unsigned jobs = static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--trace") {
      trace = true;
      continue;
    }
    if (++i == argc) return usage();
    const char* value = argv[i];
    if (option == "--seeds") {
      const char* dots = std::strstr(value, "..");
      if (dots == nullptr) return usage();
      first = std::strtoull(value, nullptr, 10);
      last = std::strtoull(dots + 2, nullptr, 10);
    } else if (option == "--seed") {
      first = last = std::strtoull(value, nullptr, 10);
    } else if (option == "--time-limit") {
      time_limit = std::strtod(value, nullptr);
    } else if (option == "-j") {
      jobs = static_cast<unsigned>(std::max(1L, std::strtol(value, nullptr, 10)));
    } else {
      return usage();
    }
  }
  if (trace) return run_traced(first) ? 0 : 1;
  return run(first, last, time_limit, jobs);
}
