// A private run: the broker's loop and the agent's loop as two threads of this process, over
// inproc, and executors as child processes. The one place where the three roles meet; this header
// names none of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/channel.hpp"
#include "proto/error.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace fanmill {

struct PrivateRunOptions {
  std::uint32_t slots = 0;  // 0: the cores this process may use
  bool allow_exec = true;
  std::vector<std::string> plugins = {};
  std::string own_executor = {};   // the user's program, instead of plugins and commands
  std::string executor_path = {};  // empty: fanmill-executor beside the running program
  bool adopt_orphans = true;  // see worker::AgentOptions; false in a program of somebody else's
  std::uint64_t results_cap = limits::kResultsCap;  // bytes of results that wait for the reader
};

// What the workers of such a run offer, as an executor process says it; by name. kUsage: a plugin,
// or the user's executor, cannot be used.
Result<std::vector<FunctionOffer>> private_offers(const std::vector<std::string>& plugins,
                                                  const std::string& own_executor);

class PrivateRun {
 public:
  // kUsage: a plugin cannot be used. Both threads run and the endpoint can be connected to. Signals
  // must be blocked already in the calling thread.
  static Result<PrivateRun> start(ChannelContext& context, const PrivateRunOptions& options);
  PrivateRun(PrivateRun&&) noexcept;
  PrivateRun& operator=(PrivateRun&&) noexcept;
  ~PrivateRun();  // stop: kills what runs, joins both threads; no process is left

  const std::string& endpoint() const;
  std::uint32_t slots() const;
  // Readable once the worker has given up: no executor starts any more (the log says why).
  int worker_ended_fd() const;

 private:
  struct State;
  explicit PrivateRun(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill
