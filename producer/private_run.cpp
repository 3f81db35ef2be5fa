#include "producer/private_run.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "broker/loop.hpp"
#include "broker/memory_store.hpp"
#include "worker/agent.hpp"
#include "worker/executor_probe.hpp"

namespace fanmill {
namespace {

constexpr const char* kEndpoint = "inproc://fanmill";
// The producer lives in the same process: it cannot vanish and leave the broker behind, only be
// slow.
constexpr auto kNever = std::chrono::hours(24 * 365);

}  // namespace

// Shutting down runs from the last member to the first: the worker leaves, then the broker.
struct PrivateRun::State {
  std::optional<broker::Loop> broker;
  std::optional<worker::Agent> agent;
  std::uint32_t slots = 0;
  std::string endpoint = kEndpoint;
  int worker_ended = -1;  // an eventfd
  std::thread broker_thread;
  std::thread agent_thread;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (agent_thread.joinable()) {
      agent->request_stop();
      agent_thread.join();
    }
    if (broker_thread.joinable()) {
      broker->request_stop();
      broker_thread.join();
    }
    if (worker_ended >= 0) close(worker_ended);
  }
};

PrivateRun::PrivateRun(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrivateRun::PrivateRun(PrivateRun&&) noexcept = default;
PrivateRun& PrivateRun::operator=(PrivateRun&&) noexcept = default;
PrivateRun::~PrivateRun() = default;

const std::string& PrivateRun::endpoint() const { return state_->endpoint; }
std::uint32_t PrivateRun::slots() const { return state_->slots; }
int PrivateRun::worker_ended_fd() const { return state_->worker_ended; }

Result<std::vector<FunctionOffer>> private_offers(const std::vector<std::string>& plugins,
                                                  const std::string& own_executor) {
  return worker::probe_executor(
      {.executor_path = {}, .plugins = plugins, .own_executor = own_executor});
}

Result<PrivateRun> PrivateRun::start(ChannelContext& context, const PrivateRunOptions& options) {
  auto state = std::make_unique<State>();

  broker::LoopOptions broker_options;
  broker_options.endpoints = {kEndpoint};
  std::random_device random;
  broker_options.core.seed = (std::uint64_t{random()} << 32) | random();
  broker_options.core.producer_gone_after = kNever;
  broker_options.core.results_cap = options.results_cap;
  broker_options.store = std::make_unique<broker::MemoryStore>();
  auto broker = broker::Loop::bind(context, std::move(broker_options));
  if (!broker) return tl::make_unexpected(broker.error());
  state->broker.emplace(std::move(*broker));

  worker::AgentOptions agent_options;
  agent_options.broker = kEndpoint;
  agent_options.name = "local";
  agent_options.slots = options.slots;
  agent_options.allow_exec = options.allow_exec && options.own_executor.empty();
  agent_options.plugins = options.plugins;
  agent_options.own_executor = options.own_executor;
  agent_options.reconnect_quietly = true;
  agent_options.executor_path = options.executor_path;
  agent_options.adopt_orphans = options.adopt_orphans;
  auto agent = worker::Agent::make(context, std::move(agent_options));
  if (!agent) return tl::make_unexpected(agent.error());
  state->agent.emplace(std::move(*agent));
  state->slots = state->agent->slots();

  state->worker_ended = eventfd(0, EFD_CLOEXEC);
  if (state->worker_ended < 0) return fail(ErrorCode::kSystem, "cannot make an eventfd");

  State* const shared = state.get();
  shared->broker_thread = std::thread([shared] { (void)shared->broker->run(); });
  shared->agent_thread = std::thread([shared] {
    const std::uint64_t one = 1;
    if (shared->agent->run() != 0) {
      static_cast<void>(!write(shared->worker_ended, &one, sizeof one));
    }
  });
  return PrivateRun(std::move(state));
}

}  // namespace fanmill
