#include "producer/session.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "producer/session_job.hpp"
#include "producer/session_push.hpp"
#include "producer/session_requests.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// splitmix64, by S. Vigna: jitter needs no better generator.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}
  // Uniform in [low, high].
  nanoseconds between(nanoseconds low, nanoseconds high) {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    x ^= x >> 31;
    const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
    return low + nanoseconds(static_cast<std::int64_t>(x % span));
  }

 private:
  std::uint64_t state_;
};

constexpr int kSilentHeartbeatsMax = 3;

enum class Phase : std::uint8_t {
  kWaiting,     // for reconnect_at, then for a connection to be asked for
  kConnecting,  // asked for
  kGreeting,    // HELLO sent
  kWelcomed,
  kLeft,  // GOODBYE said
};

}  // namespace

struct Session::State {
  SessionConfig config;
  Jitter jitter;
  Phase phase = Phase::kWaiting;
  std::uint32_t attempt = 0;
  std::uint32_t failures = 0;  // connections in a row that brought no welcome
  SessionId session;
  nanoseconds heartbeat = limits::kHeartbeatInterval;
  MonoTime reconnect_at{};
  MonoTime greeting_until{};
  MonoTime welcomed_at{};
  MonoTime heard_at{};
  bool store_full = false;  // the broker's
  MonoTime heartbeat_at{};
  bool leaving = false;
  std::deque<SessionJob> jobs;
  std::deque<SessionPush> pushes;
  SessionRequests requests;
  SessionDuties duties;

  State(SessionConfig c, MonoTime now)
      : config(std::move(c)), jitter(config.seed), reconnect_at(now) {}

  SessionJob& job(JobHandle handle) {
    FANMILL_ASSERT(handle.value < jobs.size());
    return jobs[handle.value];
  }
  SessionJob* find(JobId id) {
    const auto it = std::find_if(jobs.begin(), jobs.end(),
                                 [&](const SessionJob& j) { return j.job() == id && !j.over(); });
    return it == jobs.end() ? nullptr : &*it;
  }
  SessionJob* find(const std::string& key) {
    const auto it = std::find_if(jobs.begin(), jobs.end(),
                                 [&](const SessionJob& j) { return j.key() == key && !j.over(); });
    return it == jobs.end() ? nullptr : &*it;
  }
  SessionPush& push(PushHandle handle) {
    FANMILL_ASSERT(handle.value < pushes.size());
    return pushes[handle.value];
  }
  void say(FromProducer message, SessionId in) {
    duties.send.push_back({.message = std::move(message), .session = in, .blob = {}});
  }

  void lose_connection(MonoTime now) {
    if (phase == Phase::kLeft) return;
    const nanoseconds ceiling = std::min<nanoseconds>(
        limits::kReconnectMin * (1u << std::min(failures, 10u)), limits::kReconnectMax);
    ++failures;
    phase = Phase::kWaiting;
    session = {};
    duties.send.clear();
    reconnect_at = now + jitter.between(ceiling / 2, ceiling);
  }

  void greet(MonoTime now) {
    ++attempt;
    phase = Phase::kGreeting;
    session = {};
    const nanoseconds patience = std::min<nanoseconds>(
        limits::kResendAfter * (1u << std::min(failures, 10u)), heartbeat * kSilentHeartbeatsMax);
    greeting_until = now + patience;
    say(ProducerHello{.instance = config.instance,
                      .attempt = attempt,
                      .host = config.host,
                      .pid = config.pid,
                      .user = config.user},
        SessionId{});
  }

  void welcomed(const ProducerWelcome& welcome, SessionId in, MonoTime now) {
    if (phase != Phase::kGreeting || welcome.instance != config.instance ||
        welcome.attempt != attempt || in == SessionId{}) {
      return;
    }
    phase = Phase::kWelcomed;
    session = in;
    failures = 0;
    if (welcome.heartbeat_ms > 0) {
      heartbeat = std::clamp<nanoseconds>(
          std::chrono::milliseconds(std::min<std::uint64_t>(welcome.heartbeat_ms, 3'600'000)),
          std::chrono::milliseconds(10), std::chrono::hours(1));
    }
    welcomed_at = heard_at = now;
    schedule_heartbeat(now);
    for (SessionJob& j : jobs) j.session_began(now);
    for (SessionPush& p : pushes) p.session_began();
    requests.session_began();
  }

  void schedule_heartbeat(MonoTime now) {
    heartbeat_at = now + jitter.between(heartbeat * 9 / 10, heartbeat * 11 / 10);
  }

  void refused(const Refused& message) {
    Error error{message.code, message.message};
    if (message.request != 0) {
      requests.refused(RequestId{message.request}, std::move(error), duties.notices);
    } else if (!message.key.empty()) {
      if (SessionJob* j = find(message.key); j != nullptr)
        j->refused(std::move(error), duties.notices);
    } else if (message.job != JobId{}) {
      for (SessionPush& p : pushes) {
        if (p.job() == message.job) p.refused(error, duties.notices);
      }
      if (SessionJob* j = find(message.job); j != nullptr)
        j->refused(std::move(error), duties.notices);
    } else if (message.code == ErrorCode::kVersion || message.code == ErrorCode::kUsage) {
      for (SessionJob& j : jobs) j.refused(error, duties.notices);
      requests.all_refused(error, duties.notices);
    }
  }

  void unknown_session(MonoTime now) {
    // What was sent in an earlier session may still be answered so, right after a welcome.
    if (phase != Phase::kWelcomed || now - welcomed_at < limits::kReconnectMin) return;
    greet(now);
  }

  void message(const Envelope<ToProducer>& envelope, const Blob& blob, MonoTime now) {
    if (phase == Phase::kLeft) return;
    if (const auto* welcome = std::get_if<ProducerWelcome>(&envelope.message)) {
      welcomed(*welcome, envelope.session, now);
      return;
    }
    const bool mine = phase == Phase::kWelcomed && envelope.session == session;
    if (std::holds_alternative<UnknownSession>(envelope.message)) {
      if (mine || envelope.session == SessionId{}) unknown_session(now);
      return;
    }
    if (const auto* no = std::get_if<Refused>(&envelope.message)) {
      if (mine || envelope.session == SessionId{}) refused(*no);
      if (mine) heard_at = now;
      return;
    }
    if (!mine) return;
    heard_at = now;
    std::visit(
        Overloaded{
            [&](const JobOpened& m) {
              if (SessionJob* j = find(m.key); j != nullptr) j->opened(m, now, duties.notices);
            },
            [&](const Accepted& m) {
              if (SessionJob* j = find(m.job); j != nullptr) j->accepted(m, now);
            },
            [&](const Rows& m) {
              if (SessionJob* j = find(m.job); j != nullptr) {
                if (!j->rows(m, blob, now, duties.notices)) lose_connection(now);
              }
            },
            [&](const JobStatus& m) {
              if (SessionJob* j = find(m.job); j != nullptr)
                duties.notices.emplace_back(StatusArrived{.handle = j->handle(), .status = m});
            },
            [&](const JobEvent& m) {
              if (SessionJob* j = find(m.job); j != nullptr)
                duties.notices.emplace_back(
                    EventArrived{.handle = j->handle(), .event = m, .blob = blob});
            },
            [&](const JobEnded& m) {
              if (SessionJob* j = find(m.job); j != nullptr) j->ended(m, duties.notices);
            },
            [&](const HeartbeatReply& m) { store_full = m.full; }, [](const ProducerWelcome&) {},
            [](const Refused&) {}, [](const UnknownSession&) {},
            [&](const Answer& m) { requests.answered(RequestId{m.request}, blob, duties.notices); },
            [&](const RowsEnded& m) {
              if (SessionJob* j = find(m.job); j != nullptr) j->rows_ended(m, duties.notices);
            },
            [&](const Pushed& m) {
              for (SessionPush& p : pushes) {
                if (p.job() == m.job && p.key() == m.key) p.pushed(m, now);
              }
            }},
        envelope.message);
  }

  void serve_timers(MonoTime now) {
    switch (phase) {
      case Phase::kWaiting:
        if (now >= reconnect_at) {
          phase = Phase::kConnecting;
          duties.reconnect = true;
        }
        break;
      case Phase::kConnecting:
      case Phase::kLeft:
        break;
      case Phase::kGreeting:
        if (now >= greeting_until) lose_connection(now);
        break;
      case Phase::kWelcomed:
        if (now >= heard_at + heartbeat * kSilentHeartbeatsMax) {
          lose_connection(now);
          break;
        }
        if (now >= heartbeat_at) {
          say(ProducerHeartbeat{}, session);
          schedule_heartbeat(now);
        }
        for (SessionJob& j : jobs) j.collect(now, session, duties.send);
        for (SessionPush& p : pushes) p.collect(now, session, duties.send);
        requests.collect(now, session, duties.send);
        break;
    }
  }

  std::optional<MonoTime> next_timer() const {
    switch (phase) {
      case Phase::kWaiting:
        return reconnect_at;
      case Phase::kConnecting:
      case Phase::kLeft:
        return {};
      case Phase::kGreeting:
        return greeting_until;
      case Phase::kWelcomed: {
        MonoTime due = std::min(heartbeat_at, heard_at + heartbeat * kSilentHeartbeatsMax);
        for (const SessionJob& j : jobs) due = std::min(due, j.due_at().value_or(due));
        for (const SessionPush& p : pushes) due = std::min(due, p.due_at().value_or(due));
        due = std::min(due, requests.due_at().value_or(due));
        return due;
      }
    }
    return {};
  }
};

Session::Session(SessionConfig config, MonoTime now)
    : state_(std::make_unique<State>(std::move(config), now)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::connected(MonoTime now) {
  if (state_->phase == Phase::kLeft) return;
  state_->duties.reconnect = false;
  state_->duties.send.clear();
  state_->greet(now);
}

void Session::message(const Envelope<ToProducer>& envelope, const Blob& blob, MonoTime now) {
  state_->message(envelope, blob, now);
}

void Session::garbled(const Error& /*error*/, MonoTime now) {
  if (state_->phase != Phase::kWaiting) state_->lose_connection(now);
}

void Session::tick(MonoTime now) { state_->serve_timers(now); }

JobHandle Session::open(std::string key, JobOptions options, std::optional<RowOrder> order,
                        MonoTime now) {
  const JobHandle handle{static_cast<std::uint32_t>(state_->jobs.size())};
  state_->jobs.emplace_back(handle, std::move(key), std::move(options), order,
                            state_->config.window_bytes, state_->config.ack_delay);
  state_->jobs.back().session_began(now);
  return handle;
}

JobHandle Session::attach(JobId job, RowOrder order, std::uint64_t cursor, MonoTime now) {
  const JobHandle handle{static_cast<std::uint32_t>(state_->jobs.size())};
  state_->jobs.emplace_back(handle, job, order, cursor, state_->config.window_bytes,
                            state_->config.ack_delay);
  state_->jobs.back().session_began(now);
  return handle;
}

PushHandle Session::begin_push(JobId job, std::string key, MonoTime /*now*/) {
  const PushHandle handle{static_cast<std::uint32_t>(state_->pushes.size())};
  state_->pushes.emplace_back(handle, job, std::move(key));
  return handle;
}

bool Session::may_push(PushHandle push) const { return state_->push(push).may_push(); }
void Session::push(PushHandle push, ChunkBuilder::Chunk chunk, MonoTime /*now*/) {
  state_->push(push).push(std::move(chunk), state_->duties.notices);
}
bool Session::settled(PushHandle push) const { return state_->push(push).settled(); }

bool Session::may_submit(JobHandle job) const { return state_->job(job).may_submit(); }

void Session::submit(JobHandle job, ChunkBuilder::Chunk chunk, MonoTime /*now*/) {
  state_->job(job).submit(std::move(chunk), state_->duties.notices);
}

void Session::close(JobHandle job, MonoTime /*now*/) {
  state_->job(job).close(state_->duties.notices);
}

void Session::cancel(JobHandle job, std::uint64_t grace_ms, MonoTime /*now*/) {
  state_->job(job).cancel(grace_ms);
}

void Session::rows_done(JobHandle job, std::uint64_t cursor, MonoTime now) {
  state_->job(job).rows_done(cursor, now);
}

RequestId Session::ask(Topic topic, std::string selector, MonoTime /*now*/) {
  return state_->requests.add([&](std::uint64_t request) {
    return FromProducer(Ask{.request = request, .topic = topic, .selector = std::move(selector)});
  });
}

RequestId Session::steer(std::vector<JobId> jobs, Steering action, std::uint64_t grace_ms,
                         MonoTime /*now*/, std::uint32_t outcomes) {
  FANMILL_ASSERT(jobs.size() <= limits::kJobsSteeredMax);
  return state_->requests.add([&](std::uint64_t request) {
    return FromProducer(Steer{.request = request,
                              .jobs = std::move(jobs),
                              .action = action,
                              .grace_ms = grace_ms,
                              .outcomes = outcomes});
  });
}

void Session::drop(RequestId request) { state_->requests.drop(request); }

void Session::goodbye(MonoTime now) {
  if (state_->phase == Phase::kWelcomed) {
    for (SessionJob& j : state_->jobs) j.collect(now, state_->session, state_->duties.send);
    state_->say(Goodbye{}, state_->session);
  }
  state_->phase = Phase::kLeft;
  state_->duties.reconnect = false;
}

SessionDuties Session::take_duties(MonoTime now) {
  state_->serve_timers(now);
  SessionDuties out = std::exchange(state_->duties, {});
  out.wake_at = state_->next_timer();
  return out;
}

bool Session::broker_is_full() const { return state_->store_full; }
bool Session::is_connected() const { return state_->phase == Phase::kWelcomed; }
std::uint64_t Session::submitted(JobHandle job) const { return state_->job(job).submitted_tasks(); }
bool Session::settled(JobHandle job) const { return state_->job(job).settled(); }
std::uint64_t Session::accepted(JobHandle job) const { return state_->job(job).accepted_tasks(); }

}  // namespace fanmill::producer
