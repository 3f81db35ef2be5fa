#include "worker/session.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kSilentMax = 3;     // heartbeats or hellos without an answer
constexpr std::size_t kUnansweredMax = 64;  // heartbeats that an answer is still related to
constexpr auto kOffersWait = std::chrono::seconds(2);
constexpr std::size_t kGapsMax = 4096;

// Of a duration that the broker names; it may name anything.
nanoseconds bounded(std::uint64_t ms) {
  return milliseconds(std::clamp<std::uint64_t>(ms, 10, 3'600'000));
}

}  // namespace

nanoseconds Jitter::spread(nanoseconds base, double low, double high) {
  std::uint64_t x = state_ += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  x ^= x >> 31;
  const double unit = static_cast<double>(x >> 11) / static_cast<double>(std::uint64_t{1} << 53);
  return nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(base.count()) * (low + (high - low) * unit)));
}

bool SeenNumbers::insert(std::uint64_t number) {
  if (number <= all_to_ || !above_.insert(number).second) return false;
  while (!above_.empty() && *above_.begin() == all_to_ + 1) {
    ++all_to_;
    above_.erase(above_.begin());
  }
  if (above_.size() > kGapsMax) close_gaps();
  return true;
}

void SeenNumbers::close_gaps() {
  all_to_ = highest();
  above_.clear();
}

Session::Session(AgentConfig config, MonoTime now)
    : config_(std::move(config)),
      jitter_(config_.seed ^ config_.instance.value),
      reconnect_at_(now),
      hello_by_(now + kOffersWait) {}

void Session::connected(MonoTime /*now*/) {
  if (state_ == State::kConnecting) state_ = State::kConnected;
}

void Session::lost(MonoTime now) {
  if (state_ == State::kBackoff || state_ == State::kConnecting) return;
  state_ = State::kBackoff;
  nanoseconds pause = limits::kReconnectMin;
  for (std::uint32_t i = 0; i < losses_ && pause < limits::kReconnectMax; ++i) pause *= 2;
  pause = std::min<nanoseconds>(pause, limits::kReconnectMax);
  ++losses_;
  reconnect_at_ = now + jitter_.spread(pause, 0.5, 1.0);
}

Session::Arrival Session::receive(const Envelope<ToWorker>& envelope, MonoTime now) {
  if (const auto* welcome = std::get_if<WorkerWelcome>(&envelope.message)) {
    if (state_ != State::kHello || welcome->instance != config_.instance ||
        welcome->attempt != attempt_ || envelope.session == SessionId{}) {
      return Arrival::kNothing;
    }
    state_ = State::kWelcomed;
    id_ = envelope.session;
    losses_ = 0;
    heartbeat_interval_ = bounded(welcome->heartbeat_ms);
    lease_duration_ = bounded(welcome->lease_ms);
    heartbeat_at_ = now + jitter_.spread(heartbeat_interval_, 0.9, 1.1);
    silent_ = 0;
    unanswered_.clear();
    heartbeats_ = 0;
    valid_until_ = hello_sent_ + lease_duration_;
    list_wanted_ = false;
    heartbeat_now_ = draining_;
    return Arrival::kWelcomed;
  }
  const bool refused = std::holds_alternative<Refused>(envelope.message);
  // A hello is refused without a session; what an earlier session is told may be late.
  if (state_ == State::kHello && refused && envelope.session == SessionId{}) {
    lost(now);
    return Arrival::kNothing;
  }
  if (state_ != State::kWelcomed) return Arrival::kNothing;
  if (std::holds_alternative<UnknownSession>(envelope.message)) {
    // Strangers are answered with session zero; a late answer to an earlier session names that.
    if (envelope.session == id_ || envelope.session == SessionId{}) lost(now);
    return Arrival::kNothing;
  }
  if (envelope.session != id_) return Arrival::kNothing;
  silent_ = 0;
  if (const auto* reply = std::get_if<HeartbeatReply>(&envelope.message)) {
    // A repeated reply finds its heartbeat answered, and proves nothing new.
    while (!unanswered_.empty() && unanswered_.front().number <= reply->number) {
      if (unanswered_.front().number == reply->number) {
        valid_until_ = std::max(*valid_until_, unanswered_.front().at + lease_duration_);
      }
      unanswered_.pop_front();
    }
    if (reply->list_wanted) list_wanted_ = heartbeat_now_ = true;
    return Arrival::kNothing;
  }
  return refused ? Arrival::kNothing : Arrival::kMessage;
}

void Session::offers_are(std::vector<FunctionOffer> offers, bool complete) {
  offers_ = std::move(offers);
  offers_complete_ = offers_complete_ || complete;
}

bool Session::hello_due(MonoTime now) const {
  const bool known = offers_complete_ || now >= hello_by_;
  if (state_ == State::kConnected) return known;
  return (state_ == State::kHello || state_ == State::kWelcomed) && offers_ != offers_sent_;
}

void Session::say_hello(const Facts& facts, AgentDuties& out, MonoTime now) {
  const bool again = state_ == State::kHello && offers_ == offers_sent_;
  if (!again) {
    ++attempt_;
    hellos_ = 0;
    hello_sent_ = now;
    offers_sent_ = offers_;
    seen_ = {};
    id_ = {};
    state_ = State::kHello;
  }
  ++hellos_;
  hello_again_ = now + limits::kResendAfter;
  credit_sent_ = facts.credit;
  out.send.push_back({WorkerHello{.instance = config_.instance,
                                  .attempt = attempt_,
                                  .name = config_.name,
                                  .host = config_.host,
                                  .pid = config_.pid,
                                  .slots = config_.slots,
                                  .offers = offers_sent_,
                                  .credit = facts.credit,
                                  .claims = facts.claims(),
                                  .labels = config_.labels,
                                  .version = config_.version},
                      SessionId{},
                      {}});
}

void Session::tend(const Facts& facts, AgentDuties& out, MonoTime now) {
  if (state_ == State::kHello && now >= hello_again_) {
    if (hellos_ >= kSilentMax) {
      lost(now);
    } else {
      say_hello(facts, out, now);
    }
  }
  if (state_ == State::kWelcomed) {
    const bool credit_grown =
        facts.credit.tasks >=
            credit_sent_.tasks + std::max<std::uint64_t>(1, config_.window.tasks / 2) ||
        facts.credit.bytes >=
            credit_sent_.bytes + std::max<std::uint64_t>(1, config_.window.bytes / 2);
    if (now >= heartbeat_at_ && silent_ >= kSilentMax) {
      lost(now);
    } else if (now >= heartbeat_at_) {
      send_heartbeat(facts, out, now, true);
    } else if (heartbeat_now_ || credit_grown) {
      send_heartbeat(facts, out, now, false);
    }
  }
  if (state_ == State::kBackoff && now >= reconnect_at_) {
    state_ = State::kConnecting;
    out.reconnect = true;
  }
}

void Session::send_heartbeat(const Facts& facts, AgentDuties& out, MonoTime now, bool regular) {
  if (regular) {
    ++silent_;
    heartbeat_at_ = now + jitter_.spread(heartbeat_interval_, 0.9, 1.1);
  }
  unanswered_.push_back({++heartbeats_, now});
  if (unanswered_.size() > kUnansweredMax) unanswered_.pop_front();
  WorkerHeartbeat heartbeat{.credit = facts.credit,
                            .leases_seen = seen_.highest(),
                            .reports_sent = facts.reports_sent,
                            .held_count = facts.held_count,
                            .held_digest = facts.held_digest,
                            .running = facts.running(),
                            .draining = draining_,
                            .list_attached = list_wanted_,
                            .held = {},
                            .number = heartbeats_};
  if (list_wanted_) {
    // The broker takes back what the list does not name: a lease that is late must stay out.
    heartbeat.held = facts.held();
    seen_.close_gaps();
  }
  list_wanted_ = heartbeat_now_ = false;
  credit_sent_ = facts.credit;
  out.send.push_back({std::move(heartbeat), id_, {}});
}

void Session::say_goodbye(AgentDuties& out) {
  if (welcomed()) out.send.push_back({Goodbye{}, id_, {}});
}

std::optional<MonoTime> Session::wake_at() const {
  switch (state_) {
    case State::kBackoff:
      return reconnect_at_;
    case State::kConnecting:
      return std::nullopt;
    case State::kConnected:
      return hello_by_;
    case State::kHello:
      return hello_again_;
    case State::kWelcomed:
      return heartbeat_at_;
  }
  return std::nullopt;
}

}  // namespace fanmill::worker
