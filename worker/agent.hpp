// The worker agent's loop: sockets, executor processes and signals around the pure AgentCore. One
// thread owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/channel.hpp"
#include "proto/clock.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::worker {

struct AgentOptions {
  std::string broker;         // its endpoint, or a join file, which is read at every connection
  std::uint32_t slots = 0;    // 0: the cores this process may use (sched_getaffinity, cgroup quota)
  std::string name;           // empty: the host's name
  std::string executor_path;  // empty: fanmill-executor beside the running program
  bool allow_exec = false;    // offer to run commands
  std::vector<std::string> plugins = {};  // shared libraries whose functions are offered
  // A program of the user's in the place of fanmill-executor, alone: neither commands nor plugins.
  std::string own_executor = {};
  // The process is the agent's own: it becomes the subreaper of what commands leave behind, and
  // waits for every child. Not so in a program that has children of its own.
  bool adopt_orphans = true;
  std::vector<Label> labels = {};  // what jobs may ask for; names differ
  // See AgentConfig.
  std::optional<nanoseconds> idle_timeout = {};
  std::optional<nanoseconds> time_limit = {};
  bool reconnect_quietly = false;  // a private run: no log lines about joining and leaving
};

class Agent {
 public:
  // Starts nothing yet, but an executor that shows whether the plugins, or the user's own program,
  // can be used (kUsage if not).
  // kSystem where the executor program is missing.
  static tl::expected<Agent, Error> make(ChannelContext& context, AgentOptions options);
  Agent(Agent&&) noexcept;
  ~Agent();  // kills what still runs; no process is left

  // Runs until drained or stopped; returns 0, or 3 when the system refused something. The thread
  // that calls it spawns the executors, and must live as long as they do (their death signal is
  // bound to it).
  int run();

  std::uint32_t slots() const;  // after "auto" has been worked out

  // From any thread or signal handler.
  void request_drain();  // give back what is not started, finish what runs, leave
  void request_stop();   // kill what runs, give everything back, leave at once

 private:
  struct State;
  explicit Agent(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::worker
