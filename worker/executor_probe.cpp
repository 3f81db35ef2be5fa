#include "worker/executor_probe.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <utility>

#include "proto/clock.hpp"
#include "worker/executor_pool.hpp"
#include "worker/failure_report.hpp"
#include "worker/functions/plugin.hpp"

namespace fanmill::worker {
namespace {

// A plugin may read a model when it is loaded; one that never ends loading must be told.
constexpr auto kLoadedWithin = std::chrono::seconds(60);

std::string listed(const std::vector<std::string>& files) {
  std::string out;
  for (const std::string& file : files) out += (out.empty() ? "" : ", ") + file;
  return out;
}

Error own_refusal(const std::string& program, const std::string& reason,
                  ErrorCode code = ErrorCode::kUsage) {
  return {code, "--executor " + program + " is no executor: " + reason +
                    " (proto/PROTOCOL.md, section 2, says what one does)"};
}

// The sentence that a refused plugin leaves on stderr, or what else there is to know.
Error refusal(const ExecutorDied& died, const ProbeOptions& options) {
  const std::vector<std::string>& plugins = options.plugins;
  std::string words = died.error_tail;
  while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) words.pop_back();
  if (died.signal == 0 && died.exit_code == kPluginRefused && !words.empty()) {
    return {ErrorCode::kUsage, words.substr(words.rfind('\n') + 1)};
  }
  const std::string ended = describe_death(died);
  // Hardly its own doing: the system or somebody else killed it, and another start may go well.
  const ErrorCode code = died.signal == SIGKILL ? ErrorCode::kSystem : ErrorCode::kUsage;
  if (!options.own_executor.empty()) {
    return own_refusal(options.own_executor,
                       "it ends before its first frame: " +
                           (words.empty() ? ended : words.substr(words.rfind('\n') + 1)),
                       code);
  }
  if (plugins.empty()) {
    return {ErrorCode::kSystem, "the executor program does not run here: " + ended};
  }
  if (!words.empty()) words = ": " + words.substr(words.rfind('\n') + 1);
  return {code, "loading the plugin " + listed(plugins) + " ends the executor: " + ended + words};
}

}  // namespace

std::string executor_beside_program() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string self(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return self.substr(0, self.rfind('/') + 1) + "fanmill-executor";
}

Result<std::vector<FunctionOffer>> probe_executor(ProbeOptions options) {
  const bool own = !options.own_executor.empty();
  if (own) options.executor_path = options.own_executor;
  if (options.executor_path.empty()) options.executor_path = executor_beside_program();
  auto pool = ExecutorPool::make({.executor_path = std::move(options.executor_path),
                                  .slots = 1,
                                  .commands = false,
                                  .plugins = options.plugins});
  const auto told = [&](Error error) {
    return tl::make_unexpected(own ? own_refusal(options.own_executor, error.message) : error);
  };
  if (!pool) return told(pool.error());
  if (auto started = pool->start(0); !started) return told(started.error());
  const MonoTime until = mono_now() + kLoadedWithin;
  while (mono_now() < until) {
    pollfd watched{pool->poll_fd(), POLLIN, 0};
    poll(&watched, 1, 100);
    std::vector<Event> events;
    pool->take_events(events);
    for (Event& event : events) {
      if (auto* ready = std::get_if<ExecutorReady>(&event)) return std::move(ready->hello.offers);
      if (auto* died = std::get_if<ExecutorDied>(&event)) {
        return tl::make_unexpected(refusal(*died, options));
      }
    }
  }
  if (own) return told({ErrorCode::kSystem, "it says nothing within 60 s"});
  return fail(options.plugins.empty() ? ErrorCode::kSystem : ErrorCode::kUsage,
              options.plugins.empty()
                  ? "the executor program says nothing"
                  : "loading the plugin " + listed(options.plugins) + " does not end within 60 s");
}

}  // namespace fanmill::worker
