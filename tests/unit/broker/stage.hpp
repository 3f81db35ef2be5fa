// A core with fake peers around it: each call is one event, and take() returns every duty since the
// last one as a line of text, so that a test that names all lines also asserts the silence. The
// core's invariants are checked after every event.
//
// Fake peers receive what is sent to them at once: workers remember the leases they hold and number
// their reports, as real ones do.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/core.hpp"
#include "tests/unit/broker/written.hpp"

namespace fanmill::broker {

using namespace std::chrono_literals;

struct FakeWorker {
  PeerId peer;
  WorkerHello hello;
  SessionId session;
  std::map<std::uint64_t, Lease> held;                // by token counter
  std::map<std::uint64_t, std::uint64_t> unfinished;  // tasks of each
  std::uint64_t leases_seen{};
  std::uint64_t reports{};
  Credit credit;
  std::uint32_t recall{};  // the last one asked for
  std::vector<RunningTask> running;
};

struct FakeProducer {
  PeerId peer;
  ProducerHello hello;
  SessionId session;
};

class Stage {
 public:
  // Without a delay every acknowledgement is seen in the turn of what it answers.
  explicit Stage(CoreConfig config = {}, nanoseconds ack_delay = nanoseconds(0));

  // ---- the world ----
  bool commits_at_once = true;   // like the memory store
  void commit();                 // everything handed over so far is durable now
  void pass(nanoseconds time);   // with a Tick at its end, and one at every wake-up between
  void pause(nanoseconds time);  // the loop stood still
  void disk_is_full(bool full) { step(StoreFull{full}); }
  // The broker dies and starts again on what was committed; every session is gone. With a life: on
  // a copy of the store that knows of no earlier one.
  void restart(std::optional<Life> on_a_copy = std::nullopt);

  // ---- workers ----
  FakeWorker& add_worker(const std::string& name, std::uint32_t slots,
                         const std::vector<std::string>& functions = {"f"},
                         Credit credit = {1000000, 1 << 30});
  // A connection of its own for the same instance, naming these tokens.
  void reconnect(const std::string& name, const std::vector<std::uint64_t>& tokens);
  void results(const std::string& name, std::uint64_t token, std::uint64_t first,
               std::uint64_t count, Outcome outcome = Outcome::kSucceeded,
               nanoseconds per_task = 1ms, std::uint64_t bytes = 10, std::uint64_t report = 0);
  void returned(const std::string& name, std::uint64_t token, std::vector<IndexRange> ranges,
                std::uint32_t recall = 0);
  void heartbeat(const std::string& name, bool with_list = false);
  void lose_lease(const std::string& name, std::uint64_t token);  // it never arrived

  // ---- producers ----
  FakeProducer& add_producer(const std::string& name);
  void open(const std::string& name, const std::string& key, JobOptions options);
  void submit(const std::string& name, std::uint64_t job, std::uint64_t first, std::uint64_t count,
              std::uint64_t tuple_bytes = 4);
  void close(const std::string& name, std::uint64_t job, std::uint64_t total);
  void cancel(const std::string& name, std::uint64_t job, std::uint64_t grace_ms);
  void gather(const std::string& name, std::uint64_t job, std::uint64_t cursor = 0,
              RowOrder order = RowOrder::kInput, std::uint64_t window = 1 << 20);
  void ack(const std::string& name, std::uint64_t job, std::uint64_t cursor);

  void push(const std::string& name, std::uint64_t job, const std::string& key,
            std::uint64_t sequence, std::uint64_t count, std::uint64_t tuple_bytes = 4);
  void ask(const std::string& name, Topic topic, const std::string& selector = {});
  void steer(const std::string& name, Steering action, const std::vector<std::uint64_t>& jobs,
             std::uint64_t grace_ms = 0, std::uint32_t outcomes = 0);
  // What the last Answer held: msgpack.
  const Blob& answer() const { return answer_; }
  // As the last JobOpened said.
  std::uint64_t tuples_digest() const { return tuples_digest_; }
  // Lines for the log since the last call.
  std::vector<std::string> news() { return std::exchange(news_, {}); }

  void goodbye(const std::string& name);
  void gone(const std::string& name);
  void strange(const FromWorker& message, std::uint64_t session);  // from a peer nobody knows

  // ---- what came of it ----
  std::vector<std::string> take();
  // Only the lines that begin with one of these words after "write", "now" or "after".
  std::vector<std::string> take(const std::vector<std::string>& kinds);
  void skip() { take(); }

  FakeWorker& worker(const std::string& name) { return workers_.at(name); }
  Core& core() { return core_; }
  const Core& core() const { return core_; }
  MonoTime now() const { return now_; }
  static JobId job_id(std::uint64_t number) { return {(std::uint64_t{1} << 32) | number}; }

 private:
  void step(Event event);
  void collect();
  void deliver(const Outgoing& out, const char* when);
  std::string name_of(PeerId peer) const;

  CoreConfig config_;
  Core core_;
  Written written_;
  std::vector<StoreWrite> uncommitted_;
  std::vector<Life> lives_{{}};
  MonoTime now_{};
  std::map<std::string, FakeWorker> workers_;
  std::map<std::string, FakeProducer> producers_;
  std::map<PeerId, std::string> names_;
  std::uint64_t peers_ = 0;
  std::uint64_t writes_ = 0;
  std::optional<MonoTime> wake_at_;
  std::vector<std::string> lines_;
  std::vector<std::string> news_;
  Blob answer_;
  std::uint64_t tuples_digest_ = 0;
  std::uint64_t requests_ = 0;
};

// Options of a job of function "f" whose rows are forgotten once delivered, and of one that is
// kept.
JobOptions map_job();
JobOptions kept_job();

}  // namespace fanmill::broker
