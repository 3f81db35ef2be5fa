#include "agent_chaos.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <variant>
#include <vector>

#include "proto/limits.hpp"
#include "proto/range_set.hpp"
#include "worker/agent_core.hpp"

namespace fanmill::worker {
namespace {

using namespace std::chrono_literals;

constexpr JobId kJobs[] = {{(1ull << 32) | 1}, {(1ull << 32) | 2}, {(1ull << 32) | 3}};
constexpr std::uint32_t kSlots = 3;
constexpr InstanceId kInstance{77};

// One executor process, run by hand: it reads frames late, starts, finishes, reports, stops, dies.
struct Process {
  bool alive = false;
  bool said_hello = false;
  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t reported = 0;
  std::uint64_t end = 0;
  struct Task {
    std::uint64_t position;
    JobId job;
    AttemptToken token;
    TaskIndex index;
    std::uint64_t work;  // number of its frame: a report never spans two
  };
  std::deque<std::variant<DealBind, DealWork>> socket;
  std::deque<Task> queue;
  std::vector<Task> unreported;
  std::optional<Task> running;
  bool killed = false;
};

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed)
      : random_(seed),
        core_({kInstance, "w", "h", 1, kSlots, seed, {4000, 1'000'000}}, now_),
        lossy_(chance(50)) {}

  ChaosResult run() {
    turn();
    for (int i = 0; i < 1500 && result_.violation.empty(); ++i) {
      if (chance(30)) now_ += std::chrono::microseconds(pick(3000));
      if (chance(2)) now_ += std::chrono::milliseconds(pick(3000));
      random_event();
      turn();
    }
    settle();
    return result_;
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t percent) { return pick(100) < percent; }
  void violated(std::string what) {
    if (result_.violation.empty()) result_.violation = std::move(what);
  }

  // ---- the agent's side ----
  void step(const Event& event) {
    core_.step(event, now_);
    core_.check_invariants();
  }
  void turn() {
    for (int i = 0; i < 1000; ++i) {
      AgentDuties duties = core_.take_duties(now_);
      core_.check_invariants();
      if (duties.reconnect) reconnect_ = true;
      watch_ = duties.watch;
      wake_at_ = duties.wake_at;
      if (wake_at_ && *wake_at_ <= now_) violated("would spin");
      for (ToSend& message : duties.send) receive(message);
      for (const ExecutorDuty& duty : duties.executors) {
        std::visit([&](const auto& it) { obey(it); }, duty);
      }
      if (frees_.empty()) return;
      for (const ExecutorFreed& freed : std::exchange(frees_, {})) step(freed);
    }
    violated("never comes to rest");
  }

  void obey(const DealBind& bind) { slots_[bind.slot].socket.push_back(bind); }
  void obey(const DealForget&) {}
  void obey(const DealWork& deal) {
    Process& p = slots_[deal.slot];
    if (!p.alive || !p.said_hello) violated("work for an executor that is not there");
    if (!may_start()) violated("dealt after the lease deadline");
    for (std::uint64_t i = 0; i < deal.work.count; ++i) {
      const Key key{deal.work.job, deal.work.first.value + i};
      if (!at_executors_.insert({{deal.work.token, key.second}, deal.slot}).second) {
        violated("dealt twice at a time");
      }
    }
    p.end = deal.end;
    p.socket.push_back(deal);
  }
  void obey(const LowerEnd& lower) {
    Process& p = slots_[lower.slot];
    p.end = lower.end;
    const std::uint64_t from = std::max(lower.end, p.started);
    // From here on the agent may deal what waits; a task that ran after this would run twice.
    for (const auto& task : waiting(p)) {
      if (task.position >= from) release(lower.slot, task);
    }
    frees_.push_back({lower.slot, from});
  }
  void obey(const KillExecutor& kill) { slots_[kill.slot].killed = true; }
  void obey(const StartExecutor& start) {
    Process& p = slots_[start.slot];
    if (p.alive) violated("two processes in a slot");
    p = {};
    p.alive = true;
  }

  void release(std::uint32_t slot, const Process::Task& task) {
    const auto it = at_executors_.find({task.token, task.index.value});
    if (it != at_executors_.end() && it->second == slot) at_executors_.erase(it);
  }
  std::vector<Process::Task> waiting(const Process& p) const {
    std::vector<Process::Task> all(p.queue.begin(), p.queue.end());
    for (const auto& frame : p.socket) {
      if (const auto* deal = std::get_if<DealWork>(&frame)) append_tasks(all, *deal);
    }
    return all;
  }
  template <class Container>
  static void append_tasks(Container& out, const DealWork& deal) {
    for (std::uint64_t i = 0; i < deal.work.count; ++i) {
      out.push_back({deal.work.position + i, deal.work.job, deal.work.token, deal.work.first + i,
                     deal.work.position});
    }
  }

  // ---- executors ----
  void executor_event(std::uint32_t slot) {
    Process& p = slots_[slot];
    if (!p.alive) return;
    if (p.killed || (chance(2) && p.said_hello)) return die(slot);
    if (!p.said_hello) {
      if (chance(5)) return die(slot);
      p.said_hello = true;
      return step(ExecutorReady{slot, {kExecutorProtocolVersion, true, {{"f", ""}}}});
    }
    if (p.running) {
      if (chance(60)) finish(p);
    } else if (!p.queue.empty()) {
      const auto task = p.queue.front();
      p.started = task.position + 1;
      if (chance(3)) return die(slot);  // before it can look at the end
      if (p.end <= task.position) {
        p.started = task.position;
        report(slot);
        // Whatever it undid or had not begun is free.
        for (const auto& other : waiting(p)) {
          release(slot, other);
        }
        p.queue.clear();
        p.socket.clear();
        return step(ExecutorStopped{slot, task.position});
      }
      p.queue.pop_front();
      if (!may_start_tasks(task)) return;
      p.running = task;
      ++ran_[{task.job, task.index.value}];
    } else {
      read_frames(p);
    }
    if (chance(40) && !p.socket.empty()) read_frames(p);
    if (chance(40)) report(slot);
    if (chance(30) && watch_) step(ExecutorProgress{slot, p.started, p.finished});
  }
  bool may_start_tasks(const Process::Task& task) {
    if (reported_.count({task.token, task.index.value}) != 0) {
      violated("a task runs that was reported or returned");
    }
    return true;
  }
  void read_frames(Process& p) {
    while (!p.socket.empty() && chance(80)) {
      if (const auto* deal = std::get_if<DealWork>(&p.socket.front())) {
        append_tasks(p.queue, *deal);
      }
      p.socket.pop_front();
    }
  }
  void finish(Process& p) {
    p.finished = p.running->position + 1;
    p.unreported.push_back(*p.running);
    p.running.reset();
  }
  void report(std::uint32_t slot) {
    Process& p = slots_[slot];
    while (!p.unreported.empty()) {
      const auto first = p.unreported.front();
      std::uint64_t count = 1;
      while (count < p.unreported.size() && p.unreported[count].work == first.work) ++count;
      if (chance(20)) count = 1 + pick(count);
      for (std::uint64_t i = 0; i < count; ++i) {
        release(slot, p.unreported[i]);
      }
      p.unreported.erase(p.unreported.begin(),
                         p.unreported.begin() + static_cast<std::ptrdiff_t>(count));
      const bool failed = chance(5);
      step(ExecutorDone{slot,
                        {first.position,
                         count,
                         failed ? Outcome::kFailed : Outcome::kSucceeded,
                         failed ? 0 : count,
                         count * (1 + pick(400'000)),
                         {}},
                        failed ? Blob{} : Blob::from(std::string(count, '\xc0'))});
    }
  }
  void die(std::uint32_t slot) {
    Process& p = slots_[slot];
    if (chance(50)) report(slot);
    if (p.running) ++result_.crashes;
    guilty_.reset();
    if (p.running) {
      guilty_ = {p.running->token, p.running->index.value};
    } else if (!p.queue.empty() && p.queue.front().position + 1 == p.started) {
      guilty_ = {p.queue.front().token, p.queue.front().index.value};
    }
    for (const auto& task : waiting(p)) release(slot, task);
    for (const auto& task : p.unreported) release(slot, task);
    if (p.running) release(slot, *p.running);
    const ExecutorDied died{slot, p.started, p.finished, -1, 11, "", ""};
    p = {};

    step(died);
    // Every crash report must name what ran in a process that died.
    if (guilty_) crashed_.insert(*guilty_);
  }

  // ---- the broker: it knows what it leased, and what came back ----
  using Key = std::pair<JobId, std::uint64_t>;
  struct Leased {
    JobId job;
    RangeSet open;
    bool gone = false;  // the broker took it back
  };
  void receive(ToSend& message) {
    if (lossy_ && chance(5)) return;
    if (!connected_) return;
    inbox_.push_back(message);
    if (lossy_ && chance(5)) inbox_.push_back(message);
  }
  void broker_event() {
    if (!inbox_.empty()) {
      const std::size_t at = lossy_ && chance(10) ? pick(inbox_.size()) : 0;
      const ToSend message = inbox_[at];
      inbox_.erase(inbox_.begin() + static_cast<std::ptrdiff_t>(at));
      std::visit([&](const auto& it) { hear(it, message); }, message.message);
    }
    if (chance(50) && !outbox_.empty()) {
      const std::size_t at = lossy_ && chance(10) ? pick(outbox_.size()) : 0;
      const BrokerMessage message = outbox_[at];
      if (!lossy_ || !chance(5)) outbox_.erase(outbox_.begin() + static_cast<std::ptrdiff_t>(at));
      note_arrival(message);
      step(message);
    }
  }
  void say(ToWorker message, Blob blob = {}) {
    if (lossy_ && chance(5)) return;
    outbox_.push_back({{session_, std::move(message)}, std::move(blob)});
  }
  void hear(const WorkerHello& hello, const ToSend&) {
    if (hello.attempt < attempt_) return;
    std::vector<AttemptToken> keep;
    if (hello.attempt == attempt_ && session_ != SessionId{}) {
      keep = keep_;
    } else {
      attempt_ = hello.attempt;
      session_ = {++sessions_};
      ++result_.sessions;
      taken_ = leases_sent_ = 0;
      received_ = {};
      credit_ = hello.credit;
      known_jobs_.clear();
      outbox_.clear();
      std::map<AttemptToken, RangeSet> claimed;
      for (const Claim& claim : hello.claims) {
        for (const IndexRange& range : claim.unfinished) claimed[claim.token].add(range);
      }
      for (auto& [token, leased] : leases_) {
        if (leased.gone || leased.open.empty()) continue;
        const auto it = claimed.find(token);
        if (it == claimed.end() || chance(10)) {
          leased.gone = true;
          for (const IndexRange& range : leased.open.ranges()) free_.push_back({leased.job, range});
          continue;
        }
        for (const IndexRange& range : leased.open.ranges()) {
          if (!it->second.contains(range))
            violated("a claim leaves out tasks that are not settled");
        }
        keep.push_back(token);
      }
      keep_ = keep;
    }
    say(WorkerWelcome{kInstance, hello.attempt, 2000, 6000, keep});
  }
  bool ours(const ToSend& message) const { return message.session == session_; }
  void hear(const WorkerHeartbeat& heartbeat, const ToSend& message) {
    if (!ours(message)) return;
    allow(heartbeat.credit);
    std::uint64_t digest = 0;
    std::uint64_t count = 0;
    for (const auto& [token, leased] : leases_) {
      if (leased.gone || leased.open.empty() || number_of(token) > heartbeat.leases_seen) continue;
      digest ^= digest_of(token);
      ++count;
    }
    const bool compare = heartbeat.reports_sent == taken_;
    const bool same = digest == heartbeat.held_digest && count == heartbeat.held_count;
    if (compare && !same && !was_lossy_) violated("the digest is wrong though nothing was lost");
    if (compare && heartbeat.list_attached) {
      const std::set<AttemptToken> held(heartbeat.held.begin(), heartbeat.held.end());
      for (auto& [token, leased] : leases_) {
        if (leased.gone || leased.open.empty() || held.count(token) != 0 ||
            number_of(token) > heartbeat.leases_seen) {
          continue;
        }
        leased.gone = true;
        for (const IndexRange& range : leased.open.ranges()) free_.push_back({leased.job, range});
      }
    }
    say(HeartbeatReply{compare && !same, heartbeat.number});
  }
  void hear(const Goodbye&, const ToSend&) { violated("nobody asked it to leave"); }
  void hear(const Results& results, const ToSend& message) {
    if (!ours(message)) return;
    allow(results.credit);
    if (in_order(results.report)) {
      const IndexRange range{results.first, results.count};
      settle_lease(results.token, range);
      result_.tasks_done += results.count;
      if (results.outcome == Outcome::kCrashed &&
          crashed_.count({results.token, results.first.value}) == 0) {
        violated("a task is charged that did not run when its executor died");
      }
    }
    say(ReportsTaken{taken_});
  }
  void hear(const Returned& returned, const ToSend& message) {
    if (!ours(message)) return;
    allow(returned.credit);
    if (in_order(returned.report)) {
      for (const IndexRange& range : returned.ranges) {
        settle_lease(returned.token, range);
        result_.returned += range.count;
        for (std::uint64_t i = 0; i < range.count; ++i) {
          if (at_executors_.count({returned.token, range.first.value + i}) != 0) {
            violated("a task was returned while an executor has it");
          }
        }
      }
    }
    say(ReportsTaken{taken_});
  }
  bool in_order(std::uint64_t report) {
    if (report != taken_ + 1) return false;
    ++taken_;
    return true;
  }
  void allow(Credit credit) {
    credit_ = {std::max(credit_.tasks, credit.tasks), std::max(credit_.bytes, credit.bytes)};
  }
  void settle_lease(AttemptToken token, IndexRange range) {
    const auto it = leases_.find(token);
    if (it == leases_.end()) return violated("a report on a token that was never leased");
    // In a later session a report comes again whose acknowledgement got lost.
    for (std::uint64_t i = 0; i < range.count; ++i) {
      const auto [seen, fresh] = reported_.insert({{token, range.first.value + i}, session_.value});
      if (!fresh && seen->second == session_.value) violated("a task was reported twice");
      seen->second = session_.value;
    }
    it->second.open.remove(range);
  }
  std::uint64_t number_of(AttemptToken token) const {
    const auto it = numbers_.find({session_.value, token});
    return it == numbers_.end() ? 0 : it->second;
  }
  void lease_some() {
    if (session_ == SessionId{} || !connected_) return;
    const JobId job = kJobs[pick(std::size(kJobs))];
    const std::uint64_t count = 1 + pick(chance(20) ? 300 : 20);
    const std::uint64_t skip = pick(4);
    const std::uint64_t bytes = 2 * (count + skip);
    if (received_.tasks + count > credit_.tasks || received_.bytes + bytes > credit_.bytes) return;
    received_ = {received_.tasks + count, received_.bytes + bytes};
    std::string tuples;
    std::vector<Block> blocks;
    for (std::uint64_t i = 0; i < count + skip; ++i) {
      if (i % 64 == 0) blocks.push_back({});
      tuples += "\x91\x01";
      ++blocks.back().tuples;
      blocks.back().bytes += 2;
    }
    const AttemptToken token{1, ++tokens_};
    Lease lease{
        ++leases_sent_, job, token, {next_[job]}, count, static_cast<std::uint32_t>(skip), 1,
        blocks,         {}};
    next_[job] += count;
    if (known_jobs_.insert(job).second) {
      lease.spec.push_back({"f", {}, {}, job == kJobs[2] ? 5u : 0u, 0});
    }
    leases_[token] = {job, RangeSet({lease.first, count}), false};
    numbers_[{session_.value, token}] = lease.lease;
    say(lease, Blob::from(tuples));
  }

  // The broker's view of the lease is later than the agent's, so this only needs the agent's own
  // rule: answers to heartbeats, six seconds from their sending.
  void note_arrival(const BrokerMessage&) { last_heard_ = now_; }
  bool may_start() const { return now_ - last_heard_ < 6s; }

  // ---- what may happen ----
  void random_event() {
    const std::uint64_t what = pick(100);
    if (reconnect_ && chance(50)) {
      reconnect_ = false;
      connected_ = true;
      inbox_.clear();
      outbox_.clear();
      step(BrokerConnected{});
    } else if (what < 55) {
      executor_event(static_cast<std::uint32_t>(pick(kSlots)));
    } else if (what < 85) {
      broker_event();
    } else if (what < 93) {
      lease_some();
    } else if (what < 95 && session_ != SessionId{}) {
      say(Recall{++recalls_, chance(30) ? kJobs[0] : JobId{}, 1 + pick(50)});
    } else if (what == 95 && chance(30)) {
      step(BrokerGarbled{});
      connected_ = false;
    } else if (what == 96 && chance(30) && session_ != SessionId{}) {
      say(UnknownSession{});
    } else {
      step(Tick{});
    }
  }
  // The faults stop: everything must end.
  void settle() {
    lossy_ = false;
    for (int i = 0; i < 200'000 && result_.violation.empty(); ++i) {
      const bool idle = core_.view().held_leases == 0 && core_.view().unacknowledged_reports == 0 &&
                        core_.view().busy_slots == 0 && inbox_.empty() && outbox_.empty();
      if (idle && core_.view().connected) break;
      if (i == 199'999) violated("does not come to an end");
      if (i % 10 == 0) now_ += 1ms;
      if (reconnect_) {
        random_event();
      } else if (i % 2 == 0) {
        executor_event(static_cast<std::uint32_t>(pick(kSlots)));
      } else {
        broker_event();
      }
      turn();
    }
    for (const auto& [token, leased] : leases_) {
      if (!leased.gone && !leased.open.empty() && number_of(token) != 0 && !was_lossy_) {
        violated("tasks of a lease are neither reported nor returned");
      }
    }
  }

  std::mt19937_64 random_;
  MonoTime now_{};
  AgentCore core_;
  bool lossy_;
  bool was_lossy_ = lossy_;
  ChaosResult result_;
  bool reconnect_ = false;
  bool watch_ = false;
  std::optional<MonoTime> wake_at_;
  std::vector<ExecutorFreed> frees_;
  Process slots_[kSlots];
  std::map<std::pair<AttemptToken, std::uint64_t>, std::uint32_t> at_executors_;  // in which slot
  std::map<std::pair<AttemptToken, std::uint64_t>, std::uint64_t> reported_;  // in which session
  std::set<std::pair<AttemptToken, std::uint64_t>> crashed_;
  std::optional<std::pair<AttemptToken, std::uint64_t>> guilty_;

  std::map<Key, std::uint64_t> ran_;

  bool connected_ = false;
  SessionId session_;
  std::uint32_t attempt_ = 0;
  std::uint64_t sessions_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t leases_sent_ = 0;
  std::uint64_t tokens_ = 0;
  std::uint32_t recalls_ = 0;
  Credit credit_;
  Credit received_;
  std::vector<AttemptToken> keep_;
  std::set<JobId> known_jobs_;
  std::map<AttemptToken, Leased> leases_;
  std::map<std::pair<std::uint64_t, AttemptToken>, std::uint64_t> numbers_;
  std::map<JobId, std::uint64_t> next_;
  std::vector<std::pair<JobId, IndexRange>> free_;
  std::deque<ToSend> inbox_;
  std::deque<BrokerMessage> outbox_;
  MonoTime last_heard_{};
};

}  // namespace

ChaosResult run_chaos(std::uint64_t seed) { return Chaos(seed).run(); }

}  // namespace fanmill::worker
