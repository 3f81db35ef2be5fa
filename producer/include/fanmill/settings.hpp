// What a Pool and a job may be told. Every member has a default; give them by name:
//
//   fanmill::Pool pool({.slots = 4});
//   pool.starmap<double>("norm", rows, {.retries = 2, .time_limit = 5s});
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fanmill {

struct PoolSettings {
  std::uint32_t slots = 0;  // of a private run; 0: the cores this process may use
  // "ipc://PATH", or the producer.join of a broker on another host: its workers instead of a
  // private run.
  std::string broker = {};
  std::vector<std::string> plugins = {};  // shared libraries with functions, for a private run
  // The program that runs tasks. Empty: $FANMILL_EXECUTOR, else fanmill-executor beside this
  // program, else where the package was installed, else in the PATH.
  std::string executor = {};
  std::uint64_t results_cap = 4ULL << 30;  // bytes of results of a private run that wait unread
};

struct JobSettings {
  std::string name = {};                    // shown where the job is; empty: the function's
  std::vector<std::string> names = {};      // of positional parameters
  std::uint32_t retries = 0;                // further attempts after the function reported failure
  std::uint32_t crash_limit = 0;            // crashes of a task before it is given up; 0: three
  std::chrono::milliseconds time_limit{0};  // of one task, which is killed then; 0: none
  std::uint32_t time_limit_percent = 0;     // the same, of the median run time of the job's tasks
  std::int32_t priority = 0;
  bool with_tuples = false;      // rows carry their parameters: Row::tuple()
  std::uint64_t read_ahead = 0;  // tuples taken before their rows are; 0: what credit allows
  std::uint64_t max_output = 64U << 20;  // bytes of a command's stdout
  // Of commands, placeholders filled: the shell that reads them (empty: none), their directory,
  // what their environment has besides, their stdin (nullopt: nothing).
  std::string shell = {};
  std::string directory = {};
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::optional<std::string> input = {};
  // How long a function that no worker offers may wait for one that does. A private run knows its
  // functions and waits for nothing.
  std::chrono::milliseconds wait_workers{5000};
};

// Tasks of a job by how they ended.
struct Counts {
  std::uint64_t accepted = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t cancelled = 0;
};

}  // namespace fanmill
