// Runs seeds in child processes, so that a broken assertion, a crash or an endless loop is one more
// finding and both cores are used.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fanmill::sim {

struct Finding {
  std::uint64_t seed{};
  std::string invariant;
  std::string text;
};

struct Batch {
  std::uint64_t first{}, last{};
  std::function<void()> prepare;  // in the child, before the first seed
  bool stop_at_first = false;     // else the rest of the batch goes on after a finding
  std::vector<Finding> findings;  // by seed
  std::uint64_t seeds_run{};
};

// Runs all batches, so many at a time, until `deadline_s` seconds have passed (0: none), but in any
// case the first `least`. `progress` is called whenever some seeds of a batch have been run.
void run_batches(std::vector<Batch>& batches, unsigned at_a_time, double deadline_s,
                 std::size_t least, const std::function<void()>& progress = {});

// Runs one seed in this process, printing every event. Returns whether all promises were kept.
bool run_traced(std::uint64_t seed);
// Runs the seed again in a child and prints its last events.
void print_last_events(std::uint64_t seed, const std::function<void()>& prepare);

}  // namespace fanmill::sim
