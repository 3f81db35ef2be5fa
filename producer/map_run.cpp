#include "producer/map_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "producer/broker_watch.hpp"
#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/exit_code.hpp"
#include "producer/failure_report.hpp"
#include "producer/fd.hpp"
#include "producer/feeder.hpp"
#include "producer/job_log.hpp"
#include "producer/journal/journaling.hpp"
#include "producer/private_run.hpp"
#include "producer/progress.hpp"
#include "producer/query.hpp"
#include "producer/run_stats.hpp"
#include "producer/signals.hpp"
#include "producer/summary.hpp"
#include "producer/writer_thread.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr auto kFarewellTime = 200ms;  // for a last cancel to leave
constexpr auto kLastRowsTime = 500ms;  // for what was done already, at a kill

class Run {
 public:
  Run(MapOptions options, std::unique_ptr<TupleSource> source, int output,
      std::unique_ptr<RowWriter> writer, std::unique_ptr<Journaling> journal, Console& console,
      Client& client)
      : options_(std::move(options)),
        journal_(std::move(journal)),
        feeder_(journal_ ? journal_->wrap(std::move(source)) : std::move(source),
                Feeder::Cut::kEager),
        console_(console),
        client_(client),
        session_(client.session()),
        failures_(console, options_.quiet),
        writer_(output, options_.output_name(), std::move(writer), failures_, console),
        progress_(mono_now()),
        shown_(console, options_.progress, options_.quiet, mono_now()),
        stats_(options_.order == RowOrder::kInput && !journal_),
        watch_(client, options_.broker.value_or(""), BrokerWatch::Follows::kOwnJob,
               console.teller(options_.quiet), mono_now()) {
    if (const auto total = feeder_.total()) progress_.total(*total);
    progress_.slots(options_.slots);
  }

  // Of a private run: readable once it has no worker any more.
  void watch_worker(int ended_fd) { worker_ended_fd_ = ended_fd; }

  // True: everything came to its end by itself. False: whatever still runs is to be killed.
  bool loop() {
    const MonoTime began = mono_now();
    // A journal records what ends as it ends, whatever still runs before it.
    const RowOrder order = journal_ ? RowOrder::kAsCompleted : options_.order;
    job_ = session_.open(Client::fresh_key(), options_.job, order, began);
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
    elapsed_ = mono_now() - began;
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

  bool writer_finished() { return writer_.finish_within(WriterThread::kPatience).finished; }

  // What came is safe, however the run ended.
  void save_journal() {
    if (journal_ && (!end_.error || end_.error->code == ErrorCode::kUnreachable))
      check(journal_->save(writer_, mono_now()));
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
    if (feeder_.ended()) return;
    const auto fed = feeder_.turn([this] { return may_feed(); },
                                  [this](ChunkBuilder::Chunk chunk) {
                                    if (!journal_)
                                      stats_.submitted(session_.submitted(job_), chunk);
                                    session_.submit(job_, std::move(chunk), mono_now());
                                  });
    if (!fed) {
      end_.input_error = fed.error();
      console_.note(fed.error().message);
    }
    if (!feeder_.ended()) return;
    session_.close(job_, mono_now());
    progress_.total(tuples_read());
  }

  bool may_feed() const { return session_.may_submit(job_) && (!journal_ || journal_->may_feed()); }
  std::uint64_t tuples_read() const {
    return journal_ ? journal_->job().tuples() : session_.submitted(job_);
  }

  // Killed by a signal: results that waited for a task before them are there, and are given out
  // once that one is cancelled. A further signal ends the wait.
  void take_last_rows() {
    session_.cancel(job_, 0, mono_now());
    feeder_.stop();
    const int signals = interrupts_;
    turns_until_ = mono_now() + kLastRowsTime;
    while (!over_ && !end_.reader_gone && !end_.error && interrupts_ == signals &&
           mono_now() < *turns_until_) {
      turn();
    }
  }

  void turn() {
    std::vector<pollfd> fds{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                            {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0},
                            {.fd = worker_ended_fd_, .events = POLLIN, .revents = 0},
                            {.fd = feeder_.wait_fd(), .events = POLLIN, .revents = 0}};
    std::optional<nanoseconds> timeout = shown_.every();
    if (!session_.is_connected()) timeout = kReconnectEvery;
    if (!feeder_.ended() && feeder_.wait_fd() < 0 && may_feed()) timeout = 0ns;
    const auto no_longer_than = [&timeout](MonoTime until) {
      const nanoseconds left = std::max<nanoseconds>(until - mono_now(), 0ns);
      timeout = std::min(timeout.value_or(left), left);
    };
    if (turns_until_) no_longer_than(*turns_until_);
    if (journal_) {
      if (const auto save_at = journal_->save_at()) no_longer_than(*save_at);
    }
    for (Notice& notice : client_.pump(timeout, fds)) take(notice);
    if (fds[0].revents != 0) read_signals();
    if (fds[1].revents != 0) read_writer();
    if (fds[2].revents != 0) {
      end_.error = Error{ErrorCode::kSystem, "no executor of this run starts any more"};
      killed_ = true;
    }
    if (fds[3].revents != 0) feeder_.woken();
    if (journal_ && !end_.error) {
      check(journal_->write(writer_));
      check(journal_->save_at_times(writer_, mono_now()));
    }
    progress_.connected(session_.is_connected());
    if (const auto gone = watch_.look(mono_now())) {
      end_.error = gone;
      killed_ = true;
    }
    shown_.draw(progress_, mono_now());
  }

  void take(Notice& notice) {
    if (const auto* opened = std::get_if<Opened>(&notice)) {
      if (!opened_) {
        feeder_.expect(opened->job.signature);
        if (journal_) check(journal_->opened(opened->job.signature));
      }
      opened_ = true;
      watch_.durability(opened->job.durability);
    } else if (auto* rows = std::get_if<RowsArrived>(&notice)) {
      if (journal_) {
        record(*rows);
      } else {
        stats_.rows(rows->rows, rows->blob.view());
        writer_.take(std::move(*rows));
      }
    } else if (auto* status = std::get_if<StatusArrived>(&notice)) {
      status->status.waiting_index = input_index(status->status.waiting_index);
      progress_.status(status->status);
    } else if (auto* event = std::get_if<EventArrived>(&notice)) {
      event->event.index = input_index(event->event.index);
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

  // Of a task of the job, in the input.
  TaskIndex input_index(TaskIndex index) const {
    return journal_ ? TaskIndex{journal_->job().input_of(index.value)} : index;
  }

  void record(const RowsArrived& arrived) {
    Rows numbered = arrived.rows;
    numbered.first = input_index(arrived.rows.first);
    numbered.batch_first = {numbered.first.value - (arrived.rows.first - arrived.rows.batch_first)};
    stats_.rows(numbered, arrived.blob.view());
    check(journal_->take(arrived));
    session_.rows_done(job_, arrived.rows.next, mono_now());
  }

  // Of the journal: nothing is safe any more that comes after it.
  template <class T>
  void check(const Result<T>& done) {
    if (done || end_.error) return;
    end_.error = done.error();
    killed_ = true;
  }

  void read_signals() {
    interrupts_ = signals_.urgency();
    if (interrupts_ == 0) return;
    const bool first = !end_.interrupted;
    end_.interrupted = true;
    if (interrupts_ >= 2 || !opened_) {
      killed_ = true;
    } else if (first) {
      feeder_.stop();
      session_.cancel(job_, CancelJob::kNoKill, mono_now());
      if (!options_.quiet) {
        console_.note("interrupted: what runs is finished first; once more kills it");
      }
    }
  }

  void read_writer() {
    const WriterThread::Progress done = writer_.progress();
    if (!journal_) session_.rows_done(job_, done.cursor, mono_now());
    progress_.rows(done.rows, failures_.failed());
    if (done.reader_gone) end_.reader_gone = true;
    if (done.error) {
      end_.error = done.error;
      killed_ = true;
    }
  }

  // The job is over; what it gave may still wait for a slow reader, and a signal ends that.
  void finish_writing() {
    while (journal_ && !killed_ && !end_.error) {
      const auto more = journal_->write(writer_);
      check(more);
      if (killed_ || !*more) break;
      // The writer has as much as it may; a signal ends the wait for its reader.
      pollfd fds[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                      {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0}};
      poll(fds, 2, -1);
      if (fds[0].revents != 0) end_.interrupted = killed_ = true;
      if (writer_.progress().finished) break;
    }
    if (killed_) return;
    const WriterThread::Progress done = writer_.finish_within({}, signals_.fd());
    if (done.reader_gone) end_.reader_gone = true;
    if (done.error && !end_.error) end_.error = done.error;
    if (!done.finished) end_.interrupted = killed_ = true;
  }

  void tell_interruption(const std::map<Outcome, std::uint64_t>& counts) {
    std::uint64_t done = 0;
    for (const auto& [outcome, count] : counts) {
      if (outcome != Outcome::kCancelled) done += count;
    }
    const auto total = feeder_.total();
    const std::uint64_t known = std::max(tuples_read(), total.value_or(0));
    std::string line = fmt::format("interrupted: {} task{} done, {} not run", done,
                                   done == 1 ? "" : "s", known - std::min(known, done));
    if (!total && !end_of_input_seen()) line += ", and input not read";
    console_.note(line);
    if (!options_.journal.again.empty()) {
      console_.note("to go on: " + options_.journal.again);
    } else if (!options_.broker && done > 0) {
      console_.note("with --journal FILE, what is done would have been kept for --resume");
    }
  }
  bool end_of_input_seen() const { return feeder_.ended() && interrupts_ == 0; }

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
  const std::unique_ptr<Journaling> journal_;
  Feeder feeder_;
  Console& console_;
  Client& client_;
  Session& session_;
  FailureReport failures_;
  WriterThread writer_;
  Progress progress_;
  ProgressOutput shown_;
  RunStats stats_;
  BrokerWatch watch_;
  SignalReader signals_;

  int worker_ended_fd_ = -1;
  JobHandle job_;
  bool opened_ = false;
  bool over_ = false;
  bool killed_ = false;
  std::string halted_;
  int interrupts_ = 0;
  RunEnd end_;
  std::optional<MonoTime> turns_until_;
  nanoseconds elapsed_{};
};

// What the bytes of the output depend on.
std::string form_of(const MapOptions& options) {
  const WriterOptions& writer = options.writer;
  std::string form = fmt::format("{} {} {} {}", static_cast<int>(writer.format), writer.raw,
                                 writer.command, writer.tag);
  for (const Column& column : writer.columns) {
    form += fmt::format(" {}:{}", static_cast<int>(column.fact), column.name);
  }
  return form;
}

Result<OpenedJournal> open_run_journal(const MapOptions& options, const OpenInput& reopen) {
  std::vector<std::string> programs = options.plugins;
  if (!options.own_executor.empty()) programs.push_back(options.own_executor);
  return open_journal(options.journal, options.job.spec, programs, options.output_path,
                      form_of(options), reopen);
}

Result<Fd> open_output(const std::optional<std::string>& path,
                       const std::optional<JournalOutput>& goes_on) {
  if (!path) return Fd(STDOUT_FILENO);
  const auto refused = [&path] {
    return fail(ErrorCode::kUsage,
                fmt::format("cannot write to \"{}\": {} (-o)", *path, strerror(errno)));
  };
  const SignalsEndIt waiting;  // at a named pipe without a reader
  const int truncate = goes_on ? 0 : O_TRUNC;
  Fd fd(open(path->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | truncate, 0666));
  if (fd.get() < 0) return refused();
  if (!goes_on) return fd;
  const auto bytes = static_cast<off_t>(goes_on->bytes);
  if (ftruncate(fd.get(), bytes) != 0 || lseek(fd.get(), bytes, SEEK_SET) != bytes)
    return refused();
  return fd;
}

Journaling::Output journal_output(const MapOptions& options, int fd) {
  struct stat status{};
  const bool regular = options.output_path && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) return {};
  std::error_code ignored;
  return {fd, std::filesystem::absolute(*options.output_path, ignored), form_of(options)};
}

int tell(Console& console, const Error& error) {
  console.note(error.message);
  return exit_code_of(error.code);
}

}  // namespace

int run_map(MapOptions options, std::unique_ptr<TupleSource> source, const OpenInput& reopen) {
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
  std::optional<OpenedJournal> opened;
  if (!options.journal.path.empty()) {
    const SignalsEndIt waiting;  // for an input that is read once more
    auto journal = open_run_journal(options, reopen);
    if (!journal) return tell(console, journal.error());
    opened.emplace(std::move(*journal));
    if (!options.quiet) {
      for (const std::string& line : opened->said) console.note(line);
    }
  }
  auto output_opened = open_output(options.output_path, opened ? opened->output : std::nullopt);
  if (!output_opened) return tell(console, output_opened.error());
  Fd output_fd = std::move(*output_opened);
  const int output = output_fd.get();
  auto writer = make_writer(options.writer);
  std::unique_ptr<Journaling> journal;
  if (opened) {
    journal = std::make_unique<Journaling>(std::move(*opened), options.order == RowOrder::kInput,
                                           journal_output(options, output));
    if (auto primed = journal->prime(*writer); !primed) return tell(console, primed.error());
  }
  if (options.job_log) {
    const SignalsEndIt waiting;
    auto logging = make_job_log({.path = *options.job_log, .is_local = !options.broker},
                                options.job.spec, std::move(writer));
    if (!logging) return tell(console, logging.error());
    writer = std::move(*logging);
  }
  const bool is_private = here.has_value();
  if (is_private) options.slots = here->slots();
  auto client = is_private ? Client::connect(context, Address(here->endpoint()))
                           : connect_to_broker(context, *options.broker);
  if (!client) return tell(console, client.error());
  Run run(std::move(options), std::move(source), output, std::move(writer), std::move(journal),
          console, *client);
  if (is_private) run.watch_worker(here->worker_ended_fd());
  const bool ended_by_itself = run.loop();
  if (!ended_by_itself && !is_private) run.cancel_at_broker();
  here.reset();
  const bool written = run.writer_finished();
  run.save_journal();
  if (written) {
    if (const int error_number = output_fd.close_now()) run.output_failed(error_number);
  }
  const int code = run.report();
  // A writer that waits for its reader cannot be called back; nothing else is left to do.
  if (!written) _exit(code);
  return code;
}

}  // namespace fanmill::producer
