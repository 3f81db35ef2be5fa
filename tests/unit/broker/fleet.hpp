// A core, a fleet of fake workers that run its tasks in simulated time, and a producer that submits
// jobs and reads their rows: for what shows only over many leases (shares, overtaking, cost).
//
// Every message takes kLatency. A fake slot works off about 1 ms of tasks at a time, as executors
// do; what waits in the worker's queue is given back when it is recalled.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include "broker/core/core.hpp"

namespace fanmill::broker {

using namespace std::chrono_literals;

class Fleet {
 public:
  static constexpr nanoseconds kLatency = 50us;

  struct WorkerOptions {
    std::uint32_t slots = 1;
    std::vector<FunctionOffer> offers = {{"f", "()"}};
    std::vector<Label> labels = {};
  };
  struct JobOptionsOf {
    std::uint64_t tasks{};
    nanoseconds each{};
    std::int32_t priority = 0;
    std::string function = "f";
    std::vector<Label> where = {};
  };

  explicit Fleet(bool with_invariants = true, CoreConfig config = {});

  std::size_t add_worker(WorkerOptions options);
  std::size_t add_job(const JobOptionsOf& options);  // submitted at once, as far as credit goes
  void steer(std::size_t job, Steering action);
  void cancel(std::size_t job, std::uint64_t grace_ms);
  void run_for(nanoseconds time);
  void run_until(const std::function<bool()>& done, nanoseconds longest);

  // ---- what came of it ----
  MonoTime now() const { return now_; }
  double used_s(std::size_t job) const;  // slot time, what runs now included
  std::uint64_t done(std::size_t job) const { return jobs_[job].done; }
  std::uint64_t begun(std::size_t job) const { return jobs_[job].begun; }
  std::uint64_t at_workers(std::size_t job) const;  // leased, not begun
  std::uint32_t running(std::size_t job) const;     // slots that work on it
  std::uint64_t recalls() const { return recalls_; }
  const std::vector<std::string>& told(std::size_t worker) const { return workers_[worker].told; }
  std::uint64_t leases() const { return leases_; }
  std::uint64_t core_ns() const { return core_ns_; }  // CPU time spent in the core
  JobId id(std::size_t job) const { return jobs_[job].id; }
  const Core& core() const { return core_; }

 private:
  struct Piece {
    AttemptToken token;
    std::size_t job{};
    IndexRange tasks;
  };
  struct Slot {
    bool busy = false;
    Piece piece;
    MonoTime began;
    MonoTime ends;
  };
  struct FakeWorker {
    PeerId peer;
    SessionId session;
    std::vector<Slot> slots;
    std::deque<Piece> queue;
    std::map<std::uint64_t, std::uint64_t> held;  // tasks not reported, by token
    std::uint64_t digest{};
    std::uint64_t leases_seen{};
    std::uint64_t reports{};
    std::uint64_t settled_tasks{};
    std::uint64_t settled_bytes{};
    std::vector<std::string> told;  // what was refused
  };
  struct FakeJob {
    JobId id;
    JobOptionsOf options;
    std::uint64_t submitted{};
    std::uint64_t credit{};
    bool opened = false;
    bool closed = false;
    std::uint64_t done{};
    std::uint64_t begun{};
    double used_ns{};
    std::uint64_t acked{};
    std::uint64_t cursor{};
  };
  enum class What : std::uint8_t {
    kSlotEnds,
    kToBroker,
    kToPeer,
    kHeartbeat,
    kProducerBeat,
    kWake
  };
  struct Due {
    MonoTime at;
    std::uint64_t order{};
    What what{};
    std::size_t worker{};
    std::size_t slot{};
    std::size_t message{};
    bool operator<(const Due& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  void due(nanoseconds after, What what, std::size_t worker = 0, std::size_t slot = 0,
           std::size_t message = 0);
  void say(PeerId peer, SessionId session, std::variant<FromProducer, FromWorker> message,
           Blob blob = {});
  void to_core(Event event);
  void take();
  void serve(const Due& one);
  void hear(std::size_t worker, const ToWorker& message, SessionId session);
  void hear(const ToProducer& message, SessionId session);
  void submit(FakeJob& job);
  void begin(std::size_t worker);
  void slot_ends(std::size_t worker, std::size_t slot);
  void give_back(std::size_t worker, const Recall& recall);
  void settle(FakeWorker& worker, AttemptToken token, std::uint64_t tasks);
  void heartbeat(std::size_t worker);
  Credit credit(const FakeWorker& worker) const;
  FakeJob* find(JobId id);
  template <class Call>
  void timed(Call call);

  bool with_invariants_;
  Core core_;
  MonoTime now_{};
  std::vector<FakeWorker> workers_;
  std::vector<FakeJob> jobs_;
  std::map<JobId, std::size_t> numbers_;
  SessionId producer_;
  std::priority_queue<Due> queue_;
  std::uint64_t order_ = 0;
  struct Message {
    PeerId peer;
    SessionId session;
    std::variant<FromProducer, FromWorker> from;
    Blob blob;
    std::variant<ToProducer, ToWorker> to;
  };
  std::vector<Message> messages_;
  std::vector<std::size_t> free_messages_;
  std::uint64_t writes_ = 0;
  std::uint64_t recalls_ = 0;
  std::uint64_t leases_ = 0;
  std::uint64_t core_ns_ = 0;
  std::uint64_t turns_ = 0;
  MonoTime wake_at_ = MonoTime::max();
  std::vector<Event> events_;  // of this turn
};

}  // namespace fanmill::broker
