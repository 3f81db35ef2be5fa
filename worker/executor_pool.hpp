// The executor processes of one agent: started, fed over their sockets, watched through pidfds,
// killed with everything they started. Never blocks, but for the moment a process takes to start.
// Owned by the thread that starts the processes: their death signal is bound to it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent_core.hpp"
#include "worker/spawn.hpp"

namespace fanmill::worker {

class ExecutorPool {
 public:
  struct Options {
    std::string executor_path;
    std::uint32_t slots = 0;
    bool commands = false;  // the executors offer to run commands
    std::vector<std::string> plugins = {};
    std::optional<rlimit> files = {};  // limits of the executors; else ours
    bool adopt_orphans = true;         // see AgentOptions
  };
  static Result<ExecutorPool> make(Options options);
  ExecutorPool(ExecutorPool&&) noexcept = default;
  ~ExecutorPool();  // kills what still runs, and waits for it

  // What the core asks for. Refused (kSystem): a process that cannot be started.
  Result<void> start(std::uint32_t slot);
  void bind(const DealBind& duty);
  void deal(const DealWork& duty);
  void forget(const DealForget& duty);
  ExecutorFreed lower_end(const LowerEnd& duty);
  void kill(std::uint32_t slot);
  void tell_stopped(const TellStopped& duty);
  // Frames handed over since are written as far as the sockets take them.
  void flush();

  // Readable when something happened; take_events() then says what.
  int poll_fd() const { return epoll_.get(); }
  void take_events(std::vector<Event>& events);
  // Of every executor that runs.
  void progress(std::vector<Event>& events) const;

  // Executors of a slot that ended without a word, in a row.
  std::uint32_t silent_deaths() const { return silent_deaths_; }
  // The last line that the last one of them left on stderr.
  const std::string& silent_words() const { return silent_words_; }
  std::optional<pid_t> pid_of(std::uint32_t slot) const;

 private:
  struct Outgoing {
    std::string head;
    Blob blob;
    bool is_bind = false;
    bool is_work = false;
    std::uint64_t position = 0;  // of the work it is, or that follows it
  };
  struct Buffer {
    std::shared_ptr<char[]> bytes;
    std::size_t capacity = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  struct Process {
    Spawned spawned;
    Fd socket;
    Fd out;
    Fd err;
    Fd parked;  // holds the stderr pipe of a command that runs
    executor::Page* page = nullptr;
    Buffer received;
    std::deque<Outgoing> outbox;
    std::size_t written = 0;  // of the outbox's first frame
    bool want_write = false;
    bool said_hello = false;
    bool ended_stream = false;
    // While Stopped may come, no Bind is begun: one that overtakes Stopped would be taken for the
    // Bind that begins the next work. After a Stopped none comes before more is dealt, however
    // often the end is lowered.
    bool hold_binds = false;
    bool may_stop = false;
    std::uint64_t done_to = 0;

    Process() = default;
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;
    ~Process();
  };

  explicit ExecutorPool(Options options) : options_(std::move(options)) {}
  Process* process(std::uint32_t slot) {
    return processes_[slot] ? processes_[slot].get() : nullptr;
  }
  void send(std::uint32_t slot, Outgoing frame);
  void flush(std::uint32_t slot);
  void watch(std::uint32_t slot, bool want_write);
  void read_frames(std::uint32_t slot, std::vector<Event>& events);
  bool receive(Process& process);
  bool take_frame(std::uint32_t slot, std::string_view frame, std::vector<Event>& events);
  void buried(std::uint32_t slot, std::vector<Event>& events);
  void reap_strangers();

  Options options_;
  Fd epoll_;
  Fd null_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::uint32_t> unflushed_;
  std::uint32_t silent_deaths_ = 0;
  std::string silent_words_;
};

}  // namespace fanmill::worker
