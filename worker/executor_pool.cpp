#include "worker/executor_pool.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "proto/asymmetric_fence.hpp"
#include "worker/captured.hpp"
#include "worker/parked_pipe.hpp"

namespace fanmill::worker {
namespace {

constexpr int kSocketBufferBytes = static_cast<int>(limits::kMiB);
constexpr std::size_t kReceiveBytes = 256 * limits::kKiB;
// Descriptors that a child is to get are kept away from the numbers it gets them under.
constexpr int kLowestSource = 16;
constexpr std::uint64_t kSocketTag = 0;
constexpr std::uint64_t kPidTag = 1;

tl::unexpected<Error> system_failure(const std::string& doing) {
  return fail(ErrorCode::kSystem, "cannot " + doing + ": " + strerror(errno));
}

Fd lifted(Fd fd) {
  if (!fd || fd.get() >= kLowestSource) return fd;
  return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestSource));
}

Fd printed_file(const char* name) {
  Fd file(memfd_create(name, MFD_CLOEXEC));
  if (file) fcntl(file.get(), F_SETFL, O_APPEND);
  return lifted(std::move(file));
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

void kill_group(pid_t group) {
  if (group > 1) ::kill(-group, SIGKILL);
}

}  // namespace

ExecutorPool::Process::Process(Process&& other) noexcept
    : spawned(std::move(other.spawned)),
      socket(std::move(other.socket)),
      out(std::move(other.out)),
      err(std::move(other.err)),
      parked(std::move(other.parked)),
      page(std::exchange(other.page, nullptr)) {}

ExecutorPool::Process::~Process() {
  if (page != nullptr) munmap(page, executor::kPageBytes);
}

Result<ExecutorPool> ExecutorPool::make(Options options) {
  if (access(options.executor_path.c_str(), X_OK) != 0) {
    return system_failure("run the executor program " + options.executor_path);
  }
  ExecutorPool pool(std::move(options));
  pool.epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  pool.null_ = lifted(Fd(open("/dev/null", O_RDWR | O_CLOEXEC)));
  if (!pool.epoll_ || !pool.null_) return system_failure("watch executors");
  pool.processes_.resize(pool.options_.slots);
  return pool;
}

ExecutorPool::~ExecutorPool() {
  for (const auto& one : processes_) {
    if (one) kill_group(one->spawned.pid);
  }
  std::vector<Event> last_words;
  for (std::uint32_t slot = 0; slot < processes_.size(); ++slot) {
    if (processes_[slot]) buried(slot, last_words);
  }
}

std::optional<pid_t> ExecutorPool::pid_of(std::uint32_t slot) const {
  if (!processes_[slot]) return std::nullopt;
  return processes_[slot]->spawned.pid;
}

// ---- starting ----

Result<void> ExecutorPool::start(std::uint32_t slot) {
  FANMILL_ASSERT(slot < processes_.size() && !processes_[slot]);
  auto process = std::make_unique<Process>();

  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_failure("make a socket for an executor");
  }
  process->socket = Fd(pair[0]);
  const Fd theirs = lifted(Fd(pair[1]));
  for (const int end : {process->socket.get(), theirs.get()}) {
    setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  }
  fcntl(process->socket.get(), F_SETFL, O_NONBLOCK);

  const Fd page = lifted(Fd(memfd_create("fanmill-page", MFD_CLOEXEC)));
  process->out = printed_file("fanmill-stdout");
  process->err = printed_file("fanmill-stderr");
  if (!theirs || !page || !process->out || !process->err ||
      ftruncate(page.get(), executor::kPageBytes) != 0) {
    return system_failure("make the shared memory of an executor");
  }
  void* mapped =
      mmap(nullptr, executor::kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
  if (mapped == MAP_FAILED) return system_failure("map the page of an executor");
  process->page = static_cast<executor::Page*>(mapped);
  process->page->agent_fences.store(asymmetric::can_fence_other_processes() ? 1 : 0);

  std::vector<std::string> command = {options_.executor_path};
  if (options_.commands) command.insert(command.end(), {"--commands", std::to_string(slot + 1)});
  if (!options_.plugins.empty())
    command.insert(command.end(), {"--slot", std::to_string(slot + 1)});
  for (const std::string& file : options_.plugins) {
    command.insert(command.end(), {"--plugin", file});
  }
  ArgumentVector arguments(command);
  SpawnRequest request;
  request.paths = {options_.executor_path};
  request.arguments = &arguments;
  request.descriptors = {{null_.get(), STDIN_FILENO},
                         {process->out.get(), STDOUT_FILENO},
                         {process->err.get(), STDERR_FILENO},
                         {theirs.get(), executor::kSocketFd},
                         {page.get(), executor::kPageFd}};
  request.close_from = executor::kPageFd + 1;
  OwnedParkingPlace parking;
  if (options_.commands) {
    parking = make_parking_place();
    parking = {lifted(std::move(parking.in)), lifted(std::move(parking.out))};
    if (!parking.in || !parking.out) return system_failure("make a socket for an executor");
    request.descriptors.push_back({parking.in.get(), kParkingPlace.in});
    request.descriptors.push_back({parking.out.get(), kParkingPlace.out});
    request.close_from = kParkingPlace.out + 1;
    process->parked = std::move(parking.out);
  }
  request.death_signal = SIGTERM;
  request.reset_every_signal = true;
  if (options_.files) request.files = &*options_.files;
  process->spawned = spawn(request);
  if (process->spawned.error != 0) {
    errno = process->spawned.error;
    return system_failure("start " + options_.executor_path);
  }

  processes_[slot] = std::move(process);
  Process& started = *processes_[slot];
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = std::uint64_t{slot} << 1 | kSocketTag;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, started.socket.get(), &event);
  event.data.u64 = std::uint64_t{slot} << 1 | kPidTag;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, started.spawned.pidfd.get(), &event);
  return {};
}

// ---- feeding ----

void ExecutorPool::bind(const DealBind& duty) {
  Outgoing frame;
  executor::append_frame(frame.head, executor::ToExecutor(duty.bind));
  frame.is_bind = true;
  send(duty.slot, std::move(frame));
}

void ExecutorPool::deal(const DealWork& duty) {
  Process* const to = process(duty.slot);
  if (to == nullptr) return;  // it died meanwhile, and ExecutorDied is on its way
  to->page->end.store(duty.end);
  to->may_stop = true;
  executor::Work work = duty.work;
  work.blob = duty.blob.view();
  Outgoing frame;
  executor::append_frame_head(frame.head, work);
  frame.blob = duty.blob;
  frame.is_work = true;
  frame.position = work.position;
  for (auto before = to->outbox.rbegin(); before != to->outbox.rend() && before->is_bind;
       ++before) {
    before->position = work.position;
  }
  send(duty.slot, std::move(frame));
}

void ExecutorPool::forget(const DealForget& duty) {
  Outgoing frame;
  executor::append_frame(frame.head, executor::ToExecutor(duty.forget));
  send(duty.slot, std::move(frame));
}

ExecutorFreed ExecutorPool::lower_end(const LowerEnd& duty) {
  Process* const from = process(duty.slot);
  if (from == nullptr) return {duty.slot, duty.end};
  from->page->end.store(duty.end);
  asymmetric::heavy_fence_for_other_processes();
  from->hold_binds = from->may_stop;
  return {duty.slot, std::max(duty.end, from->page->started.load())};
}

void ExecutorPool::kill(std::uint32_t slot) {
  if (Process* const process_to_kill = process(slot)) kill_group(process_to_kill->spawned.pid);
}

void ExecutorPool::tell_stopped(const TellStopped& duty) {
  Process* const to = process(duty.slot);
  if (to == nullptr) return;
  to->page->stopped_job.store(duty.job.value);
  // To an executor that does not look at its page now: one that waits for a command. Others ignore
  // it, as every process does by default.
  syscall(SYS_pidfd_send_signal, to->spawned.pidfd.get(), SIGURG, nullptr, 0);
}

void ExecutorPool::send(std::uint32_t slot, Outgoing frame) {
  Process* const to = process(slot);
  if (to == nullptr) return;
  to->outbox.push_back(std::move(frame));
  if (unflushed_.empty() || unflushed_.back() != slot) unflushed_.push_back(slot);
}

void ExecutorPool::flush() {
  for (const std::uint32_t slot : std::exchange(unflushed_, {})) flush(slot);
}

void ExecutorPool::flush(std::uint32_t slot) {
  Process* const to = process(slot);
  if (to == nullptr) return;
  bool full = false;
  while (!to->outbox.empty() && !full && !to->ended_stream) {
    constexpr std::size_t kFramesAtOnce = 16;
    std::array<iovec, 2 * kFramesAtOnce> parts{};
    std::size_t count = 0;
    std::size_t bytes = 0;
    std::size_t skip = to->written;
    const auto add = [&](std::string_view part) {
      const std::size_t passed = std::min(skip, part.size());
      skip -= passed;
      part.remove_prefix(passed);
      if (part.empty()) return;
      parts[count++] = {const_cast<char*>(part.data()), part.size()};
      bytes += part.size();
    };
    std::size_t frames = 0;
    for (const Outgoing& frame : to->outbox) {
      const bool begun = frames == 0 && to->written > 0;
      if (frame.is_bind && !begun && to->hold_binds && to->done_to < frame.position) break;
      if (++frames > kFramesAtOnce) break;
      add(frame.head);
      add(frame.blob.view());
    }
    if (count == 0) break;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = sendmsg(to->socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        to->ended_stream = true;  // its end is told by the pidfd
        break;
      }
      full = true;
      break;
    }
    full = static_cast<std::size_t>(n) < bytes;
    to->written += static_cast<std::size_t>(n);
    while (!to->outbox.empty()) {
      const std::size_t size = to->outbox.front().head.size() + to->outbox.front().blob.size();
      if (to->written < size) break;
      to->written -= size;
      to->outbox.pop_front();
    }
  }
  watch(slot, full);
}

void ExecutorPool::watch(std::uint32_t slot, bool want_write) {
  Process& watched = *processes_[slot];
  if (watched.want_write == want_write) return;
  watched.want_write = want_write;
  epoll_event event{};
  event.events = want_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = std::uint64_t{slot} << 1 | kSocketTag;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watched.socket.get(), &event);
}

// ---- watching ----

void ExecutorPool::take_events(std::vector<Event>& events) {
  constexpr int kEventsAtOnce = 256;
  std::array<epoll_event, kEventsAtOnce> ready{};
  const int count = epoll_wait(epoll_.get(), ready.data(), kEventsAtOnce, 0);
  for (int i = 0; i < count; ++i) {
    const auto slot = static_cast<std::uint32_t>(ready[static_cast<std::size_t>(i)].data.u64 >> 1);
    const std::uint64_t tag = ready[static_cast<std::size_t>(i)].data.u64 & 1;
    if (!processes_[slot]) continue;  // buried by an earlier event of this round
    if (tag == kPidTag) {
      buried(slot, events);
      continue;
    }
    if ((ready[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0) flush(slot);
    if ((ready[static_cast<std::size_t>(i)].events & ~EPOLLOUT) != 0) read_frames(slot, events);
  }
}

void ExecutorPool::progress(std::vector<Event>& events) const {
  for (std::uint32_t slot = 0; slot < processes_.size(); ++slot) {
    if (!processes_[slot] || !processes_[slot]->said_hello) continue;
    const executor::Page& page = *processes_[slot]->page;
    const std::uint64_t finished = page.finished.load();  // first: it never passes `started`
    events.emplace_back(ExecutorProgress{slot, page.started.load(), finished});
  }
}

// One read into a buffer with room for the frame that is being received. False: nothing waits, or
// the stream has ended.
bool ExecutorPool::receive(Process& process) {
  Buffer& buffer = process.received;
  const std::size_t held = buffer.end - buffer.begin;
  constexpr std::size_t kWorthReading = 16 * limits::kKiB;
  std::size_t wanted = kWorthReading;
  if (held > 0) {
    const auto size = executor::frame_size({buffer.bytes.get() + buffer.begin, held});
    if (size && *size > held) wanted = std::max(wanted, *size - held);
  }
  if (buffer.capacity - buffer.end < wanted) {
    // Blobs that are still in use may point into the buffer: then it is left to them.
    const std::size_t size = std::max(kReceiveBytes, held + wanted);
    if (buffer.bytes.use_count() == 1 && size <= buffer.capacity && held < buffer.begin) {
      memcpy(buffer.bytes.get(), buffer.bytes.get() + buffer.begin, held);
    } else {
      std::shared_ptr<char[]> other = std::make_shared_for_overwrite<char[]>(size);
      if (held > 0) memcpy(other.get(), buffer.bytes.get() + buffer.begin, held);
      buffer.bytes = std::move(other);
      buffer.capacity = size;
    }
    buffer.begin = 0;
    buffer.end = held;
  }
  while (true) {
    const ssize_t n = recv(process.socket.get(), buffer.bytes.get() + buffer.end,
                           buffer.capacity - buffer.end, MSG_DONTWAIT);
    if (n > 0) {
      buffer.end += static_cast<std::size_t>(n);
      return true;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || errno != EAGAIN) process.ended_stream = true;
    return false;
  }
}

void ExecutorPool::read_frames(std::uint32_t slot, std::vector<Event>& events) {
  Process& from = *processes_[slot];
  Buffer& buffer = from.received;
  constexpr int kReadsAtOnce = 64;  // then the others have their turn
  for (int reads = 0; reads < kReadsAtOnce && receive(from); ++reads) {
    while (buffer.begin < buffer.end) {
      const std::string_view held(buffer.bytes.get() + buffer.begin, buffer.end - buffer.begin);
      const auto size = executor::frame_size(held);
      if (size && (*size == 0 || *size > held.size())) break;
      if (!size || !take_frame(slot, held.substr(0, *size), events)) {
        // Not a frame of the protocol: it is ended, and its task is charged as of a crash.
        from.ended_stream = true;
        buffer.begin = buffer.end;
        break;
      }
      buffer.begin += *size;
    }
    if (buffer.begin == buffer.end && buffer.bytes.use_count() == 1 &&
        buffer.capacity <= kReceiveBytes) {
      buffer.begin = buffer.end = 0;
    }
    if (from.ended_stream) break;
  }
  if (from.ended_stream) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, from.socket.get(), nullptr);
    kill_group(from.spawned.pid);  // it exits, or closed a socket that is not its own to close
  }
}

bool ExecutorPool::take_frame(std::uint32_t slot, std::string_view frame,
                              std::vector<Event>& events) {
  constexpr std::size_t kLengthBytes = 4;
  Process& from = *processes_[slot];
  auto message = executor::decode_from_executor(frame.substr(kLengthBytes));
  if (!message) return false;
  if (auto* hello = std::get_if<executor::Hello>(&*message)) {
    if (hello->version != kExecutorProtocolVersion || from.said_hello) return false;
    from.said_hello = true;
    silent_deaths_ = 0;
    events.emplace_back(ExecutorReady{slot, std::move(*hello)});
  } else if (auto* done = std::get_if<executor::Done>(&*message)) {
    const std::string_view bytes = std::exchange(done->blob, {});
    // A small blob does not keep a large buffer alive.
    Blob blob = bytes.size() >= from.received.capacity / 4 ? Blob(from.received.bytes, bytes)
                                                           : Blob::copy_of(bytes);
    from.done_to = done->position + done->count;
    if (from.hold_binds && !from.outbox.empty()) unflushed_.push_back(slot);
    events.emplace_back(ExecutorDone{slot, *done, std::move(blob)});
  } else {
    const std::uint64_t position = std::get<executor::Stopped>(*message).position;
    // What waits here was dealt before, and is void with the rest.
    const bool begun = from.written > 0;
    from.outbox.erase(from.outbox.begin() + (begun ? 1 : 0), from.outbox.end());
    from.hold_binds = false;
    from.may_stop = false;
    events.emplace_back(ExecutorStopped{slot, position});
  }
  return true;
}

// ---- ending ----

void ExecutorPool::buried(std::uint32_t slot, std::vector<Event>& events) {
  Process& dead = *processes_[slot];
  // Until it is reaped its number names nothing else. Whatever it started goes with it.
  siginfo_t ended{};
  while (waitid(P_PIDFD, static_cast<id_t>(dead.spawned.pidfd.get()), &ended, WEXITED | WNOWAIT) !=
             0 &&
         errno == EINTR) {
  }
  const pid_t command = dead.page->command_group.load();
  kill_group(command);
  kill_group(dead.spawned.pid);
  while (!dead.ended_stream) {
    const std::size_t before = events.size();
    read_frames(slot, events);
    if (events.size() == before) break;
  }
  waitid(P_PIDFD, static_cast<id_t>(dead.spawned.pidfd.get()), &ended, WEXITED);

  ExecutorDied died;
  died.slot = slot;
  died.at_unix_us = std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  died.started = dead.page->started.load();
  died.finished = dead.page->finished.load();
  if (ended.si_code == CLD_EXITED) {
    died.exit_code = ended.si_status;
  } else {
    died.signal = ended.si_status;
  }
  if (const Fd unread = take_parked(dead.parked.get())) {
    fcntl(dead.err.get(), F_SETFL, 0);  // nobody else appends to it now
    move_all_to_end(unread.get(), dead.err.get());
  }
  died.output_tail = read_head_tail(dead.out.get());
  died.error_tail = read_head_tail(dead.err.get());
  if (!dead.said_hello) {
    ++silent_deaths_;
    silent_words_ = last_line(died.error_tail);
  }
  events.emplace_back(std::move(died));
  processes_[slot].reset();
  reap_strangers();
}

// Processes that a command left behind come to this one, being their subreaper, and would stay
// zombies.
void ExecutorPool::reap_strangers() {
  if (!options_.adopt_orphans) return;
  while (true) {
    siginfo_t ended{};
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return;
    for (const auto& one : processes_) {
      if (one && one->spawned.pid == ended.si_pid) return;  // its pidfd tells
    }
    waitid(P_PID, static_cast<id_t>(ended.si_pid), &ended, WEXITED | WNOHANG);
  }
}

}  // namespace fanmill::worker
