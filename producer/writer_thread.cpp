#include "producer/writer_thread.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "producer/row_batch.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {
constexpr std::size_t kWriteBytes = 1 * limits::kMiB;  // written at once, at about so much
}  // namespace

// The queue between the main thread and this one; the mutex is held only to push, to pop and to
// publish.
struct WriterThread::State {
  int fd;
  std::string name;
  std::unique_ptr<RowWriter> writer;
  FailureReport& failures;
  Console& console;
  int event_fd;
  std::thread thread;
  std::uint64_t bytes_written = 0;  // the thread's own

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<RowsArrived> queue;
  bool finishing = false;
  Progress progress;

  State(int out, std::string out_name, std::unique_ptr<RowWriter> rows, FailureReport& report,
        Console& err)
      : fd(out),
        name(std::move(out_name)),
        writer(std::move(rows)),
        failures(report),
        console(err),
        event_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    FANMILL_ASSERT(event_fd >= 0);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(event_fd); }

  void tell_main() const {
    const std::uint64_t one = 1;
    (void)!write(event_fd, &one, sizeof one);
  }

  void stop_with(int error_number) {
    const std::lock_guard lock(mutex);
    if (error_number == EPIPE) {
      progress.reader_gone = true;
    } else {
      progress.error = cannot_write(name, error_number);
    }
    progress.finished = true;
    queue.clear();
  }
  void stop_with(Error error) {
    const std::lock_guard lock(mutex);
    progress.error = std::move(error);
    progress.finished = true;
    queue.clear();
  }

  // False: nothing more is to be written.
  bool flush(std::string& out, std::string& err) {
    console.write(err);
    err.clear();
    const int error_number = console.write_data(fd, out);
    bytes_written += out.size();
    out.clear();
    if (error_number == 0) return true;
    stop_with(error_number);
    return false;
  }

  bool write_rows(std::deque<RowsArrived>& taken, std::string& out, std::string& err) {
    std::uint64_t rows_done = 0;
    while (!taken.empty()) {
      const RowsArrived& arrived = taken.front();
      failures.rows(arrived.rows, arrived.blob.view());
      auto batch = RowBatch::make(arrived.rows, arrived.blob.view());
      const Result<void> ok = batch ? writer->append(out, err, *batch)
                                    : Result<void>(tl::make_unexpected(batch.error()));
      if (!ok) {
        flush(out, err);
        stop_with(ok.error());
        return false;
      }
      rows_done += arrived.rows.count;
      const std::uint64_t next = arrived.rows.next;
      taken.pop_front();
      if (out.size() < kWriteBytes && !taken.empty()) continue;
      if (!flush(out, err)) return false;
      {
        const std::lock_guard lock(mutex);
        progress.cursor = next;
        progress.bytes = bytes_written;
        progress.rows += std::exchange(rows_done, 0);
      }
      tell_main();
    }
    return true;
  }

  void run() {
    std::string out;
    std::string err;
    std::deque<RowsArrived> taken;
    while (true) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return !queue.empty() || finishing; });
        if (progress.finished) break;
        std::swap(taken, queue);
      }
      if (taken.empty()) {
        writer->finish(out);
        if (const std::uint64_t left_out = writer->parameters_left_out(); left_out > 0) {
          console.note(
              fmt::format("{} parameters had no column in the CSV, whose columns are those of its "
                          "first row; --format jsonl keeps them all",
                          left_out));
        }
        if (flush(out, err)) {
          const std::lock_guard lock(mutex);
          progress.finished = true;
        }
        break;
      }
      if (!write_rows(taken, out, err)) break;
    }
    tell_main();
  }
};

WriterThread::WriterThread(int fd, std::string name, std::unique_ptr<RowWriter> writer,
                           FailureReport& failures, Console& console)
    : state_(std::make_shared<State>(fd, std::move(name), std::move(writer), failures, console)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

WriterThread::~WriterThread() {
  finish();
  if (state_->thread.joinable()) state_->thread.join();
}

void WriterThread::take(RowsArrived rows) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->progress.finished) return;
    state_->queue.push_back(std::move(rows));
  }
  state_->wake.notify_one();
}

void WriterThread::finish() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->finishing = true;
  }
  state_->wake.notify_one();
}

int WriterThread::event_fd() const { return state_->event_fd; }

WriterThread::Progress WriterThread::progress() {
  std::uint64_t count = 0;
  (void)!read(state_->event_fd, &count, sizeof count);
  const std::lock_guard lock(state_->mutex);
  return state_->progress;
}

WriterThread::Progress WriterThread::finish_within(std::optional<nanoseconds> patience,
                                                   int interrupt_fd) {
  finish();
  const MonoTime began = mono_now();
  while (true) {
    Progress done = progress();
    if (done.finished || (patience && mono_now() - began >= *patience)) return done;
    pollfd fds[] = {{.fd = interrupt_fd, .events = POLLIN, .revents = 0},
                    {.fd = event_fd(), .events = POLLIN, .revents = 0}};
    poll(fds, 2, patience ? 20 : -1);
    if (fds[0].revents != 0) return done;
  }
}

Error cannot_write(const std::string& name, int error_number) {
  return {ErrorCode::kSystem,
          fmt::format("cannot write the results to {}: {}", name, strerror(error_number))};
}

}  // namespace fanmill::producer
