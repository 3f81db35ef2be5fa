#include "worker/executor.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "proto/asymmetric_fence.hpp"
#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

constexpr std::size_t kBufferBytes = 512 * limits::kKiB;
constexpr std::size_t kBufferKeptMax = 4 * limits::kMiB;
constexpr std::size_t kLengthBytes = 4;

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Failure failure_of(ErrorCode code, std::string message) {
  Failure failure;
  failure.code = code;
  failure.message = std::move(message);
  return failure;
}

}  // namespace

Executor::Executor(Registry registry, Options options)
    : registry_(std::move(registry)),
      options_(options),
      agent_fences_(options.page->agent_fences.load() == 1 &&
                    asymmetric::register_for_other_processes()),
      reporter_(options.printed),
      long_tasks_([this] {
        reporter_.close_behind_a_task();
        if (!reporter_.frames().empty()) write_reports();
      }) {}

int Executor::run() {
  if (!say_hello()) return 0;
  std::string_view body;
  while (next_frame(body)) {
    if (!handle(body)) break;
  }
  return broken_ ? 1 : 0;
}

bool Executor::say_hello() {
  std::string frame;
  executor::append_frame(frame, executor::FromExecutor(executor::Hello{kExecutorProtocolVersion,
                                                                       true, registry_.offers()}));
  return write_all(options_.socket, frame);
}

// ---- reading ----

void Executor::make_room(std::size_t wanted) {
  if (capacity_ - end_ >= wanted) return;
  const std::size_t held = end_ - begin_;
  const std::size_t size = std::max(kBufferBytes, held + wanted);
  if (size > capacity_ || (capacity_ > kBufferKeptMax && size <= kBufferKeptMax)) {
    std::unique_ptr<char[]> larger(new char[size]);
    if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = size;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
}

bool Executor::fill(bool wait) {
  const std::size_t held = end_ - begin_;
  std::size_t wanted = kLengthBytes;
  if (const auto size = executor::frame_size({buffer_.get() + begin_, held});
      size && *size > held) {
    wanted = *size - held;
  }
  make_room(wanted);
  while (true) {
    const ssize_t n =
        recv(options_.socket, buffer_.get() + end_, capacity_ - end_, wait ? 0 : MSG_DONTWAIT);
    if (n > 0) {
      end_ += static_cast<std::size_t>(n);
      return true;
    }
    if (n < 0 && errno == EINTR) continue;
    return false;
  }
}

bool Executor::whole_frame_waits() {
  const std::string_view held(buffer_.get() + begin_, end_ - begin_);
  const auto size = executor::frame_size(held);
  return !size || (*size != 0 && *size <= held.size());
}

bool Executor::next_frame(std::string_view& body) {
  begin_ += std::exchange(frame_bytes_, 0);
  if (begin_ == end_) begin_ = end_ = 0;
  // What is finished is reported before there is nothing to do but wait.
  if (!whole_frame_waits() && !reporter_.frames().empty()) {
    while (fill(false) && !whole_frame_waits()) {
    }
    if (!whole_frame_waits() && !write_reports()) return false;
  }
  while (!whole_frame_waits()) {
    if (!fill(true)) {
      broken_ = begin_ != end_;
      return false;
    }
  }
  const auto size = executor::frame_size({buffer_.get() + begin_, end_ - begin_});
  if (!size) {
    broken_ = true;
    return false;
  }
  frame_bytes_ = *size;
  body = {buffer_.get() + begin_ + kLengthBytes, *size - kLengthBytes};
  return true;
}

bool Executor::write_reports() {
  const bool written = write_all(options_.socket, reporter_.frames());
  if (!written && (errno == EBADF || errno == ENOTSOCK)) lose_socket();
  reporter_.written();
  return written;
}

// ---- acting ----

bool Executor::handle(std::string_view body) {
  const auto message = executor::decode_to_executor(body);
  if (!message) {
    broken_ = true;
    return false;
  }
  if (const auto* work = std::get_if<executor::Work>(&*message)) {
    return passing_over_ || run_work(*work);
  }
  if (const auto* bind = std::get_if<executor::Bind>(&*message)) {
    passing_over_ = false;
    Binding binding;
    try {
      binding.function = registry_.bind(bind->spec);
    } catch (const std::exception&) {
      // Its tasks then fail as those of a job without a binding do.
    }
    bindings_[bind->job] = std::move(binding);
  } else if (const auto* forget = std::get_if<executor::Forget>(&*message)) {
    bindings_.erase(forget->job);
  }
  return true;
}

bool Executor::run_work(const executor::Work& work) {
  const auto bound = bindings_.find(work.job);
  Function* function = bound == bindings_.end() ? nullptr : bound->second.function.get();
  executor::Page& page = *options_.page;

  Call call;
  call.token = work.token;
  call.attempt = work.attempt;
  call.job = work.job;
  std::size_t at = 0;
  Result<void> readable;
  for (std::uint32_t i = 0; i < work.skip && readable; ++i) {
    readable = cut_tuple(work.blob, at, call.tuple);
  }

  reporter_.begin(work.position);
  for (std::uint64_t i = 0; i < work.count; ++i) {
    const std::uint64_t position = work.position + i;
    if (!may_begin(position)) {
      page.started.store(position);
      return stop_at(position);
    }
    if (readable) readable = cut_tuple(work.blob, at, call.tuple);
    if (!readable) {
      reporter_.failed(failure_of(readable.error().code, readable.error().message), call.out,
                       call.err);
    } else if (function == nullptr) {
      reporter_.failed(failure_of(ErrorCode::kUnknownFunction, "the job's function is not bound"),
                       call.out, call.err);
    } else {
      call.index = work.first + i;
      run_task(*function, call);
      if (options_.watches_socket && reporter_.has_just_read_the_clock() && !holds_socket()) {
        lose_socket();
      }
    }
    // Nothing is decided by seeing this late, so it need not wait for the other cores.
    page.finished.store(position + 1, std::memory_order_release);
    if (reporter_.due()) {
      reporter_.close();
      if (!write_reports()) return false;
    }
    if (call.executor_is_spent) {
      reporter_.close();
      write_reports();
      return false;
    }
  }
  reporter_.close();
  return true;
}

// Either this sees the lower end, or the agent sees the start.
bool Executor::may_begin(std::uint64_t position) {
  executor::Page& page = *options_.page;
  if (!agent_fences_) {
    page.started.store(position + 1);
    return page.end.load() > position;
  }
  page.started.store(position + 1, std::memory_order_release);
  asymmetric::light_fence();
  return page.end.load(std::memory_order_acquire) > position;
}

// Asked as often as the clock is read, so that it costs next to nothing and names the task, or one
// a few microseconds later.
bool Executor::holds_socket() const { return fcntl(options_.socket, F_GETFD) >= 0; }

// A function closed descriptors that are not its own: nothing can be reported any more. The task
// counts as running still, so that it is charged.
void Executor::lose_socket() {
  executor::Page& page = *options_.page;
  const std::uint64_t started = page.started.load();
  if (started > 0) page.finished.store(started - 1);
  constexpr std::string_view kLastWords =
      "fanmill: the function closed descriptors that it had not opened\n";
  static_cast<void>(!write(STDERR_FILENO, kLastWords.data(), kLastWords.size()));
  _exit(1);
}

void Executor::run_task(Function& function, Call& call) {
  call.value = &value_;
  tl::expected<void, Failure> result;
  long_tasks_.begin(reporter_.holds_reports());
  try {
    result = function.call(call);
  } catch (const std::exception& error) {
    result = tl::make_unexpected(failure_of(ErrorCode::kFunctionFailed, error.what()));
  } catch (...) {
    result = tl::make_unexpected(failure_of(ErrorCode::kFunctionFailed,
                                            "the function threw something that is no exception"));
  }
  long_tasks_.end();
  if (result && value_.size() > limits::kValueBytesMax) {
    result = tl::make_unexpected(
        failure_of(ErrorCode::kLimit, "the value is longer than the limit of " +
                                          std::to_string(limits::kValueBytesMax) + " bytes"));
  }
  if (std::exchange(call.has_printed, false)) reporter_.has_printed();
  if (result) {
    reporter_.succeeded(value_, call.out, call.err);
  } else {
    value_.clear();
    reporter_.failed(std::move(result.error()), call.out, call.err);
  }
}

bool Executor::stop_at(std::uint64_t position) {
  reporter_.close();
  std::string stopped;
  executor::append_frame(stopped, executor::FromExecutor(executor::Stopped{position}));

  // Everything sent so far is void, bindings included, so that a Bind among it is not taken for the
  // one that begins the next work.
  begin_ += std::exchange(frame_bytes_, 0);
  bindings_.clear();
  while (true) {
    while (!whole_frame_waits()) {
      const bool inside_a_frame = begin_ != end_;
      if (!fill(inside_a_frame)) {
        if (inside_a_frame) {
          broken_ = true;
          return false;
        }
        passing_over_ = true;
        return write_reports() && write_all(options_.socket, stopped);
      }
    }
    const auto size = executor::frame_size({buffer_.get() + begin_, end_ - begin_});
    if (!size) {
      broken_ = true;
      return false;
    }
    begin_ += *size;
    if (begin_ == end_) begin_ = end_ = 0;
  }
}

}  // namespace fanmill::worker
