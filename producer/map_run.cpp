#include "producer/map_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/exit_code.hpp"
#include "producer/failure_report.hpp"
#include "producer/private_run.hpp"
#include "producer/progress.hpp"
#include "producer/writer_thread.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kFirstChunkTuples = 64;
constexpr int kChunksPerTurn = 4;
constexpr auto kBarEvery = 100ms;
constexpr auto kFirstAnswerWithin = 5s;  // of a broker named on the command line
constexpr auto kWriterPatience = 300ms;  // for a writer that waits for its reader, at a kill
constexpr auto kFarewellTime = 200ms;    // for a last cancel to leave

sigset_t signals_read() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ > STDERR_FILENO) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

class Run {
 public:
  Run(MapOptions options, std::unique_ptr<TupleSource> source, int output, Console& console,
      Client& client)
      : options_(std::move(options)),
        source_(std::move(source)),
        console_(console),
        client_(client),
        session_(client.session()),
        failures_(console, options_.quiet),
        writer_(output, make_writer(options_.writer), failures_, console),
        progress_(mono_now()),
        signals_(make_signal_fd()),
        chunk_tuples_(kFirstChunkTuples) {
    if (const auto total = source_->total()) progress_.total(*total);
  }

  // True: everything came to its end by itself. False: whatever still runs is to be killed.
  bool loop() {
    began_ = mono_now();
    job_ = session_.open(Client::fresh_key(), options_.job, options_.order, began_);
    while (!over_) {
      feed();
      turn();
      if (killed_ || end_.reader_gone) break;
    }
    if (over_) finish_writing();
    console_.clear_bar();
    return over_ && !killed_ && !end_.reader_gone;
  }

  // For a broker that lives on: nothing of this job is to be left there.
  void cancel_at_broker() {
    session_.cancel(job_, 0, mono_now());
    const MonoTime until = mono_now() + kFarewellTime;
    while (mono_now() < until && session_.is_connected()) {
      for (const Notice& notice : client_.pump(20ms)) {
        if (std::holds_alternative<Ended>(notice)) return;
      }
    }
  }

  bool writer_finished() {
    writer_.finish();
    const MonoTime until = mono_now() + kWriterPatience;
    pollfd ready{.fd = writer_.event_fd(), .events = POLLIN, .revents = 0};
    while (!writer_.progress().finished) {
      if (mono_now() >= until) return false;
      poll(&ready, 1, 20);
    }
    return true;
  }

  int report() {
    if (!end_.reader_gone) {
      if (end_.error) console_.note(end_.error->message);
      const auto counts = failures_.counts();
      for (const auto& [outcome, count] : counts) {
        if (outcome != Outcome::kSucceeded) end_.not_ok += count;
      }
      if (end_.interrupted) {
        tell_interruption(counts);
      } else if (!options_.quiet && (failures_.failed() > 0 || options_.summary)) {
        tell_summary(counts);
      }
    }
    return exit_code_of(end_);
  }

 private:
  static int make_signal_fd() {
    const sigset_t set = signals_read();
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  void feed() {
    for (int i = 0; feeding_ && !source_waits_ && i < kChunksPerTurn; ++i) {
      if (!session_.may_submit(job_)) return;
      const auto supply = source_->fill(chunk_, chunk_tuples_);
      if (!chunk_.empty()) session_.submit(job_, chunk_.take(), mono_now());
      if (!supply) {
        end_.input_error = supply.error();
        console_.note(supply.error().message);
        stop_feeding();
        return;
      }
      switch (*supply) {
        case Supply::kMore:
          chunk_tuples_ = std::min<std::uint64_t>(chunk_tuples_ * 2, limits::kChunkTuplesMax);
          break;
        case Supply::kNothingNow:
          source_waits_ = true;
          break;
        case Supply::kEnd:
          stop_feeding();
          break;
      }
    }
  }

  void stop_feeding() {
    feeding_ = false;
    session_.close(job_, mono_now());
    progress_.total(session_.submitted(job_));
  }

  void turn() {
    std::vector<pollfd> fds{{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                            {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0}};
    const bool may_feed = feeding_ && session_.may_submit(job_);
    if (may_feed && source_waits_) {
      fds.push_back({.fd = source_->wait_fd(), .events = POLLIN, .revents = 0});
    }
    std::optional<nanoseconds> timeout;
    if (console_.draws_bar()) timeout = kBarEvery;
    if (!session_.is_connected()) timeout = kBarEvery;
    if (may_feed && !source_waits_) timeout = 0ns;
    for (Notice& notice : client_.pump(timeout, fds)) take(notice);
    if (fds[0].revents != 0) read_signals();
    if (fds[1].revents != 0) read_writer();
    if (fds.size() > 2 && fds[2].revents != 0) source_waits_ = false;
    watch_connection();
    draw();
  }

  void take(Notice& notice) {
    if (const auto* opened = std::get_if<Opened>(&notice)) {
      opened_ = true;
      kept_in_memory_ = opened->job.durability == "memory";
    } else if (auto* rows = std::get_if<RowsArrived>(&notice)) {
      writer_.take(std::move(*rows));
    } else if (const auto* status = std::get_if<StatusArrived>(&notice)) {
      progress_.status(status->status);
    } else if (const auto* event = std::get_if<EventArrived>(&notice)) {
      failures_.event(event->event, event->blob.view());
    } else if (std::holds_alternative<Ended>(notice)) {
      over_ = true;
    } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
      end_.error = refused->error;
      over_ = true;
    }
  }

  void read_signals() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == sizeof info) {
      ++interrupts_;
      if (info.ssi_signo == SIGTERM) interrupts_ += 2;
    }
    if (interrupts_ == 0) return;
    const bool first = !end_.interrupted;
    end_.interrupted = true;
    if (interrupts_ >= 2 || !opened_) {
      killed_ = true;
    } else if (first) {
      feeding_ = false;
      session_.cancel(job_, CancelJob::kNoKill, mono_now());
      if (!options_.quiet) {
        console_.note("interrupted: what runs is finished first; once more kills it");
      }
    }
  }

  void read_writer() {
    const WriterThread::Progress done = writer_.progress();
    session_.rows_done(job_, done.cursor, mono_now());
    progress_.rows(done.rows, failures_.failed());
    if (done.reader_gone) end_.reader_gone = true;
    if (done.error) {
      end_.error = done.error;
      killed_ = true;
    }
  }

  void watch_connection() {
    const MonoTime now = mono_now();
    const bool connected = session_.is_connected();
    progress_.connected(connected);
    if (connected) {
      if (lost_at_ && !options_.quiet) console_.note("the broker is back");
      lost_at_.reset();
      ever_connected_ = true;
      return;
    }
    if (!ever_connected_) {
      if (now - began_ < kFirstAnswerWithin) return;
      end_.error = Error{ErrorCode::kUnreachable, unreachable()};
      killed_ = true;
      return;
    }
    if (!lost_at_) {
      lost_at_ = now;
      if (!options_.quiet) console_.note("the connection to the broker is lost; trying again");
    }
    // Nobody listens there any more: what it kept in memory went with it.
    const bool lost = kept_in_memory_ && client_.connect_error();
    if (lost || now - *lost_at_ >= limits::kProducerGoneAfter) {
      end_.error =
          Error{ErrorCode::kUnreachable,
                fmt::format("the broker at {} is gone; what it kept in memory is lost with "
                            "it, so this job has to be run again",
                            options_.broker.value_or("this process"))};
      killed_ = true;
    }
  }

  std::string unreachable() const {
    if (!options_.broker) return "the private broker of this run does not answer";
    return fmt::format(
        "no broker answers at {}; start one: fanmill broker --listen {} (or leave --broker out for "
        "a private run)",
        *options_.broker, *options_.broker);
  }

  void draw() {
    if (!console_.draws_bar()) return;
    const MonoTime now = mono_now();
    // Short runs end without a bar having flashed up.
    if (now - began_ < 3 * kBarEvery || now - drawn_at_ < kBarEvery) return;
    drawn_at_ = now;
    console_.bar(progress_.text(now, console_.columns()));
  }

  // The job is over; what it gave may still wait for a slow reader, and a signal ends that.
  void finish_writing() {
    writer_.finish();
    while (!killed_) {
      const WriterThread::Progress done = writer_.progress();
      if (done.reader_gone) end_.reader_gone = true;
      if (done.error && !end_.error) end_.error = done.error;
      if (done.finished) return;
      pollfd fds[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                      {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0}};
      poll(fds, 2, -1);
      if (fds[0].revents != 0) {
        end_.interrupted = killed_ = true;
      }
    }
  }

  static std::uint64_t count_of(const std::map<Outcome, std::uint64_t>& counts, Outcome outcome) {
    const auto it = counts.find(outcome);
    return it == counts.end() ? 0 : it->second;
  }

  void tell_interruption(const std::map<Outcome, std::uint64_t>& counts) {
    std::uint64_t done = 0;
    for (const auto& [outcome, count] : counts) {
      if (outcome != Outcome::kCancelled) done += count;
    }
    const auto total = source_->total();
    const std::uint64_t known = std::max(session_.submitted(job_), total.value_or(0));
    std::string line = fmt::format("interrupted: {} task{} done, {} not run", done,
                                   done == 1 ? "" : "s", known - std::min(known, done));
    if (!total && !end_of_input_seen()) line += ", and input not read";
    console_.note(line);
  }
  bool end_of_input_seen() const { return !feeding_ && interrupts_ == 0; }

  void tell_summary(const std::map<Outcome, std::uint64_t>& counts) {
    std::uint64_t all = 0;
    for (const auto& [outcome, count] : counts) all += count;
    const std::uint64_t ok = count_of(counts, Outcome::kSucceeded);
    std::string line = fmt::format("{} of {} task{} done", ok, all, all == 1 ? "" : "s");
    const auto add = [&](Outcome outcome, std::string_view word) {
      if (const std::uint64_t count = count_of(counts, outcome); count > 0) {
        fmt::format_to(std::back_inserter(line), ", {} {}", count, word);
      }
    };
    add(Outcome::kFailed, "failed");
    add(Outcome::kCrashed, "crashed");
    add(Outcome::kTimeLimit, "over the time limit");
    add(Outcome::kWorkerLost, "lost with their workers");
    add(Outcome::kCancelled, "cancelled");
    const double elapsed = std::chrono::duration<double>(mono_now() - began_).count();
    fmt::format_to(std::back_inserter(line), ", in {:.2f} s", elapsed);
    if (elapsed > 0 && all > 100) {
      fmt::format_to(std::back_inserter(line), " ({} a second)",
                     short_count(static_cast<double>(all) / elapsed));
    }
    console_.note(line);
  }

  const MapOptions options_;
  const std::unique_ptr<TupleSource> source_;
  Console& console_;
  Client& client_;
  Session& session_;
  FailureReport failures_;
  WriterThread writer_;
  Progress progress_;
  const Fd signals_;

  JobHandle job_;
  ChunkBuilder chunk_;
  std::uint64_t chunk_tuples_;
  bool feeding_ = true;
  bool source_waits_ = false;
  bool opened_ = false;
  bool kept_in_memory_ = false;
  bool over_ = false;
  bool killed_ = false;
  int interrupts_ = 0;
  RunEnd end_;
  MonoTime began_{};
  MonoTime drawn_at_{};
  bool ever_connected_ = false;
  std::optional<MonoTime> lost_at_;
};

int tell(Console& console, const Error& error) {
  console.note(error.message);
  return exit_code_of(error.code);
}

}  // namespace

void block_signals() {
  const sigset_t set = signals_read();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

void unblock_signals() {
  const sigset_t set = signals_read();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int run_map(MapOptions options, std::unique_ptr<TupleSource> source) {
  Console console(!options.quiet);
  int output = STDOUT_FILENO;
  if (options.output_path) {
    output = open(options.output_path->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output < 0) {
      return tell(console, {ErrorCode::kUsage, fmt::format("cannot write to \"{}\": {} (-o)",
                                                           *options.output_path, strerror(errno))});
    }
  }
  const Fd output_fd(output);
  ChannelContext context;
  std::optional<PrivateRun> here;
  if (!options.broker) {
    auto started = PrivateRun::start(
        context, {.slots = options.slots, .allow_exec = true, .results_cap = options.spill_max});
    if (!started) return tell(console, started.error());
    here.emplace(std::move(*started));
  }
  const bool is_private = here.has_value();
  auto client = Client::connect(context, is_private ? here->endpoint() : *options.broker);
  if (!client) {
    Error error = client.error();
    if (!is_private && error.code != ErrorCode::kUsage) {
      error.message += fmt::format("; start one: fanmill broker --listen {}", *options.broker);
    }
    return tell(console, error);
  }
  Run run(std::move(options), std::move(source), output, console, *client);
  const bool ended_by_itself = run.loop();
  if (!ended_by_itself && !is_private) run.cancel_at_broker();
  here.reset();
  const bool written = run.writer_finished();
  const int code = run.report();
  // A writer that waits for its reader cannot be called back; nothing else is left to do.
  if (!written) _exit(code);
  return code;
}

}  // namespace fanmill::producer
