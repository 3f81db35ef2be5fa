// The state that the rooms of the core share, and how duties are asked for. Who changes what:
//   workers.cpp     sessions of workers, heartbeats, loss        leases.cpp      what workers hold
//   producers.cpp   sessions of producers, what they ask         ventilator.cpp  who is dealt what
//   sink.cpp        which results count                          delivery.cpp    rows to readers
//   progress.cpp    JobStatus and views               eligibility.cpp who can run what
//   fair_shares.cpp whose turn it is                   recalls.cpp     tasks asked back
//   pausing.cpp     jobs that stand still              lifecycle.cpp   jobs made, ended, forgotten
//   intake.cpp      tuples taken                       pushes.cpp      tuples of many for one job
//   losses.cpp      tasks of workers that were lost
//   asking.cpp      questions; report.cpp answers      steering.cpp    what people do to jobs
//   restoring.cpp   what earlier lives have left        claims.cpp      who had what in them
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/core/core.hpp"
#include "broker/core/job.hpp"
#include "broker/core/line.hpp"
#include "broker/core/producer.hpp"
#include "broker/core/rates.hpp"
#include "broker/core/timers.hpp"
#include "broker/core/worker.hpp"

namespace fanmill::broker {

// What the loss of a worker came to, should it come back.
struct LostWorker {
  std::vector<std::pair<JobId, TaskIndex>> charged;
  std::map<JobId, RangeSet> suspected;
};

struct World {
  explicit World(CoreConfig given)
      : config(std::move(given)), tokens(before_tokens_of(config.life).counter) {}

  CoreConfig config;
  MonoTime now;

  // ---- duties ----
  Duties duties;
  std::uint64_t writes{};   // emitted over the core's life
  std::uint64_t durable{};  // of them
  bool full = false;        // the store has no room: no tuples are taken
  std::vector<Life> lives;  // earlier ones on this store, rising

  // ---- who and what ----
  std::map<SessionId, std::unique_ptr<Worker>> workers;
  std::unordered_map<SessionId, Worker*> worker_at;  // the same; looked up with every message
  std::map<InstanceId, SessionId> worker_of;
  std::map<InstanceId, LostWorker> lost;  // the latest limits::kLostWorkersMax of them
  std::deque<InstanceId> lost_order;
  std::map<SessionId, std::unique_ptr<Producer>> producers;
  std::map<InstanceId, SessionId> producer_of;
  std::unordered_map<JobId, std::unique_ptr<Job>> jobs;
  std::map<std::string, JobId> job_of_key;
  std::map<JobId, Job*> active;  // not all done
  std::vector<Opening> openings;
  std::map<Demand, std::unique_ptr<Line>> lines;
  // Who offers a function, by ordinal: the oldest first.
  std::map<std::string, std::map<std::uint64_t, Worker*>> offering;
  std::uint64_t offers_changed = 1;  // counts changes of who can run what
  // The highest virtual time at which somebody was served, by priority.
  std::map<std::int32_t, double> last_time;
  Timers timers;

  // ---- counters ----
  std::uint32_t jobs_opened{};
  std::uint64_t tokens{};
  std::uint64_t sessions_opened{};
  std::uint64_t workers_joined{};
  std::uint64_t stale_results{};
  std::uint64_t expired_leases{};
  std::uint64_t malformed{};
  std::uint64_t dealt{};     // tasks, as often as they were
  std::uint64_t recalled{};  // tasks that came back because they were asked for
  std::uint64_t recorded{};  // tasks
  MovingRate dealt_rate;
  MovingRate recorded_rate;

  // ---- bookkeeping of the turn ----
  // Workers by leased tasks per slot, the emptiest first: (load, ordinal).
  std::set<std::tuple<std::uint64_t, std::uint64_t, Worker*>> by_load;
  std::uint64_t total_slots{};      // of workers that may be given something
  bool work_appeared = false;       // there is something to deal where there was nothing
  std::vector<Worker*> dirty;       // workers to be served
  std::vector<SessionId> acks_due;  // workers whose reports were taken
  std::vector<JobId> dirty_jobs;

  std::optional<MonoTime> began;  // the first step

  // A line for the log, if one is kept: `text` makes it. What peers call themselves is in it.
  template <class Text>
  void tell(Text text) {
    if (!config.news) return;
    duties.news.push_back(text());
    for (char& c : duties.news.back())
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  void write_state(const Job& job);
  std::uint64_t write(StoreWrite write) {
    duties.writes.push_back(std::move(write));
    return ++writes;
  }
  template <class Message>
  void send_now(PeerId peer, SessionId session, Message message, BlobSource blob = {}) {
    duties.send_now.push_back({peer, session, std::move(message), std::move(blob), {}});
  }
  template <class Message>
  void send_after(PeerId peer, SessionId session, Message message, BlobSource blob = {}) {
    duties.send_after.push_back({peer, session, std::move(message), std::move(blob), {}});
  }

  Job* job(JobId id) {
    const auto it = jobs.find(id);
    return it == jobs.end() ? nullptr : it->second.get();
  }
  Worker* worker(SessionId id) {
    const auto it = worker_at.find(id);
    return it == worker_at.end() ? nullptr : it->second;
  }
  Producer* producer(SessionId id) {
    const auto it = producers.find(id);
    return it == producers.end() ? nullptr : it->second.get();
  }

  // The highest token given out so far.
  AttemptToken last_token() const { return {config.life.epoch, tokens}; }
  // This life or an earlier one on this store may have given it out.
  bool knows(AttemptToken token) const;

  SessionId next_session();
  void touch(Job& job);        // rows, credit, end or status of it may be due
  void touch(Worker& worker);  // its load may have changed; it may take more
  // Its place in by_load: there it stands as it was dealt to last, until the next dispatch.
  void list_by_load(Worker& worker);
  void unlist(Worker& worker);  // it is given nothing any more
};

}  // namespace fanmill::broker
