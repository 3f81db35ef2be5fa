#include "producer/follow_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "producer/broker_watch.hpp"
#include "producer/cursor_file.hpp"
#include "producer/exit_code.hpp"
#include "producer/failure_report.hpp"
#include "producer/fd.hpp"
#include "producer/progress.hpp"
#include "producer/query.hpp"
#include "producer/signals.hpp"
#include "producer/writer_thread.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr auto kSaveEvery = 250ms;

// Rows of one message ended alike, so that they are written or passed over together.
class StatusFilter final : public RowWriter {
 public:
  StatusFilter(std::unique_ptr<RowWriter> rows, std::vector<std::string> statuses)
      : rows_(std::move(rows)), statuses_(std::move(statuses)) {}

  Result<void> append(std::string& out, std::string& err, RowBatch& batch) override {
    const std::string_view status = status_name(batch.rows());
    if (std::ranges::find(statuses_, status) == statuses_.end()) return {};
    return rows_->append(out, err, batch);
  }
  void finish(std::string& out) override { rows_->finish(out); }
  std::uint64_t parameters_left_out() const override { return rows_->parameters_left_out(); }

 private:
  std::unique_ptr<RowWriter> rows_;
  std::vector<std::string> statuses_;
};

// Where the rows go, and where in it they go on.
struct Output {
  Fd fd;
  std::optional<CursorFile> cursor_file;
  std::uint64_t cursor = 0;
  std::uint64_t bytes = 0;
};

Result<Output> open_output(const FollowOptions& options) {
  Output output{Fd(STDOUT_FILENO), {}, options.from.value_or(0), 0};
  if (!options.output_path) return output;
  const std::string& path = *options.output_path;
  const auto refused = [&](const std::string& what) {
    return fail(ErrorCode::kUsage, fmt::format("cannot write to \"{}\": {} (-o)", path, what));
  };
  const CursorFile file(path);
  const bool keeps_cursor = options.order != RowOrder::kRecorded;
  std::optional<OutputCursor> saved;
  if (keeps_cursor) {
    auto loaded = file.load();
    if (!loaded) return tl::make_unexpected(loaded.error());
    saved = std::move(*loaded);
  }
  if (saved && (saved->job != options.job.id || saved->form != options.form)) {
    return fail(
        ErrorCode::kUsage,
        fmt::format("\"{}\" was begun with rows of job {} as {}, and this is job {} as {}: "
                    "write to another file, or remove {} to begin it anew",
                    path, saved->job, saved->form, options.job.id, options.form, file.path()));
  }
  // What it has may be superseded: the newest rows are written from the start.
  if (saved && options.order == RowOrder::kInput && saved->rounds != options.job.rounds) {
    file.remove();
    saved.reset();
  }
  {
    const SignalsEndIt waiting;  // at a named pipe without a reader
    const int truncate = saved ? 0 : O_TRUNC;
    output.fd = Fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | truncate, 0666));
  }
  if (output.fd.get() < 0) return refused(strerror(errno));
  struct stat status{};
  const bool regular = fstat(output.fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  if (!keeps_cursor || !regular) return output;
  output.cursor_file = file;
  if (!saved) return output;
  if (static_cast<std::uint64_t>(status.st_size) < saved->bytes) {
    return fail(ErrorCode::kUsage,
                fmt::format("\"{}\" is shorter than {} says, which belongs to it: remove both to "
                            "begin anew",
                            path, file.path()));
  }
  const auto bytes = static_cast<off_t>(saved->bytes);
  if (ftruncate(output.fd.get(), bytes) != 0 || lseek(output.fd.get(), bytes, SEEK_SET) != bytes)
    return refused(strerror(errno));
  output.cursor = saved->cursor;
  output.bytes = saved->bytes;
  return output;
}

class Follow {
 public:
  Follow(Client& client, Console& console, FollowOptions options, Output output,
         std::unique_ptr<RowWriter> rows)
      : options_(std::move(options)),
        console_(console),
        client_(client),
        session_(client.session()),
        output_(std::move(output)),
        failures_(console, true),
        writer_(output_.fd.get(), output_name(), std::move(rows), failures_, console),
        progress_(mono_now()),
        shown_(console, options_.progress, options_.quiet, mono_now()),
        watch_(client, options_.broker, BrokerWatch::Follows::kKeptJobs,
               console.teller(options_.quiet), mono_now()) {
    if (options_.job.closed) progress_.total(options_.job.counts.accepted);
  }

  int run() {
    job_ = session_.attach(options_.job.job, options_.order, output_.cursor, mono_now());
    saved_ = output_.cursor;
    while (!over_ && !stopped_ && !end_.reader_gone) turn();
    const bool written = over_ ? finish_writing() : stop_writing();
    shown_.clear();
    if (over_ && !end_.error && !end_.interrupted) close_output();
    if (was_superseded()) return 0;
    const int code = report();
    if (!written) _exit(code);  // a writer that waits for its reader cannot be called back
    return code;
  }

  // Tasks were run again after their rows had come, in an output that can be written anew.
  bool was_superseded() const {
    return over_ && !end_.error && !end_.interrupted && keeps_cursor() &&
           options_.order == RowOrder::kInput && rounds_ + 1 > options_.job.rounds;
  }
  std::uint64_t rounds() const { return rounds_ + 1; }

 private:
  std::string output_name() const {
    return options_.output_path ? '"' + *options_.output_path + '"' : std::string("stdout");
  }
  bool keeps_cursor() const { return output_.cursor_file.has_value(); }

  void turn() {
    std::vector<pollfd> fds{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                            {.fd = writer_.event_fd(), .events = POLLIN, .revents = 0}};
    std::optional<nanoseconds> timeout = shown_.every();
    if (!session_.is_connected()) timeout = kReconnectEvery;
    if (keeps_cursor()) timeout = std::min<nanoseconds>(timeout.value_or(kSaveEvery), kSaveEvery);
    for (Notice& notice : client_.pump(timeout, fds)) take(notice);
    if (fds[0].revents != 0 && signals_.urgency() > 0) end_.interrupted = stopped_ = true;
    if (fds[1].revents != 0) read_writer();
    if (keeps_cursor() && mono_now() >= save_at_) save();
    progress_.connected(session_.is_connected());
    if (const auto gone = watch_.look(mono_now())) {
      end_.error = gone;
      stopped_ = true;
    }
    shown_.draw(progress_, mono_now());
  }

  void take(Notice& notice) {
    if (auto* rows = std::get_if<RowsArrived>(&notice)) {
      seen_ = true;
      writer_.take(std::move(*rows));
    } else if (const auto* status = std::get_if<StatusArrived>(&notice)) {
      seen_ = true;
      progress_.status(status->status);
    } else if (const auto* ended = std::get_if<Ended>(&notice)) {
      counts_ = ended->counts;
      rounds_ = ended->rounds;
      end_.halted = !ended->halted.empty();
      over_ = true;
    } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
      end_.error = refused->error;
      if (seen_ && refused->error.code == ErrorCode::kNotFound) {
        end_.error = job_is_gone(options_.job.id);
      }
      stopped_ = true;
    }
  }

  void read_writer() {
    const WriterThread::Progress done = writer_.progress();
    progress_.rows(done.rows, failures_.failed());
    written_ = done;
    if (done.reader_gone) end_.reader_gone = true;
    if (done.error) {
      end_.error = done.error;
      stopped_ = true;
    }
    // Of a job that is forgotten when delivered, only what is safe may be taken for delivered.
    if (keeps_cursor() && !options_.job.kept) {
      if (done.cursor > saved_ && done.bytes - saved_bytes_ >= limits::kGatherWindowBytes / 4)
        save();
      return;
    }
    session_.rows_done(job_, std::max(done.cursor, output_.cursor), mono_now());
  }

  void save() {
    save_at_ = mono_now() + kSaveEvery;
    if (written_.cursor <= saved_) return;
    if (fdatasync(output_.fd.get()) != 0) {
      end_.error = cannot_write(output_name(), errno);
      stopped_ = true;
      return;
    }
    const auto ok =
        output_.cursor_file->save({options_.job.id, options_.form, written_.cursor,
                                   output_.bytes + written_.bytes, options_.job.rounds});
    if (!ok) {
      end_.error = ok.error();
      stopped_ = true;
      return;
    }
    saved_ = written_.cursor;
    saved_bytes_ = written_.bytes;
    if (!options_.job.kept) session_.rows_done(job_, saved_, mono_now());
  }

  // What came may still wait for a slow reader, and a signal ends that. False: it is not all
  // written.
  bool finish_writing() {
    written_ = writer_.finish_within({}, signals_.fd());
    if (written_.reader_gone) end_.reader_gone = true;
    if (written_.error && !end_.error) end_.error = written_.error;
    if (!written_.finished) end_.interrupted = true;
    return written_.finished;
  }

  // The rows that are here, if the output takes them at once.
  bool stop_writing() {
    written_ = writer_.finish_within(WriterThread::kPatience);
    if (written_.finished && keeps_cursor() && !end_.error) save();
    return written_.finished;
  }

  void close_output() {
    if (keeps_cursor() && fdatasync(output_.fd.get()) != 0)
      end_.error = cannot_write(output_name(), errno);
    if (const int error_number = output_.fd.close_now())
      end_.error = cannot_write(output_name(), error_number);
    if (keeps_cursor() && !end_.error) output_.cursor_file->remove();
  }

  int report() {
    if (options_.order != RowOrder::kRecorded)
      end_.not_ok = counts_.failed + counts_.dead_lettered + counts_.cancelled;
    if (!end_.reader_gone) {
      if (end_.error) console_.note(end_.error->message);
      if (end_.interrupted && !options_.quiet) {
        const std::uint64_t cursor = std::max(written_.cursor, output_.cursor);
        console_.note(
            keeps_cursor()
                ? fmt::format("interrupted at row {}; the same line goes on from there", cursor)
                : fmt::format("interrupted at row {}; fanmill gather {} --from {} goes on from "
                              "there",
                              cursor, options_.job.id, cursor));
      }
    }
    const int code = exit_code_of(end_);
    progress_.rows(written_.rows, failures_.failed());
    shown_.end(progress_, mono_now(),
               end_.interrupted ? "interrupted" : (end_.error ? "failed" : "finished"), code);
    return code;
  }

  const FollowOptions options_;
  Console& console_;
  Client& client_;
  Session& session_;
  Output output_;
  FailureReport failures_;
  WriterThread writer_;
  Progress progress_;
  ProgressOutput shown_;
  BrokerWatch watch_;
  SignalReader signals_;

  JobHandle job_;
  JobCounts counts_;
  std::uint64_t rounds_ = 0;
  WriterThread::Progress written_;
  std::uint64_t saved_ = 0;        // cursor
  std::uint64_t saved_bytes_ = 0;  // of this run
  MonoTime save_at_{};
  RunEnd end_;
  bool seen_ = false;  // the broker knew the job
  bool over_ = false;
  bool stopped_ = false;
};

}  // namespace

int run_follow(Client& client, Console& console, FollowOptions options) {
  while (true) {
    auto output = open_output(options);
    if (!output) {
      console.note(output.error().message);
      return exit_code_of(output.error().code);
    }
    options.writer.header = output->bytes == 0;
    auto rows = make_writer(options.writer);
    if (!options.statuses.empty())
      rows = std::make_unique<StatusFilter>(std::move(rows), options.statuses);
    Follow follow(client, console, options, std::move(*output), std::move(rows));
    const int code = follow.run();
    if (!follow.was_superseded()) return code;
    options.job.rounds = follow.rounds();
    options.from.reset();
    if (!options.quiet) console.note("tasks were run again meanwhile; writing their newest rows");
  }
}

}  // namespace fanmill::producer
