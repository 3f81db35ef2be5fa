// Commands: one process per task in a group of its own, its output read to the end, nothing of it
// left afterwards.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "proto/command_line.hpp"
#include "proto/limits.hpp"
#include "worker/captured.hpp"
#include "worker/functions/command_setting.hpp"
#include "worker/functions/function.hpp"
#include "worker/functions/utf8.hpp"
#include "worker/spawn.hpp"

namespace fanmill::worker {
namespace {

using Clock = std::chrono::steady_clock;

// What a background process of a command may still write once the command itself has exited.
constexpr auto kDrainTime = std::chrono::milliseconds(50);
constexpr int kCannotRun = 127;  // as shells say it

Failure failure_of(ErrorCode code, std::string message) {
  Failure failure;
  failure.code = code;
  failure.message = std::move(message);
  return failure;
}

void append_big_endian(std::string& out, std::size_t number, unsigned size) {
  for (unsigned i = size; i-- > 0;) out += static_cast<char>(number >> (8 * i) & 0xffU);
}

// msgpack text if it is text, else bytes.
void append_text_or_bytes(std::string& out, std::string_view bytes) {
  const bool text = is_utf8(bytes);
  if (text && bytes.size() < 32) {
    out += static_cast<char>(0xa0U | bytes.size());
  } else if (bytes.size() < 0x100) {
    out += static_cast<char>(text ? 0xd9 : 0xc4);
    append_big_endian(out, bytes.size(), 1);
  } else if (bytes.size() < 0x10000) {
    out += static_cast<char>(text ? 0xda : 0xc5);
    append_big_endian(out, bytes.size(), 2);
  } else {
    out += static_cast<char>(text ? 0xdb : 0xc6);
    append_big_endian(out, bytes.size(), 4);
  }
  out += bytes;
}

struct Pipe {
  Fd read;
  Fd write;
  bool open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = Fd(ends[0]);
    write = Fd(ends[1]);
    return true;
  }
};

class Command : public Function {
 public:
  Command(const JobSpec& spec, ProcessScope scope)
      : names_(spec.names),
        line_(spec),
        setting_(spec),
        scope_(scope),
        max_output_(static_cast<std::size_t>(std::min<std::uint64_t>(
            spec.max_output == 0 ? limits::kOutputBytesDefault : spec.max_output,
            limits::kValueBytesMax))),
        buffer_(kBufferBytes, '\0') {}

  tl::expected<void, Failure> call(Call& call) override;

 private:
  static constexpr std::size_t kBufferBytes = 64 * limits::kKiB;

  struct Run {
    Spawned process;
    Fd out;
    Fd err;
    bool exited = false;
    bool too_long = false;
    std::optional<Clock::time_point> drain_until;
  };
  void read_to_the_end(Run& run);
  void read_out(Run& run);
  void read_err(Run& run);
  tl::expected<void, Failure> judge(const Run& run, const siginfo_t& ended, Call& call);

  // Where the program may be.
  const std::vector<std::string>& paths_of(const std::string& program);
  tl::expected<void, Failure> not_started(const Spawned& spawned, const std::string& program) const;

  const std::vector<std::string> names_;
  CommandLine line_;
  CommandSetting setting_;
  ProcessScope scope_;
  std::size_t max_output_;
  std::string buffer_;
  std::string output_;
  std::string last_program_;  // whose places are in paths_
  std::optional<std::string> last_search_path_;
  std::vector<std::string> paths_;
};

const std::vector<std::string>& Command::paths_of(const std::string& program) {
  std::optional<std::string> search_path = setting_.search_path();
  if (program != last_program_ || paths_.empty() || search_path != last_search_path_) {
    last_program_ = program;
    last_search_path_ = std::move(search_path);
    paths_ = program_paths(program, last_search_path_);
  }
  return paths_;
}

tl::expected<void, Failure> Command::not_started(const Spawned& spawned,
                                                 const std::string& program) const {
  const std::string what = spawned.in_directory
                               ? "cannot run '" + program
                               : "cannot change to the directory '" + *setting_.directory();
  Failure failure = failure_of(ErrorCode::kFunctionFailed, what + "': " + strerror(spawned.error));
  failure.exit_code = kCannotRun;
  return tl::make_unexpected(std::move(failure));
}

tl::expected<void, Failure> Command::call(Call& call) {
  const auto refused = [](const Error& error) {
    return tl::make_unexpected(failure_of(error.code, error.message));
  };
  const auto task = TaskText::of(call.tuple, names_, call.index, scope_.slot);
  if (!task) return refused(task.error());
  const auto arguments = line_.arguments(*task);
  if (!arguments) return refused(arguments.error());
  if (!setting_.is_plain()) {
    if (const auto ok = setting_.prepare(*task); !ok) return refused(ok.error());
  }
  const std::string& program = arguments->front();

  Pipe out;
  Pipe err;
  if (!out.open() || !err.open()) {
    return tl::make_unexpected(
        failure_of(ErrorCode::kSystem, std::string("cannot make a pipe: ") + strerror(errno)));
  }
  ArgumentVector argv(*arguments);
  SpawnRequest request;
  request.paths = paths_of(program);
  request.arguments = &argv;
  request.descriptors = {{out.write.get(), STDOUT_FILENO}, {err.write.get(), STDERR_FILENO}};
  if (setting_.input()) request.descriptors.push_back({setting_.input().get(), STDIN_FILENO});
  if (setting_.directory()) request.directory = setting_.directory()->c_str();
  request.environment = setting_.environment();
  request.death_signal = SIGKILL;
  request.group = scope_.command_group;

  if (scope_.command_job != nullptr) scope_.command_job->store(call.job.value);
  // Its errors are read here as they come, and by the agent if the command ends this process.
  park(scope_.parking.in, err.read.get());
  Run run;
  run.process = spawn(request);
  if (run.process.error != 0) {
    if (scope_.command_job != nullptr) scope_.command_job->store(0);
    take_parked(scope_.parking.out);
    return not_started(run.process, program);
  }
  out.write.reset();
  err.write.reset();
  run.out = std::move(out.read);
  run.err = std::move(err.read);
  output_.clear();
  // Stopped before there was a process to tell.
  if (scope_.stopped_job != nullptr && scope_.stopped_job->load() == call.job.value) {
    kill(-run.process.pid, SIGTERM);
  }

  read_to_the_end(run);
  take_parked(scope_.parking.out);

  // Whatever it left in its group goes before the group's leader is reaped: until then the number
  // cannot name anything else.
  kill(-run.process.pid, SIGKILL);
  siginfo_t ended{};
  waitid(P_PID, static_cast<id_t>(run.process.pid), &ended, WEXITED | WNOWAIT);
  if (scope_.command_job != nullptr) scope_.command_job->store(0);
  if (scope_.command_group != nullptr) scope_.command_group->store(0);
  waitid(P_PID, static_cast<id_t>(run.process.pid), &ended, WEXITED);
  return judge(run, ended, call);
}

void Command::read_to_the_end(Run& run) {
  while (true) {
    if (run.exited && !run.out && !run.err) return;
    std::array<pollfd, 4> watched{{{run.out.get(), POLLIN, 0},
                                   {run.err.get(), POLLIN, 0},
                                   {run.exited ? -1 : run.process.pidfd.get(), POLLIN, 0},
                                   {scope_.agent_socket, POLLRDHUP, 0}}};
    int timeout = -1;
    if (run.drain_until) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*run.drain_until - Clock::now());
      if (left.count() <= 0) return;
      timeout = static_cast<int>(left.count());
    }
    if (poll(watched.data(), watched.size(), timeout) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (watched[0].revents != 0) read_out(run);
    if (watched[1].revents != 0) read_err(run);
    if (run.too_long) return;
    if (watched[2].revents != 0) {
      run.exited = true;
      run.drain_until = Clock::now() + kDrainTime;
    }
    if ((watched[3].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
      // Nobody is left to tell. The handler of this signal ends the command and this process.
      raise(SIGTERM);
    }
  }
}

void Command::read_out(Run& run) {
  const ssize_t got = read(run.out.get(), buffer_.data(), buffer_.size());
  if (got <= 0) {
    if (got == 0 || errno != EINTR) run.out.reset();
    return;
  }
  const auto size = static_cast<std::size_t>(got);
  if (output_.size() + size > max_output_) {
    run.too_long = true;
    return;
  }
  output_.append(buffer_.data(), size);
}

void Command::read_err(Run& run) {
  const ssize_t moved = move_to_end(run.err.get(), scope_.errors);
  if (moved > 0) {
    free_middle(scope_.errors);
  } else if (moved == 0 || (errno != EINTR && errno != EAGAIN)) {
    run.err.reset();
  }
}

tl::expected<void, Failure> Command::judge(const Run& run, const siginfo_t& ended, Call& call) {
  const bool exited = ended.si_code == CLD_EXITED;
  if (exited && ended.si_status == 0 && !run.too_long) {
    append_text_or_bytes(*call.value, output_);
  } else {
    HeadTail kept;
    kept.append(output_);
    call.out = kept.take();
  }
  if (output_.capacity() > limits::kMiB) std::string().swap(output_);
  if (run.too_long) {
    return tl::make_unexpected(failure_of(
        ErrorCode::kLimit, "the command printed more than its limit of " +
                               std::to_string(max_output_) + " bytes; raise --max-output"));
  }
  if (exited && ended.si_status == 0) return {};
  Failure failure;
  failure.code = ErrorCode::kFunctionFailed;
  if (exited) {
    failure.exit_code = ended.si_status;
    failure.message = "exit status " + std::to_string(ended.si_status);
  } else {
    failure.signal = ended.si_status;
    const char* name = sigdescr_np(ended.si_status);
    failure.message = "killed by signal " + std::to_string(ended.si_status) + " (" +
                      (name != nullptr ? name : "unknown") + ")";
  }
  return tl::make_unexpected(std::move(failure));
}

}  // namespace

void add_command_function(Registry& registry, ProcessScope scope) {
  registry.add({kCommandFunction, "(...) -> str"},
               [scope](const JobSpec& spec) { return std::make_unique<Command>(spec, scope); });
}

}  // namespace fanmill::worker
