// fanmill-executor: runs the tasks of one slot. Started by the agent only.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <string_view>

#include "worker/executor.hpp"
#include "worker/functions/function.hpp"

namespace {

using namespace fanmill;

std::atomic<std::int32_t>* running_group = nullptr;

// The agent is gone, or wants this process to go: nothing may be left. Async-signal-safe.
[[noreturn]] void end_everything() {
  const std::int32_t group = running_group->load();
  if (group > 0) kill(-group, SIGKILL);
  if (getpgrp() == getpid()) kill(0, SIGKILL);
  _exit(0);
}
void on_term(int) { end_everything(); }

bool parsed_slot(std::string_view text, std::uint32_t& slot) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, slot);
  return error == std::errc() && stopped == end && slot > 0;
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
  // fanmill-executor [--commands SLOT]
  std::uint32_t slot = 0;
  const bool commands =
      argc == 3 && strcmp(argv[1], "--commands") == 0 && parsed_slot(argv[2], slot);
  if (argc > 1 && !commands) return usage();
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
  running_group = &page->command_group;

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
    worker::add_command_function(
        registry, {&page->command_group, executor::kSocketFd, slot, worker::kParkingPlace, errors});
  }
  worker::Executor executor(std::move(registry),
                            {executor::kSocketFd, page, {STDOUT_FILENO, STDERR_FILENO}});
  if (executor.run() != 0) _exit(1);
  end_everything();
}
