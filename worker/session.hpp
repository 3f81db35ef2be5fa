// The worker's session with the broker: channel, hello and welcome, heartbeats, and until when
// leased tasks may be started. It knows nothing of executors; what it tells the broker about leases
// is handed in as Facts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "worker/agent_core.hpp"

namespace fanmill::worker {

// splitmix64, by S. Vigna: all the randomness there is here.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}
  // Between `low` and `high` times `base`.
  nanoseconds spread(nanoseconds base, double low, double high);

 private:
  std::uint64_t state_;
};

// Numbers of messages that were seen, from 1 on, in any order.
class SeenNumbers {
 public:
  bool insert(std::uint64_t number);  // false: it was seen before
  std::uint64_t highest() const { return above_.empty() ? all_to_ : *above_.rbegin(); }
  // Whatever is missing so far counts as seen.
  void close_gaps();

 private:
  std::uint64_t all_to_ = 0;
  std::set<std::uint64_t> above_;
};

class Session {
 public:
  struct Facts {
    Credit credit;
    std::uint64_t reports_sent{};
    std::uint64_t held_count{};
    std::uint64_t held_digest{};
    std::function<std::vector<RunningTask>()> running;
    std::function<std::vector<AttemptToken>()> held;
    std::function<std::vector<Claim>()> claims;
  };

  Session(AgentConfig config, MonoTime now);

  // ---- events ----
  void connected(MonoTime now);
  // The session is over, whatever the reason: another channel after a pause.
  void lost(MonoTime now);
  enum class Arrival {
    kNothing,   // not for us, or dealt with
    kWelcomed,  // a session began
    kMessage,   // one of this session that leases or reports are to be told of
  };
  Arrival receive(const Envelope<ToWorker>& envelope, MonoTime now);
  // False: this lease came before, in this session.
  bool lease_is_fresh(std::uint64_t number) { return seen_.insert(number); }
  void offers_are(std::vector<FunctionOffer> offers, bool complete);
  void drain() {
    draining_ = true;
    heartbeat_now_ = true;
  }

  // ---- duties ----
  // A hello is to leave: what was received before it is of an earlier session.
  bool hello_due(MonoTime now) const;
  void say_hello(const Facts& facts, AgentDuties& out, MonoTime now);
  // Heartbeats, repeated hellos, the reconnect.
  void tend(const Facts& facts, AgentDuties& out, MonoTime now);
  void say_goodbye(AgentDuties& out);
  // Credit left with a report.
  void credit_sent(Credit credit) { credit_sent_ = credit; }
  std::optional<MonoTime> wake_at() const;

  bool welcomed() const { return state_ == State::kWelcomed; }
  SessionId id() const { return id_; }
  // Leased tasks may be started: measured from the sending of the last heartbeat that was answered.
  bool lease_valid(MonoTime now) const { return valid_until_ && now < *valid_until_; }
  std::optional<MonoTime> valid_until() const { return valid_until_; }

 private:
  enum class State {
    kBackoff,     // until reconnect_at_
    kConnecting,  // the channel was asked for
    kConnected,   // hello is to be sent, once the offers are known
    kHello,       // sent, and no welcome yet
    kWelcomed,
  };
  void send_heartbeat(const Facts& facts, AgentDuties& out, MonoTime now, bool regular);

  AgentConfig config_;
  Jitter jitter_;
  State state_ = State::kBackoff;
  MonoTime reconnect_at_;
  std::uint32_t losses_ = 0;  // since the last welcome
  MonoTime hello_by_;         // then with what offers there are
  std::vector<FunctionOffer> offers_;
  bool offers_complete_ = false;
  std::vector<FunctionOffer> offers_sent_;
  std::uint32_t attempt_ = 0;
  std::uint32_t hellos_ = 0;  // of this attempt
  MonoTime hello_sent_{};     // the first of this attempt
  MonoTime hello_again_{};

  SessionId id_;
  nanoseconds heartbeat_interval_{};
  nanoseconds lease_duration_{};
  SeenNumbers seen_;
  MonoTime heartbeat_at_{};
  std::uint32_t silent_ = 0;  // regular heartbeats since the broker was last heard
  struct SentHeartbeat {
    std::uint64_t number;
    MonoTime at;
  };
  std::uint64_t heartbeats_ = 0;          // sent in this session
  std::deque<SentHeartbeat> unanswered_;  // the latest of them, oldest first
  std::optional<MonoTime> valid_until_;
  Credit credit_sent_;
  bool heartbeat_now_ = false;
  bool list_wanted_ = false;
  bool draining_ = false;
};

}  // namespace fanmill::worker
