#include "producer/map_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
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
#include "producer/fd.hpp"
#include "producer/job_log.hpp"
#include "producer/private_run.hpp"
#include "producer/progress.hpp"
#include "producer/run_stats.hpp"
#include "producer/signals.hpp"
#include "producer/summary.hpp"
#include "producer/writer_thread.hpp"
#include "proto/find_broker.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kFirstChunkTuples = 64;
constexpr int kChunksPerTurn = 4;
constexpr auto kReconnectEvery = 100ms;  // looks for a broker that went
constexpr auto kFirstAnswerWithin = 5s;  // of a broker named on the command line
constexpr auto kWriterPatience = 300ms;  // for a writer that waits for its reader, at a kill
constexpr auto kFarewellTime = 200ms;    // for a last cancel to leave
constexpr auto kLastRowsTime = 500ms;    // for what was done already, at a kill

class Run {
 public:
  Run(MapOptions options, std::unique_ptr<TupleSource> source, int output,
      std::unique_ptr<RowWriter> writer, Console& console, Client& client)
      : options_(std::move(options)),
        source_(std::move(source)),
        console_(console),
        client_(client),
        session_(client.session()),
        failures_(console, options_.quiet),
        writer_(output, options_.output_name(), std::move(writer), failures_, console),
        progress_(mono_now()),
        shown_(console, options_.progress, options_.quiet, mono_now()),
        stats_(options_.order == RowOrder::kInput),
        chunk_tuples_(kFirstChunkTuples) {
    if (const auto total = source_->total()) progress_.total(*total);
    progress_.slots(options_.slots);
  }

  // Of a private run: readable once it has no worker any more.
  void watch_worker(int ended_fd) { worker_ended_fd_ = ended_fd; }

  // True: everything came to its end by itself. False: whatever still runs is to be killed.
  bool loop() {
    began_ = mono_now();
    job_ = session_.open(Client::fresh_key(), options_.job, options_.order, began_);
    while (!over_) {
      feed();
      turn();
      if (killed_ || end_.reader_gone) break;
    }
    if (over_) {
      finish_writing();
    } else if (killed_ && opened_ && !end_.error && session_.is_connected()) {
      take_last_rows();
    }
    shown_.clear();
    elapsed_ = mono_now() - began_;
    return over_ && !killed_ && !end_.reader_gone;
  }

  // For a broker that lives on: nothing of this job is to be left there.
  void cancel_at_broker() {
    if (over_) return;
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

  void output_failed(int error_number) {
    if (!end_.error) end_.error = cannot_write(options_.output_name(), error_number);
  }

  int report() {
    const auto counts = failures_.counts();
    for (const auto& [outcome, count] : counts) {
      if (outcome != Outcome::kSucceeded) end_.not_ok += count;
    }
    if (!end_.reader_gone) {
      if (end_.error) console_.note(end_.error->message);
      if (end_.halted) console_.note("halted: " + halted_);
      if (end_.interrupted) {
        tell_interruption(counts);
      } else if (!options_.quiet && (failures_.failed() > 0 || shown_.was_shown() ||
                                     options_.progress == ProgressMode::kOn)) {
        tell_summary(counts);
      }
    }
    const int code = exit_code_of(end_);
    progress_.rows(writer_.progress().rows, failures_.failed());
    shown_.end(progress_, mono_now(), state_at_end(), code);
    return code;
  }

 private:
  void feed() {
    for (int i = 0; feeding_ && !source_waits_ && i < kChunksPerTurn; ++i) {
      if (!session_.may_submit(job_)) return;
      const auto supply = source_->fill(chunk_, chunk_tuples_);
      if (!chunk_.empty()) {
        ChunkBuilder::Chunk chunk = chunk_.take();
        stats_.submitted(session_.submitted(job_), chunk);
        session_.submit(job_, std::move(chunk), mono_now());
      }
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

  // Killed by a signal: results that waited for a task before them are there, and are given out
  // once that one is cancelled. A further signal ends the wait.
  void take_last_rows() {
    session_.cancel(job_, 0, mono_now());
    feeding_ = false;
    const int signals = interrupts_;
    turns_until_ = mono_now() + kLastRowsTime;
    while (!over_ && !end_.reader_gone && !end_.error && interrupts_ == signals &&
           mono_now() < *turns_until_) {
      turn();
    }
  }

  void stop_feeding() {
    feeding_ = false;
    session_.close(job_, mono_now());
    progress_.total(session_.submitted(job_));
  }

  void turn() {
    std::vector<pollfd> fds{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                            {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0},
                            {.fd = worker_ended_fd_, .events = POLLIN, .revents = 0}};
    const bool may_feed = feeding_ && session_.may_submit(job_);
    if (may_feed && source_waits_) {
      fds.push_back({.fd = source_->wait_fd(), .events = POLLIN, .revents = 0});
    }
    std::optional<nanoseconds> timeout = shown_.every();
    if (!session_.is_connected()) timeout = kReconnectEvery;
    if (may_feed && !source_waits_) timeout = 0ns;
    if (turns_until_) {
      const nanoseconds left = std::max<nanoseconds>(*turns_until_ - mono_now(), 0ns);
      timeout = std::min(timeout.value_or(left), left);
    }
    for (Notice& notice : client_.pump(timeout, fds)) take(notice);
    if (fds[0].revents != 0) read_signals();
    if (fds[1].revents != 0) read_writer();
    if (fds[2].revents != 0) {
      end_.error = Error{ErrorCode::kSystem, "no executor of this run starts any more"};
      killed_ = true;
    }
    if (fds.size() > 3 && fds[3].revents != 0) source_waits_ = false;
    watch_connection();
    shown_.draw(progress_, mono_now());
  }

  void take(Notice& notice) {
    if (const auto* opened = std::get_if<Opened>(&notice)) {
      if (!opened_) tell_source(opened->job.signature);
      opened_ = true;
      kept_in_memory_ = opened->job.durability == "memory";
    } else if (auto* rows = std::get_if<RowsArrived>(&notice)) {
      stats_.rows(rows->rows, rows->blob.view());
      writer_.take(std::move(*rows));
    } else if (const auto* status = std::get_if<StatusArrived>(&notice)) {
      progress_.status(status->status);
    } else if (const auto* event = std::get_if<EventArrived>(&notice)) {
      failures_.event(event->event, event->blob.view());
    } else if (const auto* ended = std::get_if<Ended>(&notice)) {
      halted_ = ended->halted;
      end_.halted = !halted_.empty();
      over_ = true;
    } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
      end_.error = refused->error;
      over_ = true;
    }
  }

  // A signature that does not read is of a worker that has its own ways: nothing is checked here.
  void tell_source(const std::string& text) {
    const auto signature = parse_signature(text);
    if (signature && !is_trivial(*signature)) source_->set_signature(*signature);
  }

  void read_signals() {
    interrupts_ = signals_.urgency();
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
    const std::optional<Error>& trouble = client_.connect_error();
    if (!ever_connected_) {
      const bool refused = trouble && trouble->code == ErrorCode::kRefused;
      if (!refused && now - began_ < kFirstAnswerWithin) return;
      end_.error = trouble ? *trouble : Error{ErrorCode::kUnreachable, unreachable()};
      killed_ = true;
      return;
    }
    if (!lost_at_) {
      lost_at_ = now;
      if (!options_.quiet) console_.note("the connection to the broker is lost; trying again");
    }
    // Nobody listens there any more: what it kept in memory went with it. Between hosts it may be
    // the network alone.
    const bool is_near = !options_.broker || options_.broker->starts_with("ipc://");
    const bool lost = kept_in_memory_ && trouble && is_near;
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

  // The job is over; what it gave may still wait for a slow reader, and a signal ends that.
  void finish_writing() {
    writer_.finish();
    while (!killed_) {
      const WriterThread::Progress done = writer_.progress();
      if (done.reader_gone) end_.reader_gone = true;
      if (done.error && !end_.error) end_.error = done.error;
      if (done.finished) return;
      pollfd fds[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                      {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0}};
      poll(fds, 2, -1);
      if (fds[0].revents != 0) {
        end_.interrupted = killed_ = true;
      }
    }
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
    for (const std::string& line : summary_lines({.counts = counts,
                                                  .further_attempts = stats_.further_attempts(),
                                                  .elapsed = elapsed_,
                                                  .slots = progress_.slots(),
                                                  .busy = stats_.busy(),
                                                  .slowest = stats_.slowest()})) {
      console_.note(line);
    }
  }

  std::string_view state_at_end() const {
    if (end_.reader_gone) return "reader-gone";
    if (end_.interrupted) return "interrupted";
    if (end_.halted) return "halted";
    return end_.error || end_.input_error ? "failed" : "finished";
  }

  const MapOptions options_;
  const std::unique_ptr<TupleSource> source_;
  Console& console_;
  Client& client_;
  Session& session_;
  FailureReport failures_;
  WriterThread writer_;
  Progress progress_;
  ProgressOutput shown_;
  RunStats stats_;
  SignalReader signals_;

  int worker_ended_fd_ = -1;
  JobHandle job_;
  ChunkBuilder chunk_;
  std::uint64_t chunk_tuples_;
  bool feeding_ = true;
  bool source_waits_ = false;
  bool opened_ = false;
  bool kept_in_memory_ = false;
  bool over_ = false;
  bool killed_ = false;
  std::string halted_;
  int interrupts_ = 0;
  RunEnd end_;
  std::optional<MonoTime> turns_until_;
  MonoTime began_{};
  nanoseconds elapsed_{};
  bool ever_connected_ = false;
  std::optional<MonoTime> lost_at_;
};

int tell(Console& console, const Error& error) {
  console.note(error.message);
  return exit_code_of(error.code);
}

}  // namespace

int run_map(MapOptions options, std::unique_ptr<TupleSource> source) {
  Console console(!options.quiet && options.progress != ProgressMode::kJson &&
                  options.progress != ProgressMode::kNone);
  ChannelContext context;
  std::optional<PrivateRun> here;
  if (!options.broker) {
    auto started = PrivateRun::start(context, {.slots = options.slots,
                                               .allow_exec = true,
                                               .plugins = options.plugins,
                                               .own_executor = options.own_executor,
                                               .results_cap = options.spill_max});
    if (!started) return tell(console, started.error());
    here.emplace(std::move(*started));
  }
  int output = STDOUT_FILENO;
  if (options.output_path) {
    const SignalsEndIt waiting;
    output = open(options.output_path->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output < 0) {
      return tell(console, {ErrorCode::kUsage, fmt::format("cannot write to \"{}\": {} (-o)",
                                                           *options.output_path, strerror(errno))});
    }
  }
  Fd output_fd(output);
  auto writer = make_writer(options.writer);
  if (options.job_log) {
    const SignalsEndIt waiting;
    auto logging = make_job_log({.path = *options.job_log, .is_local = !options.broker},
                                options.job.spec, std::move(writer));
    if (!logging) return tell(console, logging.error());
    writer = std::move(*logging);
  }
  const bool is_private = here.has_value();
  const auto address = is_private ? Result<Address>(Address(here->endpoint()))
                                  : find_broker(*options.broker, "producer");
  if (!address) return tell(console, address.error());
  if (is_private) options.slots = here->slots();
  auto client = Client::connect(context, *address);
  if (!client) {
    Error error = client.error();
    if (!is_private && error.code != ErrorCode::kUsage) {
      error.message += fmt::format("; start one: fanmill broker --listen {}", *options.broker);
    }
    return tell(console, error);
  }
  Run run(std::move(options), std::move(source), output, std::move(writer), console, *client);
  if (is_private) run.watch_worker(here->worker_ended_fd());
  const bool ended_by_itself = run.loop();
  if (!ended_by_itself && !is_private) run.cancel_at_broker();
  here.reset();
  const bool written = run.writer_finished();
  if (written) {
    if (const int error_number = output_fd.close_now()) run.output_failed(error_number);
  }
  const int code = run.report();
  // A writer that waits for its reader cannot be called back; nothing else is left to do.
  if (!written) _exit(code);
  return code;
}

}  // namespace fanmill::producer
