// fanmill-broker: the ventilator and the sink in a process of their own.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "broker/keyring.hpp"
#include "broker/loop.hpp"
#include "broker/store_choice.hpp"
#include "broker/store_command.hpp"
#include "proto/command_help.hpp"
#include "proto/gate.hpp"
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

struct Options {
  std::vector<std::string> listen = {default_endpoint()};
  std::string advertise;
  std::string keys;
  fanmill::broker::StoreChoice store;
  std::string log_level = "info";
};

bool is_tcp(const std::string& endpoint) { return endpoint.starts_with("tcp://"); }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

// What goes into the join files: where other hosts find what listens at `bound`.
std::string advertised(const std::string& bound) {
  const std::size_t colon = bound.rfind(':');
  const std::string address = bound.substr(6, colon - 6);
  const bool everywhere = address == "*" || address == "0.0.0.0" || address == "[::]";
  return everywhere ? "tcp://" + host_name() + bound.substr(colon) : bound;
}

int told(const fanmill::Error& error) {
  using fanmill::ErrorCode;
  std::fprintf(stderr, "fanmill-broker: %s\n", error.message.c_str());
  return error.code == ErrorCode::kUsage || error.code == ErrorCode::kMalformedInput ? 2 : 3;
}

// Everything that TCP needs before something listens.
struct Security {
  fanmill::Gate gate;
  fanmill::broker::Keyring keyring;

  static fanmill::Result<Security> open(fanmill::ChannelContext& context, std::string directory) {
    using namespace fanmill;
    if (directory.empty()) {
      directory = broker::state_directory();
      if (directory.empty())
        return fail(ErrorCode::kUsage,
                    "no directory for the keys of TCP: neither XDG_STATE_HOME nor HOME is set; "
                    "choose one with --keys DIR");
    }
    auto keyring = broker::Keyring::open(directory);
    if (!keyring) return tl::make_unexpected(keyring.error());
    auto gate = Gate::open(context);
    if (!gate) return tl::make_unexpected(gate.error());
    for (const auto& [role, keys] : keyring->roles()) gate->admit(keys.public_key, role);
    return Security{std::move(*gate), std::move(*keyring)};
  }
};

int serve(const Options& wanted) {
  using namespace fanmill;
  for (const std::string& endpoint : wanted.listen) make_private_directory(endpoint);
  ChannelContext context;
  broker::LoopOptions options;
  options.endpoints = wanted.listen;
  std::optional<Security> security;
  if (std::ranges::any_of(wanted.listen, is_tcp)) {
    auto opened = Security::open(context, wanted.keys);
    if (!opened) return told(opened.error());
    security.emplace(std::move(*opened));
    options.security = {security->keyring.broker(), &security->gate};
  }
  std::random_device random;
  options.core.seed = (std::uint64_t{random()} << 32) | random();
  options.core.news = true;
  // This life is on the disk before anybody can connect.
  auto opened = broker::open_store(wanted.store, (std::uint64_t{random()} << 32) | random());
  if (!opened) return told(opened.error());
  const std::size_t jobs = opened->recovered.jobs.size();
  options.core.life = opened->recovered.life;
  options.recovered = std::move(opened->recovered);
  options.store = std::move(opened->store);
  auto loop = broker::Loop::bind(context, std::move(options));
  if (!loop) {
    Error error = loop.error();
    if (error.code == ErrorCode::kMalformedInput)
      error.message = opened->file + ": " + error.message +
                      "; it was left as it is. Look into it with: fanmill store verify " +
                      opened->file;
    return told(error);
  }
  running = &*loop;
  stop_on(SIGINT);
  stop_on(SIGTERM);
  ::signal(SIGPIPE, SIG_IGN);
  for (const std::string& endpoint : loop->endpoints()) {
    spdlog::info("listening on {}", endpoint);
    if (!is_tcp(endpoint)) continue;
    const std::string address = wanted.advertise.empty() ? advertised(endpoint) : wanted.advertise;
    const auto written = security->keyring.write_join_files(address);
    if (!written) return told(written.error());
    spdlog::info("workers elsewhere join {} with {}", address,
                 security->keyring.join_file(broker::kWorkerRole));
    spdlog::info("producers elsewhere with {}", security->keyring.join_file(broker::kProducerRole));
  }
  if (jobs > 0)
    spdlog::info("{} on", jobs == 1 ? "1 job of earlier lives goes"
                                    : std::to_string(jobs) + " jobs of earlier lives go");
  spdlog::info("results are kept {}", opened->kept);
  const auto ended = loop->run();
  if (!ended) return told(ended.error());
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "store")
    return fanmill::broker::store_command(argc - 1, argv + 1);
  CLI::App app{
      "The broker deals the tuples that producers submit to separately launched workers, and "
      "keeps\n"
      "their results until they are read.",
      "fanmill broker"};
  Options options;
  app.add_option("--listen", options.listen,
                 "Where to listen: ipc://PATH for this host, tcp://0.0.0.0:7070 for others too "
                 "(encrypted, with keys); may be given more than once")
      ->type_name("ENDPOINT")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--advertise", options.advertise,
                 "What join files say instead of this host's name: tcp://ADDRESS:PORT")
      ->type_name("ENDPOINT");
  app.add_option("--keys", options.keys,
                 "Where the keys and the join files are, made at the first start "
                 "(~/.local/state/fanmill)")
      ->type_name("DIR");
  app.add_option("--store", options.store.file,
                 "Where jobs and results are kept, made at the first start "
                 "(~/.local/state/fanmill/broker.store)")
      ->type_name("FILE");
  app.add_option("--durability", options.store.durability,
                 "What survives: sync, a power cut; os, the end of the broker; memory, nothing")
      ->check(CLI::IsMember({"sync", "os", "memory"}))
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->envname("FANMILL_LOG")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.set_version_flag("--version",
                       std::string("fanmill-broker " FANMILL_VERSION " (wire protocol ") +
                           std::to_string(fanmill::kProtocolVersion) + ")");
  app.footer(
      "Example, in three shells:\n"
      "  fanmill broker --listen ipc:///tmp/mill/broker\n"
      "  fanmill worker --broker ipc:///tmp/mill/broker --slots 2\n"
      "  seq 10 | fanmill map --broker ipc:///tmp/mill/broker identity -\n"
      "Killed and started again it goes on with its jobs; fanmill store verify looks into the "
      "file.\n"
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
  if (!options.advertise.empty()) {
    const auto parsed = fanmill::parse_endpoint(options.advertise);
    if (!parsed || parsed->transport != fanmill::Transport::kTcp) {
      std::fprintf(stderr, "fanmill-broker: --advertise %s: write tcp://ADDRESS:PORT\n",
                   options.advertise.c_str());
      return 2;
    }
  }
  fanmill::set_up_logging("broker", options.log_level);
  return serve(options);
}
