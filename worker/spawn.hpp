// Starting a process at the speed of vfork, with what must be set in the child before exec: its own
// process group, its death signal, and which descriptors it gets.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fanmill::worker {

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

// An argument vector in the form that exec wants, kept alive while it is used.
class ArgumentVector {
 public:
  explicit ArgumentVector(const std::vector<std::string>& arguments);
  // With a place in front for the shell of a script without "#!".
  char** with_shell_place() { return pointers_.data(); }
  char** get() { return pointers_.data() + 1; }

 private:
  std::vector<char*> pointers_;
};

struct FdMove {
  int from;  // in the parent
  int to;    // in the child; not equal to any `from` of the same request
};

struct SpawnRequest {
  std::vector<std::string> paths;  // tried in this order, as execvp tries PATH
  ArgumentVector* arguments = nullptr;
  std::vector<FdMove> descriptors;
  int close_from = -1;              // descriptors from here on are closed in the child; -1: none
  const char* directory = nullptr;  // the child's, changed to before `paths` count
  char** environment = nullptr;     // the child's; nullptr: ours
  int death_signal = 9;             // sent to the child when the thread that spawns it ends
  // Told the child's process group by the child itself, before anything of it can run.
  std::atomic<std::int32_t>* group = nullptr;
  const rlimit* files = nullptr;    // the child's limits of open files; nullptr: ours
  bool reset_every_signal = false;  // else only those that an executor handles
};

struct Spawned {
  pid_t pid = -1;  // and process group
  Fd pidfd;
  int error = 0;             // errno of what failed; there is no process then
  bool in_directory = true;  // false: the directory is what failed
};

// The caller's thread is suspended until the child runs its program. Descriptors must be
// close-on-exec unless they are to be inherited.
Spawned spawn(const SpawnRequest& request);

// Where a program of this name may be: itself if it has a slash, else one path per entry of
// `search_path`, which is PATH unless it is given.
std::vector<std::string> program_paths(const std::string& name,
                                       const std::optional<std::string>& search_path = {});

}  // namespace fanmill::worker
