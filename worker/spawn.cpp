#include "worker/spawn.hpp"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace fanmill::worker {
namespace {

// The child borrows the parent's memory until exec, so it runs on a stack of its own.
constexpr std::size_t kStackBytes = 64 * 1024;

struct Stack {
  Stack()
      : base(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  ~Stack() {
    if (base != MAP_FAILED) munmap(base, kStackBytes);
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  void* top() const { return static_cast<char*>(base) + kStackBytes; }
  void* base;
};

struct ChildArguments {
  const SpawnRequest* request;
  const char* const* paths;
  const FdMove* moves;
  std::size_t moves_count;
  pid_t parent;
  sigset_t signals;
  int error;
  bool in_directory;
};

// As execvp: what cannot be found is passed over, a refusal is remembered, a script without "#!" is
// given to the shell.
int exec_first(const char* const* paths, ArgumentVector& arguments, char** environment) {
  int error = ENOENT;
  for (; *paths != nullptr; ++paths) {
    execve(*paths, arguments.get(), environment);
    if (errno == ENOEXEC) {
      char** script = arguments.with_shell_place();
      static char shell[] = "/bin/sh";
      script[0] = shell;
      script[1] = const_cast<char*>(*paths);
      execve(shell, script, environment);
      return errno;
    }
    if (errno == EACCES) {
      error = EACCES;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      return errno;
    }
  }
  return error;
}

int child_main(void* data) {
  auto& arguments = *static_cast<ChildArguments*>(data);
  const SpawnRequest& request = *arguments.request;
  setpgid(0, 0);
  if (request.group != nullptr) request.group->store(static_cast<std::int32_t>(getpid()));
  prctl(PR_SET_PDEATHSIG, request.death_signal);
  if (getppid() != arguments.parent) _exit(127);  // it died before the signal was bound to it

  struct sigaction fallback{};
  fallback.sa_handler = SIG_DFL;
  if (request.reset_every_signal) {
    for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &fallback, nullptr);
  } else {
    sigaction(SIGTERM, &fallback, nullptr);
    sigaction(SIGPIPE, &fallback, nullptr);
  }
  for (std::size_t i = 0; i < arguments.moves_count; ++i) {
    if (dup2(arguments.moves[i].from, arguments.moves[i].to) < 0) {
      arguments.error = errno;
      _exit(127);
    }
  }
  if (request.close_from >= 0) {
    syscall(SYS_close_range, static_cast<unsigned>(request.close_from), ~0U, 0U);
  }
  if (request.files != nullptr) setrlimit(RLIMIT_NOFILE, request.files);
  sigprocmask(SIG_SETMASK, &arguments.signals, nullptr);
  if (request.directory != nullptr && chdir(request.directory) != 0) {
    arguments.error = errno;
    arguments.in_directory = false;
    _exit(127);
  }
  arguments.error = exec_first(arguments.paths, *request.arguments,
                               request.environment != nullptr ? request.environment : environ);
  _exit(127);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

ArgumentVector::ArgumentVector(const std::vector<std::string>& arguments) {
  pointers_.reserve(arguments.size() + 2);
  pointers_.push_back(nullptr);
  for (const std::string& argument : arguments) {
    pointers_.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers_.push_back(nullptr);
}

Spawned spawn(const SpawnRequest& request) {
  thread_local const Stack stack;
  Spawned spawned;
  if (stack.base == MAP_FAILED) {
    spawned.error = ENOMEM;
    return spawned;
  }
  std::vector<const char*> paths;
  paths.reserve(request.paths.size() + 1);
  for (const std::string& path : request.paths) paths.push_back(path.c_str());
  paths.push_back(nullptr);

  ChildArguments arguments{};
  arguments.request = &request;
  arguments.paths = paths.data();
  arguments.moves = request.descriptors.data();
  arguments.moves_count = request.descriptors.size();
  arguments.parent = getpid();
  arguments.in_directory = true;
  sigemptyset(&arguments.signals);

  // No handler may run in the child while it shares our memory.
  sigset_t every;
  sigset_t before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  int pidfd = -1;
  const int pid = clone(child_main, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                        &arguments, &pidfd);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (pid < 0) {
    spawned.error = clone_error;
    return spawned;
  }
  if (arguments.error != 0) {
    if (request.group != nullptr) request.group->store(0);
    waitpid(pid, nullptr, 0);
    close(pidfd);
    spawned.error = arguments.error;
    spawned.in_directory = arguments.in_directory;
    return spawned;
  }
  spawned.pid = pid;
  spawned.pidfd = Fd(pidfd);  // CLONE_PIDFD sets close-on-exec
  return spawned;
}

std::vector<std::string> program_paths(const std::string& name,
                                       const std::optional<std::string>& search_path) {
  if (name.find('/') != std::string::npos) return {name};
  std::vector<std::string> paths;
  if (name.empty()) return paths;
  const char* variable = getenv("PATH");
  const std::string path =
      search_path.value_or(variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin");
  for (std::size_t begin = 0; begin <= path.size();) {
    std::size_t end = path.find(':', begin);
    if (end == std::string::npos) end = path.size();
    std::string directory = path.substr(begin, end - begin);
    if (directory.empty()) directory = ".";
    paths.push_back(directory + "/" + name);
    begin = end + 1;
  }
  return paths;
}

}  // namespace fanmill::worker
