// What an executor can run: the Function interface, and the registry of those it offers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/executor_frames.hpp"
#include "proto/messages.hpp"
#include "proto/result_batch.hpp"
#include "proto/tuple_view.hpp"
#include "worker/parked_pipe.hpp"

namespace fanmill::worker {

// One call: what the function may know of its task, and where its value goes.
struct Call {
  TupleView tuple;
  TaskIndex index;
  AttemptToken token;
  std::uint32_t attempt = 1;
  JobId job;
  std::string* value = nullptr;  // empty; exactly one msgpack value is put here on success
  // What the function captured by itself; what it prints is captured around it.
  std::string out;
  std::string err;
  // Said by the function: it wrote to this process's stderr; this process cannot go on for long.
  bool has_printed = false;
  bool executor_is_spent = false;
};

// A function bound to one job. Called by one thread, one task after another.
class Function {
 public:
  virtual ~Function() = default;
  // Failure is a value; what is in `value` then does not count. An exception that leaves call()
  // fails the task with its text.
  virtual tl::expected<void, Failure> call(Call& call) = 0;
};

// What an executor gives the functions that start processes.
struct ProcessScope {
  std::atomic<std::int32_t>* command_group = nullptr;  // told the group that runs, 0 between
  // The job whose running tasks are to end, and a place for the job whose command runs: whoever
  // writes the first sends SIGTERM to a command of that job that runs already.
  const std::atomic<std::uint64_t>* stopped_job = nullptr;
  std::atomic<std::uint64_t>* command_job = nullptr;
  int agent_socket = -1;   // hung up: the agent is gone
  std::uint32_t slot = 1;  // of the worker's slots, the one that this executor serves; from 1
  ParkingPlace parking;    // for the pipe of the command that runs
  int errors = -1;         // a file in memory, for commands' stderr; the caller empties it
};

class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Function>(const JobSpec&)>;

  // `origin`: the file that the function comes from; empty: built in.
  void add(FunctionOffer offer, Factory factory, std::string origin = {});
  // Where the function of that name comes from; null if there is none.
  const std::string* origin_of(std::string_view name) const;
  // A function that is not offered is bound too: every call of it fails with kUnknownFunction.
  std::unique_ptr<Function> bind(const JobSpec& spec) const;
  std::vector<FunctionOffer> offers() const;  // sorted by name

 private:
  struct Entry {
    FunctionOffer offer;
    Factory factory;
    std::string origin;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

// sleep, sleep_print, echo, identity.
void add_builtin_functions(Registry& registry);
// "exec": runs JobSpec::argv.
void add_command_function(Registry& registry, ProcessScope scope);

}  // namespace fanmill::worker
