// fanmill-executor: runs the tasks of one slot. Started by the agent only.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/executor.hpp"
#include "worker/functions/function.hpp"
#include "worker/functions/plugin.hpp"

namespace {

using namespace fanmill;

executor::Page* shared = nullptr;
std::atomic<std::uint64_t> command_job{0};  // whose command runs

// The agent is gone, or wants this process to go: nothing may be left. Async-signal-safe.
[[noreturn]] void end_everything() {
  const std::int32_t group = shared->command_group.load();
  if (group > 0) kill(-group, SIGKILL);
  if (getpgrp() == getpid()) kill(0, SIGKILL);
  _exit(0);
}
void on_term(int) { end_everything(); }
// A job is cancelled: its command may end by itself before it is killed.
void on_urgent(int) {
  const std::uint64_t job = command_job.load();
  const std::int32_t group = shared->command_group.load();
  if (job != 0 && job == shared->stopped_job.load() && group > 0) kill(-group, SIGTERM);
}

bool parsed_slot(std::string_view text, std::uint32_t& slot) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, slot);
  return error == std::errc() && stopped == end && slot > 0;
}

// fanmill-executor [--commands SLOT | --slot SLOT] [--plugin FILE]...
struct Arguments {
  bool commands = false;
  std::uint32_t slot = 1;
  std::vector<std::string> plugins;

  bool parse(int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string_view option = argv[i];
      if (i + 1 == argc) return false;
      if (option == "--plugin") {
        plugins.emplace_back(argv[i + 1]);
      } else if (option == "--commands" || option == "--slot") {
        commands = commands || option == "--commands";
        if (!parsed_slot(argv[i + 1], slot)) return false;
      } else {
        return false;
      }
    }
    return true;
  }
};

// The same file under a number that a function hardly closes or replaces by mistake.
int out_of_the_way(int fd) {
  constexpr int kHighest = 16384;  // the kernel keeps a table up to there
  constexpr int kFromTop = 16;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return fd;
  const int top = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kHighest));
  const int other = fcntl(fd, F_DUPFD_CLOEXEC, std::max(0, top - kFromTop));
  return other >= 0 ? other : fd;
}

// False: one of them cannot be used, and stderr says why.
bool add_plugins(worker::Registry& registry, const Arguments& arguments,
                 const executor::Page* page) {
  for (const std::string& file : arguments.plugins) {
    if (auto added = worker::add_plugin(registry, file, page, arguments.slot); !added) {
      fprintf(stderr, "%s\n", added.error().message.c_str());
      return false;
    }
  }
  // What they print while they are loaded belongs to no task.
  if (!arguments.plugins.empty()) {
    fflush(stdout);
    static_cast<void>(!ftruncate(STDOUT_FILENO, 0));
  }
  return true;
}

int usage() {
  fputs(
      "fanmill-executor is started by fanmill-worker, with a socket as descriptor 3 and a shared\n"
      "page as descriptor 4. See proto/PROTOCOL.md to write an executor of your own.\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!arguments.parse(argc, argv)) return usage();
  const bool commands = arguments.commands;
  const std::uint32_t slot = arguments.slot;
  void* mapped =
      mmap(nullptr, executor::kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, executor::kPageFd, 0);
  if (mapped == MAP_FAILED || fcntl(executor::kSocketFd, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(executor::kPageFd, F_SETFD, FD_CLOEXEC) != 0) {
    return usage();
  }
  if (commands && (fcntl(worker::kParkingPlace.in, F_SETFD, FD_CLOEXEC) != 0 ||
                   fcntl(worker::kParkingPlace.out, F_SETFD, FD_CLOEXEC) != 0)) {
    return usage();
  }
  auto* page = static_cast<executor::Page*>(mapped);
  shared = page;

  struct sigaction action{};
  action.sa_handler = on_term;
  sigfillset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);  // also the death signal of the agent's thread
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  setvbuf(stdout, nullptr, _IOFBF, 64 * 1024);

  worker::Registry registry;
  worker::add_builtin_functions(registry);
  if (commands) {
    // The file behind stderr, not for appending as stderr itself is.
    const int errors = open("/proc/self/fd/2", O_RDWR | O_CLOEXEC);
    if (errors < 0) {
      perror("fanmill-executor: cannot open /proc/self/fd/2");
      return 1;
    }
    worker::add_command_function(registry, {.command_group = &page->command_group,
                                            .stopped_job = &page->stopped_job,
                                            .command_job = &command_job,
                                            .agent_socket = executor::kSocketFd,
                                            .slot = slot,
                                            .parking = worker::kParkingPlace,
                                            .errors = errors});
    action.sa_handler = on_urgent;
    action.sa_flags = SA_RESTART;
    sigaction(SIGURG, &action, nullptr);
  }
  worker::Executor::Options options{executor::kSocketFd, page, {STDOUT_FILENO, STDERR_FILENO}};
  if (!arguments.plugins.empty()) {
    if (!add_plugins(registry, arguments, page)) return worker::kPluginRefused;
    options.watches_socket = true;
    options.socket = out_of_the_way(options.socket);
    options.printed = {out_of_the_way(STDOUT_FILENO), out_of_the_way(STDERR_FILENO)};
  }
  worker::Executor executor(std::move(registry), options);
  if (executor.run() != 0) _exit(1);
  end_everything();
}
