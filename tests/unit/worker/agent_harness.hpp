// Plays the broker and the executors around one AgentCore, on a clock of its own. Every message and
// every duty must be taken by the test; silent() says that nothing else came.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/result_batch.hpp"
#include "worker/agent_core.hpp"

namespace fanmill::worker {

using namespace std::chrono_literals;

inline constexpr JobId kJob{(std::uint64_t{1} << 32) | 7};
inline constexpr JobId kOtherJob{(std::uint64_t{1} << 32) | 8};
inline constexpr SessionId kSession{41};

inline AttemptToken token(std::uint64_t counter) { return {1, counter}; }

// The tuple of task i: [i mod 128].
inline std::string tuple_bytes(std::uint64_t i) {
  return {static_cast<char>(0x91), static_cast<char>(i % 128)};
}

struct LeaseMade {
  Lease lease;
  Blob blob;
};

inline LeaseMade make_lease(
    std::uint64_t number, std::uint64_t token_counter, std::uint64_t first, std::uint64_t count,
    JobId job = kJob,
    std::optional<JobSpec> spec = JobSpec{
        .function = "f", .argv = {}, .names = {}, .time_limit_ms = 0, .max_output = 0}) {
  LeaseMade made;
  std::string bytes;
  std::vector<Block> blocks;
  const std::uint64_t skip = first % 4;  // as if the lease began within a block
  for (std::uint64_t i = 0; i < skip + count; ++i) {
    if (i % 256 == 0) blocks.push_back({});
    const std::string tuple = tuple_bytes(first - skip + i);
    bytes += tuple;
    ++blocks.back().tuples;
    blocks.back().bytes += static_cast<std::uint32_t>(tuple.size());
  }
  made.lease = Lease{.lease = number,
                     .job = job,
                     .token = token(token_counter),
                     .first = {first},
                     .count = count,
                     .skip = static_cast<std::uint32_t>(skip),
                     .attempt = 1,
                     .blocks = blocks,
                     .spec = {}};
  if (spec) made.lease.spec.push_back(*spec);
  made.blob = Blob::from(std::move(bytes));
  return made;
}

class Harness {
 public:
  static AgentConfig config(std::uint32_t slots, Credit window = {1000, 1'000'000}) {
    return {.instance = {99},
            .name = "w",
            .host = "h",
            .pid = 5,
            .slots = slots,
            .seed = 1,
            .window = window};
  }
  explicit Harness(std::uint32_t slots = 2, Credit window = {1000, 1'000'000})
      : Harness(config(slots, window)) {}
  explicit Harness(AgentConfig config) : slots_(config.slots), core(std::move(config), MonoTime{}) {
    take();
  }

  // ---- events ----
  void step(const Event& event) {
    core.step(event, now);
    core.check_invariants();
    take();
  }
  void from_broker(ToWorker message, Blob blob = {}, SessionId session = kSession) {
    step(BrokerMessage{{session, std::move(message)}, std::move(blob)});
  }
  void lease(const LeaseMade& made) { from_broker(made.lease, made.blob); }
  void ready(std::uint32_t slot, bool uses_page = true, const std::string& function = "f") {
    step(ExecutorReady{slot, {kExecutorProtocolVersion, uses_page, {{function, "() -> null"}}}});
  }
  void done(std::uint32_t slot, std::uint64_t position, std::uint64_t count,
            nanoseconds each = 1ms) {
    step(ExecutorDone{slot,
                      {.position = position,
                       .count = count,
                       .outcome = Outcome::kSucceeded,
                       .values_bytes = count,
                       .run_ns = static_cast<std::uint64_t>(each.count()) * count,
                       .blob = {}},
                      Blob::from(std::string(count, '\xc0'))});
  }
  // Time passes; the core is woken whenever it asked for it.
  void pass(nanoseconds span) {
    const MonoTime until = now + span;
    while (wake_at && *wake_at <= until) {
      now = std::max(now, *wake_at);
      step(Tick{});
      if (reconnects_at_once && reconnect) connect();
    }
    now = until;
    step(Tick{});
  }
  void connect() {
    EXPECT_TRUE(std::exchange(reconnect, false));
    step(BrokerConnected{});
  }
  void welcome(std::uint32_t attempt = 1, std::vector<AttemptToken> keep = {},
               SessionId session = kSession) {
    from_broker(WorkerWelcome{{99}, attempt, 2000, 6000, std::move(keep)}, {}, session);
  }
  void reply(bool list_wanted = false) { from_broker(HeartbeatReply{list_wanted, heartbeats}); }
  // Executors ready, hello and welcome exchanged.
  void start(bool uses_page = true) { start_each(std::vector<bool>(slots_, uses_page)); }
  void start_each(const std::vector<bool>& uses_page) {
    for (std::uint32_t i = 0; i < slots_; ++i) {
      expect_duty<StartExecutor>();
      ready(i, uses_page[i]);
    }
    connect();
    expect_sent<WorkerHello>();
    welcome();
    silent();
  }

  // ---- what came out, oldest first ----
  template <class Message>
  Message expect_sent(Blob* blob = nullptr, SessionId* session = nullptr) {
    if (sent.empty() || !std::holds_alternative<Message>(sent.front().message)) {
      ADD_FAILURE() << "expected another message than "
                    << (sent.empty() ? -1 : static_cast<int>(sent.front().message.index()));
      return {};
    }
    const ToSend front = sent.front();
    sent.pop_front();
    if (blob != nullptr) *blob = front.blob;
    if (session != nullptr) *session = front.session;
    return std::get<Message>(front.message);
  }
  template <class Duty>
  Duty expect_duty() {
    if (duties.empty() || !std::holds_alternative<Duty>(duties.front())) {
      ADD_FAILURE() << "expected another duty than "
                    << (duties.empty() ? -1 : static_cast<int>(duties.front().index()));
      return {};
    }
    const Duty duty = std::get<Duty>(duties.front());
    duties.pop_front();
    return duty;
  }
  // A sub-batch for `slot`: tasks [first, first + count), from `position` on.
  DealWork expect_work(std::uint32_t slot, std::uint64_t position, std::uint64_t first,
                       std::uint64_t count) {
    const DealWork deal = expect_duty<DealWork>();
    EXPECT_EQ(deal.slot, slot);
    EXPECT_EQ(deal.work.position, position);
    EXPECT_EQ(deal.work.first.value, first);
    EXPECT_EQ(deal.work.count, count);
    EXPECT_EQ(deal.end, position + count);
    // The task's own tuple lies where `skip` says.
    EXPECT_EQ(deal.blob.view().substr(2 * deal.work.skip, 2), tuple_bytes(first));
    return deal;
  }
  Results expect_results(std::uint64_t first, std::uint64_t count,
                         Outcome outcome = Outcome::kSucceeded, Blob* blob = nullptr) {
    const Results results = expect_sent<Results>(blob);
    EXPECT_EQ(results.first.value, first);
    EXPECT_EQ(results.count, count);
    EXPECT_EQ(results.outcome, outcome);
    return results;
  }
  Returned expect_returned(std::vector<IndexRange> ranges) {
    const Returned returned = expect_sent<Returned>();
    EXPECT_EQ(returned.ranges, ranges);
    return returned;
  }
  void silent() {
    EXPECT_TRUE(sent.empty()) << sent.size() << " more, the first of type "
                              << sent.front().message.index();
    EXPECT_TRUE(duties.empty()) << duties.size() << " more, the first of type "
                                << duties.front().index();
  }
  void forget_heartbeats() {
    std::erase_if(
        sent, [](const ToSend& it) { return std::holds_alternative<WorkerHeartbeat>(it.message); });
  }

 private:
  void take() {
    AgentDuties out = core.take_duties(now);
    reconnect = reconnect || out.reconnect;
    watch = out.watch;
    finished = out.finished;
    if (!out.drains_because.empty()) drains_because = out.drains_because;
    wake_at = out.wake_at;
    EXPECT_TRUE(!wake_at || *wake_at > now) << "would spin";
    for (auto& message : out.send) {
      if (const auto* one = std::get_if<WorkerHeartbeat>(&message.message))
        heartbeats = one->number;
      sent.push_back(std::move(message));
    }
    for (auto& duty : out.executors) duties.push_back(std::move(duty));
    core.check_invariants();
  }
  std::uint32_t slots_;

 public:
  std::uint64_t heartbeats = 0;  // the number of the last one sent
  MonoTime now{};
  bool reconnect = false;
  bool reconnects_at_once = false;
  bool watch = false;
  bool finished = false;
  std::string_view drains_because;
  std::optional<MonoTime> wake_at;
  std::deque<ToSend> sent;
  std::deque<ExecutorDuty> duties;
  AgentCore core;
};

}  // namespace fanmill::worker
