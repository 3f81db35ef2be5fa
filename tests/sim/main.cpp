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
#include <utility>
#include <vector>

#include "tests/sim/runner.hpp"

namespace {

using namespace fanmill::sim;

constexpr std::uint64_t kBatch = 25;
constexpr std::size_t kLeastBatches = 20;  // 500 seeds, whatever the time limit
constexpr std::size_t kShown = 3;          // findings with their events
constexpr std::chrono::seconds kTellEvery{10};

int usage() {
  std::fputs(
      "usage: fanmill-sim [--seeds A..B[,N,…]] [--seed N] [--trace] [--time-limit SECONDS] [-j "
      "N]\n",
      stderr);
  return 2;
}

void add_batches(std::vector<Batch>& batches, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t at = first; at <= last; at += kBatch) {
    Batch batch;
    batch.first = at;
    batch.last = std::min(last, at + kBatch - 1);
    batches.push_back(batch);
  }
}

// "1..2000,2654": ranges and single seeds; none where it does not read.
std::vector<Batch> batches_of(const char* text) {
  std::vector<Batch> batches;
  for (char* at = nullptr;; text = at + 1) {
    const std::uint64_t first = std::strtoull(text, &at, 10);
    if (at == text) return {};
    std::uint64_t last = first;
    if (std::strncmp(at, "..", 2) == 0) last = std::strtoull(at + 2, &at, 10);
    add_batches(batches, first, last);
    if (*at == '\0') return batches;
    if (*at != ',') return {};
  }
}

// Now and then, on stderr, for who waits for many.
class Teller {
 public:
  explicit Teller(const std::vector<Batch>& batches) : batches_(batches) {
    for (const Batch& batch : batches) all_ += batch.last - batch.first + 1;
  }

  void tell() {
    if (std::chrono::steady_clock::now() < next_) return;
    next_ += kTellEvery;
    std::uint64_t run = 0;
    std::size_t found = 0;
    for (const Batch& batch : batches_) {
      run += batch.seeds_run;
      found += batch.findings.size();
    }
    std::fprintf(stderr, "%llu of %llu seeds, %zu violations\n",
                 static_cast<unsigned long long>(run), static_cast<unsigned long long>(all_),
                 found);
  }

 private:
  const std::vector<Batch>& batches_;
  std::uint64_t all_ = 0;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + kTellEvery;
};

int run(std::vector<Batch> batches, double time_limit, unsigned jobs) {
  const auto began = std::chrono::steady_clock::now();
  Teller teller(batches);
  run_batches(batches, jobs, time_limit, kLeastBatches, [&] { teller.tell(); });
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
  std::string seeds = "1..500";
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
    if (option == "--seeds" || option == "--seed") {
      seeds = value;
    } else if (option == "--time-limit") {
      time_limit = std::strtod(value, nullptr);
    } else if (option == "-j") {
      jobs = static_cast<unsigned>(std::max(1L, std::strtol(value, nullptr, 10)));
    } else {
      return usage();
    }
  }
  std::vector<Batch> batches = batches_of(seeds.c_str());
  if (batches.empty()) return usage();
  if (trace) return run_traced(batches.front().first) ? 0 : 1;
  return run(std::move(batches), time_limit, jobs);
}
