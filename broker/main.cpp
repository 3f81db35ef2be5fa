// fanmill-broker: the ventilator and the sink in a process of their own.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "broker/loop.hpp"
#include "broker/memory_store.hpp"
#include "proto/command_help.hpp"
#include "proto/limits.hpp"
#include "proto/log.hpp"

namespace {

fanmill::broker::Loop* running = nullptr;

// Where a user's own broker listens when nothing is said: a directory that only this user can
// enter.
std::string default_endpoint() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR");
      runtime != nullptr && *runtime != '\0') {
    return "ipc://" + std::string(runtime) + "/fanmill/broker";
  }
  return "ipc:///tmp/fanmill-" + std::to_string(::getuid()) + "/broker";
}

// The directory of an ipc socket is made private if it is not there yet; who may enter it may use
// the broker.
void make_private_directory(const std::string& endpoint) {
  constexpr std::string_view kScheme = "ipc://";
  if (!endpoint.starts_with(kScheme)) return;
  const auto directory = std::filesystem::path(endpoint.substr(kScheme.size())).parent_path();
  if (directory.empty() || std::filesystem::exists(directory)) return;
  std::error_code ignored;  // binding says what is wrong
  std::filesystem::create_directories(directory, ignored);
  ::chmod(directory.c_str(), 0700);
}

void stop_on(int signal) {
  struct sigaction action = {};
  action.sa_handler = [](int) { running->request_stop(); };
  ::sigaction(signal, &action, nullptr);
}

int serve(const std::string& endpoint) {
  using namespace fanmill;
  make_private_directory(endpoint);
  ChannelContext context;
  broker::LoopOptions options;
  options.endpoint = endpoint;
  std::random_device random;
  options.core.seed = (std::uint64_t{random()} << 32) | random();
  options.store = std::make_unique<broker::MemoryStore>();
  auto loop = broker::Loop::bind(context, std::move(options));
  if (!loop) {
    std::fprintf(stderr, "fanmill-broker: %s\n", loop.error().message.c_str());
    return loop.error().code == ErrorCode::kUsage ? 2 : 3;
  }
  running = &*loop;
  stop_on(SIGINT);
  stop_on(SIGTERM);
  ::signal(SIGPIPE, SIG_IGN);
  spdlog::info("listening on {}; results are kept in memory and end with this process", endpoint);
  loop->run();
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "The broker deals the tuples that producers submit to separately launched workers, and "
      "keeps\n"
      "their results until they are read.",
      "fanmill broker"};
  std::string endpoint = default_endpoint();
  std::string level = "info";
  app.add_option("--listen", endpoint, "Where to listen: ipc://PATH")->capture_default_str();
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->envname("FANMILL_LOG")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("fanmill-broker " FANMILL_VERSION " (protocol ") +
                                        std::to_string(fanmill::kProtocolVersion) + ")");
  app.footer(
      "Example, in three shells:\n"
      "  fanmill broker --listen ipc:///tmp/mill/broker\n"
      "  fanmill worker --broker ipc:///tmp/mill/broker --slots 2\n"
      "  seq 10 | fanmill map --broker ipc:///tmp/mill/broker identity -\n"
      "Ends on SIGTERM or Ctrl-C. Exit status: 0, 2 for wrong use, 3 where it cannot listen.");
  app.formatter(std::make_shared<fanmill::HelpFormatter>("Usage: fanmill broker [OPTIONS]"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "fanmill-broker: %s\n",
                 fanmill::parse_complaint(app, error, "fanmill broker").c_str());
    return 2;
  }
  fanmill::set_up_logging("broker", level);
  return serve(endpoint);
}
