// Knows what really happened and what was promised, and throws a Violation where the two differ. It
// sees every write, message, execution and row, and keeps its own small model of who may hold what.
//   oracle_store.cpp   writes: one record per task, proven values, nothing forgotten too early
//   oracle_broker.cpp  the broker's messages: durability, tokens, leases, credit, windows
//   oracle_worker.cpp  executions, reports, returns
//   oracle_places.cpp  which worker may be given which job, priorities, pauses
//   oracle_reader.cpp  what producers submit and take
//   oracle_observer.cpp  other readers, pushes
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/core.hpp"
#include "broker/core/duties.hpp"
#include "proto/codec.hpp"
#include "proto/range_set.hpp"
#include "tests/sim/plan.hpp"

namespace fanmill::sim {

enum class RunState : std::uint8_t {
  kRunning,
  kSucceeded,  // at the executor; its report is under way
  kFailed,
  kReportedSuccess,  // the agent has it
  kReportedFailure,
  kCrashed,  // it killed its executor, or that was killed while it ran
  kLost,     // with its agent
};

class Oracle {
 public:
  explicit Oracle(const Plan& plan);
  void time_is(MonoTime now) { now_ = now; }

  // ---- the store ----
  void on_write(const broker::StoreWrite& write, std::uint64_t number);
  void on_durable(std::uint64_t number);

  // ---- the broker ----
  void disk_is_full(bool full) { full_ = full; }  // as the broker is told
  void broker_dies();                             // what was not durable is undone
  void broker_lives(std::uint32_t epoch);
  void broker_hears(const broker::Event& event);  // just before the step
  void broker_stepped();                          // just after it
  void broker_emits(const broker::Outgoing& out);
  void check_leases(const broker::CoreView& view) const;  // now and then
  // It leaves, or could not because the store no longer has its blob.
  void broker_sends(const broker::Outgoing& out, bool has_blob);

  // ---- workers ----
  void agent_emits(InstanceId instance, const FromWorker& message, SessionId session);
  // After everything of the same turn was told to agent_emits().
  void agent_announces(InstanceId instance, const WorkerPlan& plan, const FromWorker& message);
  void agent_receives(InstanceId instance, const ToWorker& message, SessionId session);
  void agent_deals(InstanceId instance, const JobId& job, AttemptToken token, IndexRange tasks);
  // Returns the number of the execution.
  std::uint64_t task_starts(InstanceId instance, std::uint32_t ordinal, std::uint64_t index,
                            std::uint64_t token);
  void task_ends(std::uint32_t ordinal, std::uint64_t index, std::uint64_t token, RunState state);
  void report_reaches_agent(std::uint32_t ordinal, IndexRange tasks, std::uint64_t token);
  std::uint32_t failed_before(std::uint32_t ordinal, std::uint64_t index) const;
  std::uint32_t crashed_before(std::uint32_t ordinal, std::uint64_t index) const;

  // ---- producers ----
  void producer_emits(const FromProducer& message);
  void producer_hears(const ToProducer& message);
  void producer_cancels(std::uint32_t ordinal);
  void producer_accepted(std::uint32_t ordinal, std::uint64_t next_index);
  void rows_arrive(std::uint32_t ordinal, const Rows& rows, const Blob& blob);
  void rows_taken(std::uint32_t ordinal, std::uint64_t cursor);
  void job_ended(std::uint32_t ordinal, const JobCounts& counts);

  // ---- observers ----
  void observer_is(InstanceId instance, std::uint32_t number);
  void look_begins(std::uint32_t number);  // in the order recorded, from the start
  void observer_rows(std::uint32_t number, const Rows& rows, const Blob& blob);
  void observer_sees_end(std::uint32_t number, const JobCounts& counts);
  // The pusher counts on its tuples before `end` and the job's tasks before `next_index`.
  void pushed_is_heard(std::uint32_t ordinal, std::uint32_t pusher, std::uint64_t end,
                       std::uint64_t next_index);
  void pusher_ends(std::uint32_t ordinal, std::uint32_t pusher);
  bool pushers_have_ended(std::uint32_t ordinal) const;
  bool is_closed(std::uint32_t ordinal) const;
  // Which tuple of its plan a task of the job has.
  std::uint64_t tuple_of(std::uint32_t ordinal, std::uint64_t index) const;

  // At the end, of agents that live: what they have done was told.
  void check_told(InstanceId instance) const;
  bool all_ended() const;
  bool all_recorded(std::uint32_t ordinal) const;  // and durably
  bool ended(std::uint32_t ordinal) const { return jobs_[ordinal].ended; }
  const JobPlan* plan_of(JobId job) const;
  std::optional<JobId> id_of(std::uint32_t ordinal) const { return jobs_[ordinal].id; }
  bool known_forgotten(std::uint32_t ordinal) const { return jobs_[ordinal].dropped; }
  std::string what_is_missing() const;

 private:
  struct Run {
    std::uint64_t token{};
    RunState state{};
    bool heard = false;  // the broker has taken a report of it
  };
  struct Task {
    std::uint64_t record{};  // 0: none
    std::uint64_t record_write{};
    std::uint64_t last_token{};
    std::uint64_t record_token{};
    Outcome outcome{};
    bool dead_lettered{};
    bool arrived{};
    bool taken{};
    std::uint16_t charged_crashes{};
    std::uint16_t stored_crashes{};  // as the store has them
    std::uint16_t refunded{};
    std::uint16_t losses{};
    MonoTime lost_at{};
    bool out{};               // it runs at most once and may have run, as the store has it
    std::uint64_t charged{};  // the last token that was charged, as the store has it
    std::vector<Run> runs;
    // ---- of the present round ----
    std::size_t first_run{};
    std::uint64_t fence{};  // the last token of the rounds before
    std::size_t runs_now() const { return runs.size() - first_run; }
  };
  struct Job {
    const JobPlan* plan{};
    std::optional<JobId> id;
    std::uint64_t put_write{};
    std::uint64_t close_write{};
    std::uint64_t written{};                                      // next index, as written
    std::deque<std::pair<std::uint64_t, std::uint64_t>> commits;  // (write, next index)
    std::uint64_t durable_next{};
    std::vector<Task> tasks;
    std::map<std::uint64_t, std::vector<IndexRange>> records;                 // not dropped
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> chunks;  // first: count, write
    bool cancelled{};    // by its producer or its policy
    bool cancel_told{};  // by its producer, who says it for ever
    bool dropped{};
    // ---- reading ----
    std::uint64_t cursor{};                                    // of the next rows to arrive
    std::deque<std::pair<std::uint64_t, IndexRange>> untaken;  // (next, rows) that arrived
    std::uint64_t acked{};  // the highest cursor that the broker has heard
    struct Sent {
      std::uint64_t next, bytes;
    };
    struct Window {  // of one reader's session
      std::uint64_t bytes{};
      std::deque<Sent> in_flight;
    };
    std::map<SessionId, Window> windows;
    std::set<SessionId> submitters;  // sessions that were heard of its tuples
    // ---- pushes ----
    std::vector<std::uint64_t> tuples;  // of the plan, by task
    std::vector<std::uint64_t> pushed;  // how many, by pusher
    std::set<std::uint32_t> pushers_ended;
    JobCounts counts;
    bool ended{};
    // ---- submitting ----
    Credit credit;
    std::uint64_t accepted_heard{};
    // ---- where and whether it may be dealt ----
    std::string signature;          // that it was first dealt to; may be empty
    std::string signature_known;    // the same, of what has left the broker
    std::uint64_t dealt_to{};       // tasks from here on were never dealt
    std::uint64_t horizon{};        // as the store has it
    bool held{};                    // as the store has it
    std::uint64_t pause_request{};  // that the broker has heard, and no resume since
    bool paused{};
    std::map<SessionId, MonoTime> recalled;
  };
  struct Token {
    std::uint32_t ordinal{};
    IndexRange tasks;
    RangeSet open;  // neither reported nor returned, as the broker has heard
    InstanceId instance;
    SessionId session;
    std::uint64_t number{};
    MonoTime sent;
    std::uint64_t bytes{};
    bool released{};          // the broker may have given it up
    bool refunded{};          // and its credit back
    bool left{};              // it was sent
    std::uint32_t kept_in{};  // the last life of the broker in which a claim of it was kept
  };
  struct Session {      // of a worker
    bool over = false;  // the worker said goodbye
    InstanceId instance;
    Credit credit;
    Credit used;
    std::uint64_t reports{};
    std::uint64_t leases_seen{};
    MonoTime heartbeat{};
    struct Reported {
      std::uint64_t report;
      std::uint32_t ordinal;
      IndexRange tasks;
      std::uint64_t token;
      bool success;
    };
    std::deque<Reported> unacknowledged;
  };
  struct Instance {
    const WorkerPlan* plan{};
    PeerId peer;
    std::uint32_t attempt{};
    MonoTime heard{};
    std::map<std::uint32_t, Credit> hello_credit;        // by attempt
    std::map<std::uint32_t, std::vector<Claim>> claims;  // by attempt
    // What the agent itself did in its present session.
    SessionId own_session;
    std::uint64_t reports_made{};
    std::uint64_t settled_tasks{};
    std::map<SessionId, std::uint64_t> received_tasks;
    std::set<JobId> told_to_end;  // what runs of these
    MonoTime second_began{};
    std::uint64_t lists_in_second{};
  };

  struct Observer {
    std::uint64_t cursor{};
    std::vector<bool> seen;    // by task
    std::vector<bool> wanted;  // of a look: recorded when it began
  };

  Job* job(JobId id);
  Job& job_of(JobId id, const char* where);
  std::uint64_t durable_next(Job& job);
  Token* token(AttemptToken token);
  void undo(std::uint64_t write, std::function<void()> how);
  void check_dropped(const Claim& claim);
  void kept_again(Token& token, std::uint64_t code, const std::vector<IndexRange>& claimed);
  void release_all_of(InstanceId instance);
  void release_lost(Token& token);  // the worker never got it
  InstanceId instance_at(PeerId peer) const;
  const Run* last_run(const Task& task, std::uint64_t token) const;
  Run* last_run(Task& task, std::uint64_t token);

  void begin_round(Job& job, const broker::PutRound& put, std::uint64_t number);
  static bool policy_met(const Job& job);
  void check_record(Job& job, const broker::PutRecord& put, std::uint64_t number);
  void check_values(const Job& job, const broker::PutRecord& put);
  void check_failures(const Job& job, const broker::PutRecord& put);
  void hears(PeerId peer, SessionId session, const FromWorker& message);
  void hears(SessionId session, const FromProducer& message);
  void emits_lease(SessionId session, const Lease& lease, std::uint64_t bytes);
  void emits_rows(SessionId session, const Rows& rows, std::uint64_t bytes);
  void check_rows(const Job& job, const Rows& rows, const Blob& blob) const;
  void check_pushed(Job& job, const broker::PutChunk& put);
  const ObserverPlan* observer_at(SessionId session) const;
  void check_place(Job& job, const Session& to, const std::string& what);
  void hears(const Steer& steer);
  void emits_answer(const Answer& answer);
  struct Dealt {
    std::uint64_t token{};
    std::uint32_t ordinal{};
    std::uint64_t end{};  // behind its last task
    InstanceId instance;
  };
  void turn_ends();
  void check_priority(const Dealt& dealt);
  void check_recalled();
  void check_results(const Results& results, Job& job, const Instance& of);
  void check_returned(const Returned& returned, const Job& job);

  const Plan& plan_;
  MonoTime now_{};
  std::uint64_t durable_ = 0;
  std::uint64_t executions_ = 0;
  std::vector<Job> jobs_;
  std::vector<Dealt> dealt_;              // in this turn
  std::vector<std::uint32_t> to_recall_;  // paused in this turn
  std::map<JobId, std::uint32_t> ordinals_;
  std::map<std::uint64_t, Token> tokens_;  // by code
  std::uint32_t epoch_ = 1;
  MonoTime born_{};  // this life of the broker
  bool full_ = false;
  std::deque<std::pair<std::uint64_t, std::function<void()>>> undo_;  // of what is not durable
  // Tokens that no heartbeat may have seen, in the order in which they were sent.
  std::map<SessionId, std::deque<std::uint64_t>> unseen_;
  std::map<SessionId, Session> sessions_;
  std::map<InstanceId, Instance> instances_;
  std::map<InstanceId, std::uint32_t> observer_instances_;
  std::map<SessionId, std::uint32_t> observer_sessions_;
  std::map<std::uint32_t, Observer> observers_;
  std::map<SessionId, std::uint64_t> steered_;  // the highest request
};

}  // namespace fanmill::sim
