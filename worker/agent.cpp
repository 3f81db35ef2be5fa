#include "worker/agent.hpp"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

#include "proto/find_broker.hpp"
#include "proto/limits.hpp"
#include "proto/log.hpp"
#include "worker/agent_core.hpp"
#include "worker/cpu_count.hpp"
#include "worker/executor_pool.hpp"
#include "worker/executor_probe.hpp"
#include "worker/open_files.hpp"

namespace fanmill::worker {
namespace {

using namespace std::chrono_literals;

constexpr int kSystemRefused = 3;
// Executors that end before their first word, per slot and in a row: then something is wrong with
// this machine and not with a task.
constexpr std::uint32_t kSilentDeathsMax = 5;
constexpr std::size_t kMessagesPerTurn = 1024;
// A farewell leaves before its socket is closed.
constexpr auto kFarewell = 50ms;

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number || number == 0) {
    number = static_cast<std::uint64_t>(mono_now().time_since_epoch().count()) ^
             static_cast<std::uint64_t>(getpid()) << 32;
  }
  return number;
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

struct Agent::State {
  State(ChannelContext& used_context, AgentOptions used_options)
      : context(used_context), options(std::move(used_options)) {}

  int run();
  void wait();
  void gather();
  void receive();
  void perform(AgentDuties& duties);
  void perform(const ExecutorDuty& duty);
  void start(std::uint32_t slot);
  void connect();
  void try_later(const Error& error);
  void tell_trouble(const Error& error);  // once
  void send(const ToSend& one);
  void joined();
  void leave_at_once();
  void request(std::atomic<bool>& flag);

  ChannelContext& context;
  AgentOptions options;
  Fd requests;  // an eventfd: one of the flags was raised
  std::atomic<bool> drain_wanted{false};
  std::atomic<bool> stop_wanted{false};

  std::optional<ExecutorPool> pool;
  std::optional<AgentCore> core;
  std::optional<PeerChannel> channel;
  std::vector<Event> events;
  std::string header;
  std::optional<MonoTime> connect_at;  // the last attempt failed
  nanoseconds connect_pause{limits::kReconnectMin};
  std::string endpoint;            // of the channel
  bool welcomed = false;           // on the channel
  std::string last_trouble;        // that was told; nothing while the broker answers
  std::string last_start_trouble;  // of an executor, that was told
  std::uint32_t connections = 0;
  std::uint32_t failed_starts = 0;
  bool draining = false;
  bool watch = false;
  bool executors_spoke = false;
  std::optional<MonoTime> wake_at;
};

tl::expected<Agent, Error> Agent::make(ChannelContext& context, AgentOptions options) {
  if (options.slots == 0) options.slots = usable_cores();
  if (options.slots > limits::kSlotsMax) {
    return fail(ErrorCode::kUsage, "a worker has at most " + std::to_string(limits::kSlotsMax) +
                                       " slots, not " + std::to_string(options.slots));
  }
  if (options.name.empty()) options.name = host_name() + "-" + std::to_string(getpid());
  options.name.resize(std::min(options.name.size(), limits::kNameBytesMax));
  if (!options.own_executor.empty()) options.executor_path = options.own_executor;
  if (options.executor_path.empty()) options.executor_path = executor_beside_program();

  auto state = std::make_unique<State>(context, std::move(options));
  const AgentOptions& told = state->options;
  if (!told.plugins.empty() || !told.own_executor.empty()) {
    auto offers = probe_executor({told.executor_path, told.plugins, told.own_executor});
    if (!offers) return tl::make_unexpected(std::move(offers.error()));
  }
  auto files = allow_files_of(told.slots);
  if (!files) return tl::make_unexpected(std::move(files.error()));
  auto pool = ExecutorPool::make({.executor_path = told.executor_path,
                                  .slots = told.slots,
                                  .commands = told.allow_exec,
                                  .plugins = told.plugins,
                                  .files = *files,
                                  .adopt_orphans = told.adopt_orphans});
  if (!pool) return tl::make_unexpected(std::move(pool.error()));
  state->pool.emplace(std::move(*pool));
  state->requests = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->requests) {
    return fail(ErrorCode::kSystem, std::string("cannot make an eventfd: ") + strerror(errno));
  }
  return Agent(std::move(state));
}

Agent::Agent(std::unique_ptr<State> state) : state_(std::move(state)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent::~Agent() = default;

std::uint32_t Agent::slots() const { return state_->options.slots; }
int Agent::run() { return state_->run(); }
void Agent::request_drain() { state_->request(state_->drain_wanted); }
void Agent::request_stop() { state_->request(state_->stop_wanted); }

void Agent::State::request(std::atomic<bool>& flag) {
  const int error = errno;  // of what a signal handler interrupted
  flag.store(true);
  const std::uint64_t one = 1;
  static_cast<void>(!write(requests.get(), &one, sizeof one));
  errno = error;
}

int Agent::State::run() {
  // What a command leaves behind comes to this process, which can then end it.
  if (options.adopt_orphans) prctl(PR_SET_CHILD_SUBREAPER, 1);

  AgentConfig config;
  config.instance = {random_number()};
  config.name = options.name;
  config.host = host_name();
  config.host.resize(std::min(config.host.size(), limits::kNameBytesMax));
  config.pid = static_cast<std::uint32_t>(getpid());
  config.slots = options.slots;
  config.seed = random_number();
  config.labels = options.labels;
  config.version = FANMILL_VERSION;
  config.idle_timeout = options.idle_timeout;
  config.time_limit = options.time_limit;
  core.emplace(config, mono_now());

  int result = 0;
  while (!stop_wanted.load()) {
    const MonoTime now = mono_now();
    for (const Event& event : events) core->step(event, now);
    events.clear();
    AgentDuties duties = core->take_duties(now);
    perform(duties);
    if (duties.finished) {
      if (channel) {
        if (!options.broker.starts_with("inproc:")) channel->wait({}, kFarewell);
      }
      if (!options.reconnect_quietly) log().info("drained: nothing is left to do here");
      break;
    }
    if (pool->silent_deaths() + failed_starts > kSilentDeathsMax * options.slots) {
      log().error("executors end before they begin: {} does not run here{}{}",
                  options.executor_path, pool->silent_words().empty() ? "" : ": ",
                  pool->silent_words());
      result = kSystemRefused;
      break;
    }
    wait();
    gather();
  }
  if (stop_wanted.load()) leave_at_once();
  core.reset();
  channel.reset();
  pool.reset();
  return result;
}

// What ran has ended, so the broker may deal it again, at once and uncharged.
void Agent::State::leave_at_once() {
  pool.reset();
  if (!channel || options.broker.starts_with("inproc:")) return;
  const MonoTime now = mono_now();
  core->step(LeaveAtOnce{}, now);
  for (const ToSend& one : core->take_duties(now).send) send(one);
  channel->wait({}, kFarewell);
  if (!options.reconnect_quietly) log().info("left; what ran here was killed, and goes back");
}

void Agent::State::wait() {
  std::array<pollfd, 2> others{{{requests.get(), POLLIN, 0}, {pool->poll_fd(), POLLIN, 0}}};
  std::optional<MonoTime> until = wake_at;
  if (connect_at && (!until || *connect_at < *until)) until = connect_at;
  std::optional<nanoseconds> timeout;
  if (until) timeout = std::max(*until - mono_now(), nanoseconds(0));
  if (!events.empty()) timeout = nanoseconds(0);
  if (channel) {
    channel->wait(others, timeout);
  } else {
    wait_for(others, timeout);
  }
  if ((others[0].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    static_cast<void>(!read(requests.get(), &count, sizeof count));
  }
  executors_spoke = others[1].revents != 0;
}

void Agent::State::gather() {
  if (channel) receive();
  if (executors_spoke) pool->take_events(events);
  if (drain_wanted.load() && !draining) {
    draining = true;
    events.emplace_back(DrainRequested{});
    if (!options.reconnect_quietly) {
      log().info("told to leave: finishes what runs, gives back the rest");
    }
  }
  const MonoTime now = mono_now();
  if (connect_at && now >= *connect_at) connect();
  if (wake_at && now >= *wake_at) {
    if (watch) pool->progress(events);
    events.emplace_back(Tick{});
  }
}

void Agent::State::receive() {
  for (std::size_t i = 0; i < kMessagesPerTurn; ++i) {
    auto received = channel->receive();
    if (!received) break;
    auto envelope = decode_to_worker(received->header);
    if (!envelope) {
      const bool version = envelope.error().code == ErrorCode::kVersion;
      tell_trouble({envelope.error().code, "the broker at " + endpoint +
                                               (version ? ": " : " sent what is no message: ") +
                                               envelope.error().message});
      events.emplace_back(BrokerLost{std::move(envelope.error())});
      return;
    }
    if (std::holds_alternative<WorkerWelcome>(envelope->message)) joined();
    if (const auto* refused = std::get_if<Refused>(&envelope->message)) {
      if (refused->code == ErrorCode::kConflict) {  // the session goes on
        log().warn("the broker at {} refused: {}", endpoint, refused->message);
      } else {
        tell_trouble(
            {refused->code, "the broker at " + endpoint + " refused: " + refused->message});
      }
    }
    events.emplace_back(BrokerMessage{std::move(*envelope), std::move(received->blob)});
  }
  if (channel->ended()) {
    const Error error = *channel->ended();
    tell_trouble(error);
    channel.reset();
    events.emplace_back(BrokerLost{error});  // the session says when to try again
  }
}

void Agent::State::perform(AgentDuties& duties) {
  if (!duties.drains_because.empty() && !options.reconnect_quietly) {
    log().info("{}", duties.drains_because);
  }
  if (duties.reconnect) {
    if (channel && last_trouble.empty()) {
      tell_trouble({ErrorCode::kUnreachable,
                    welcomed ? "the session with the broker at " + endpoint + " is over"
                             : "the broker at " + endpoint + " does not answer"});
    }
    channel.reset();
    if (!connect_at) connect();
  }
  for (const ToSend& one : duties.send) send(one);
  for (const ExecutorDuty& duty : duties.executors) perform(duty);
  pool->flush();
  watch = duties.watch;
  wake_at = duties.wake_at;
}

void Agent::State::perform(const ExecutorDuty& duty) {
  std::visit(Overloaded{[&](const DealBind& one) { pool->bind(one); },
                        [&](const DealWork& one) { pool->deal(one); },
                        [&](const DealForget& one) { pool->forget(one); },
                        [&](const LowerEnd& one) { events.emplace_back(pool->lower_end(one)); },
                        [&](const TellStopped& one) { pool->tell_stopped(one); },
                        [&](const KillExecutor& one) { pool->kill(one.slot); },
                        [&](const StartExecutor& one) { start(one.slot); }},
             duty);
}

void Agent::State::start(std::uint32_t slot) {
  auto started = pool->start(slot);
  if (started) {
    failed_starts = 0;
    return;
  }
  ++failed_starts;
  if (started.error().message != last_start_trouble) {
    last_start_trouble = started.error().message;
    log().error("{}", last_start_trouble);
  }
  ExecutorDied died;
  died.slot = slot;
  died.error_tail = std::move(started.error().message);
  events.emplace_back(std::move(died));
}

void Agent::State::connect() {
  connect_at.reset();
  auto connected = find_broker(options.broker, "worker").and_then([&](const Address& address) {
    endpoint = address.endpoint;
    return PeerChannel::connect(context, address);
  });
  if (!connected) return try_later(connected.error());
  ++connections;
  if (connections > 1) {
    log().debug("connecting again to {}", options.broker);
  } else if (!options.reconnect_quietly) {
    log().info("worker {} with {} slot{} connects to {}", options.name, options.slots,
               options.slots == 1 ? "" : "s", options.broker);
  }
  channel.emplace(std::move(*connected));
  welcomed = false;
  events.emplace_back(BrokerConnected{});
}

void Agent::State::joined() {
  connect_pause = limits::kReconnectMin;
  if (std::exchange(welcomed, true)) return;
  if (!std::exchange(last_trouble, {}).empty()) {
    log().info("the broker answers again");
  } else if (!options.reconnect_quietly) {
    log().info("connected to {}", endpoint);
  }
}

// There is no limit: a broker may be away for a night.
void Agent::State::try_later(const Error& error) {
  tell_trouble(error);
  connect_at = mono_now() + connect_pause;
  connect_pause = std::min<nanoseconds>(2 * connect_pause, limits::kReconnectMax);
}

void Agent::State::tell_trouble(const Error& error) {
  if (error.message == last_trouble) return;
  log().warn("{}; trying again until it works", error.message);
  last_trouble = error.message;
}

void Agent::State::send(const ToSend& one) {
  if (!channel) return;  // it is sent again by itself
  encode(header, one.session, one.message);
  channel->send(header, one.blob);
}

}  // namespace fanmill::worker
