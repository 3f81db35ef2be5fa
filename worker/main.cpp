// fanmill-worker: one agent, its slots, and the signals that end it.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/command_help.hpp"
#include "proto/find_broker.hpp"
#include "proto/limits.hpp"
#include "proto/log.hpp"
#include "worker/agent.hpp"
#include "worker/options.hpp"

namespace {

using namespace fanmill;

constexpr int kUsageError = 2;
constexpr int kSystemError = 3;

std::atomic<worker::Agent*> running_agent{nullptr};
std::atomic<int> signals_seen{0};

void on_signal(int) {
  worker::Agent* agent = running_agent.load();
  if (agent == nullptr) return;
  if (signals_seen.fetch_add(1) == 0) {
    agent->request_drain();
  } else {
    agent->request_stop();
  }
}

void handle_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

constexpr const char* kExamples = R"(
Examples:
  fanmill worker --broker worker.join
      on any host: one slot per core that this process may use
  fanmill worker --broker ipc:///tmp/mill/broker --slots 4 --allow-exec
      four slots, which also run commands ("fanmill exec")
  fanmill worker --broker ipc:///tmp/mill/broker --plugin ./norm.so
      offers the functions of a plugin; several --plugin are fine
  fanmill worker --broker worker.join --label gpu=yes --idle-timeout 10m --time-limit 8h
      for a batch system: leaves after ten minutes without work, and before its eight hours end

SIGTERM or SIGINT once: gives back what is not started, finishes what runs, leaves.
Twice: kills what runs, leaves at once. The broker deals those tasks again.
A worker waits for a broker, and comes back to it, for ever. Exit status: 0 when it left as
told, 2 for wrong use, 3 where this system does not let it run tasks.)";

// What cannot become right by waiting.
Result<void> check_broker(const std::string& broker) {
  const auto address = find_broker(broker, "worker");
  if (address) return {};
  if (address.error().code == ErrorCode::kNotFound) return {};  // it may be still to come
  return tl::make_unexpected(address.error());
}

Result<void> read_options(const std::vector<std::string>& labels,
                          const std::optional<std::string>& idle_timeout,
                          const std::optional<std::string>& time_limit,
                          worker::AgentOptions& options) {
  auto parsed = worker::parse_labels(labels);
  if (!parsed) return tl::make_unexpected(std::move(parsed.error()));
  options.labels = std::move(*parsed);
  const auto span = [](const char* option, const std::optional<std::string>& text,
                       std::optional<nanoseconds>& out) -> Result<void> {
    if (!text) return {};
    const auto read = worker::parse_span(option, *text);
    if (!read) return tl::make_unexpected(read.error());
    out = *read;
    return {};
  };
  return span("--idle-timeout", idle_timeout, options.idle_timeout).and_then([&] {
    return span("--time-limit", time_limit, options.time_limit);
  });
}

int serve(const worker::AgentOptions& options) {
  if (const auto checked = check_broker(options.broker); !checked) {
    std::fprintf(stderr, "fanmill-worker: %s\n", checked.error().message.c_str());
    return kUsageError;
  }
  ChannelContext context;
  auto agent = worker::Agent::make(context, options);
  if (!agent) {
    std::fprintf(stderr, "fanmill-worker: %s\n", agent.error().message.c_str());
    return agent.error().code == ErrorCode::kUsage ? kUsageError : kSystemError;
  }
  running_agent.store(&*agent);
  handle_signals();
  const int result = agent->run();
  running_agent.store(nullptr);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Offers this machine's cores to a fanmill broker, and runs the tasks it deals."};
  app.name("fanmill-worker");
  app.set_version_flag("--version",
                       std::string("fanmill-worker " FANMILL_VERSION " (wire protocol ") +
                           std::to_string(kProtocolVersion) + ", executor protocol " +
                           std::to_string(kExecutorProtocolVersion) + ")");
  app.footer(kExamples);

  worker::AgentOptions options;
  std::string slots = "auto";
  std::vector<std::string> labels;
  std::optional<std::string> idle_timeout;
  std::optional<std::string> time_limit;
  bool verbose = false;
  app.add_option("--broker", options.broker,
                 "worker.join of the broker's host (it may still be to come), or ipc://PATH")
      ->required()
      ->envname("FANMILL_BROKER")
      ->type_name("FILE|ENDPOINT");
  app.add_option("--slots", slots, "tasks run at the same time; auto: one per usable core")
      ->type_name("N|auto")
      ->capture_default_str();
  app.add_option("--name", options.name, "shown in reports; HOST-PID by default")
      ->type_name("NAME");
  app.add_flag("--allow-exec", options.allow_exec, "run commands too, not only named functions");
  app.add_option("--plugin", options.plugins,
                 "a shared library whose functions are offered too (<fanmill/plugin.hpp>)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--label", labels, "what jobs may ask for: --label gpu=yes; several are fine")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_option("--idle-timeout", idle_timeout,
                 "leave after so long without anything to do: 90s, 10m")
      ->type_name("DURATION");
  app.add_option("--time-limit", time_limit,
                 "be gone so long after the start, and take nothing that would not end by then; "
                 "what still runs is dealt again: 30m, 8h")
      ->type_name("DURATION");
  app.add_option("--executor", options.own_executor,
                 "a program of one's own that runs the tasks, in any language (proto/PROTOCOL.md, "
                 "section 2)")
      ->type_name("PROGRAM");
  app.add_flag("-v,--verbose", verbose, "log what happens, not only what goes wrong");
  app.formatter(std::make_shared<fanmill::HelpFormatter>(
      "Usage: fanmill worker --broker FILE|ENDPOINT [OPTIONS]"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "fanmill-worker: %s\n",
                 fanmill::parse_complaint(app, error, "fanmill worker").c_str());
    return kUsageError;
  }

  if (!options.own_executor.empty() && (options.allow_exec || !options.plugins.empty())) {
    std::fprintf(
        stderr,
        "fanmill-worker: --executor %s offers what it says itself; for commands or plugins "
        "start a worker of their own\n",
        options.own_executor.c_str());
    return kUsageError;
  }
  if (slots != "auto") {
    const CLI::Range range(1, static_cast<int>(limits::kSlotsMax));
    if (!CLI::detail::lexical_cast(slots, options.slots) || !range(slots).empty()) {
      std::fprintf(stderr, "fanmill-worker: --slots is 'auto' or a number from 1 to %u, not '%s'\n",
                   limits::kSlotsMax, slots.c_str());
      return kUsageError;
    }
  }
  if (const auto read = read_options(labels, idle_timeout, time_limit, options); !read) {
    std::fprintf(stderr, "fanmill-worker: %s\n", read.error().message.c_str());
    return kUsageError;
  }
  set_up_logging("worker", verbose ? "debug" : "info");
  const int result = serve(options);
  spdlog::shutdown();
  return result;
}
