#include "producer/job_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "producer/console.hpp"
#include "proto/command_line.hpp"
#include "proto/tuple_view.hpp"

namespace fanmill::producer {
namespace {

constexpr std::string_view kHeader =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

constexpr std::string_view kStandardOutput = "-";

class JobLog : public RowWriter {
 public:
  JobLog(int fd, std::string path, bool is_local, const JobSpec& spec,
         std::unique_ptr<RowWriter> rows)
      : fd_(fd),
        path_(std::move(path)),
        is_local_(is_local),
        names_(spec.names),
        line_(spec),
        rows_(std::move(rows)) {}
  ~JobLog() override { close(fd_); }
  JobLog(const JobLog&) = delete;
  JobLog& operator=(const JobLog&) = delete;

  Result<void> append(std::string& out, std::string& err, RowBatch& batch) override {
    RowBatch logged = batch;
    std::string lines;
    Row row;
    while (true) {
      const auto more = logged.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) break;
      append_line(lines, logged.rows(), row);
    }
    if (auto ok = write_lines(lines); !ok) return ok;
    return rows_->append(out, err, batch);
  }
  void finish(std::string& out) override { rows_->finish(out); }
  std::uint64_t parameters_left_out() const override { return rows_->parameters_left_out(); }

  Result<void> write_lines(std::string_view lines) const {
    const int error = write_all(fd_, lines);
    const bool reader_gone = path_ == kStandardOutput && error == EPIPE;
    if (error == 0 || reader_gone) return {};
    return fail(ErrorCode::kSystem,
                fmt::format("cannot write to \"{}\": {} (--joblog)", path_, strerror(error)));
  }

 private:
  void append_line(std::string& lines, const Rows& rows, const Row& row) const {
    if (rows.outcome == Outcome::kCancelled || rows.attempt == 0) return;  // it never ran
    int exit_value = 0;
    int signal = 0;
    if (row.failure != nullptr) {
      signal = row.failure->signal;
      const bool ended_by_signal = rows.outcome == Outcome::kFailed && signal != 0;
      exit_value = ended_by_signal ? 0 : row.failure->exit_code;
    } else if (rows.outcome != Outcome::kSucceeded) {
      exit_value = -1;
    }
    std::size_t received = 0;
    if (const auto text = text_of(row.value)) received = text->size();
    if (row.value.empty() && row.output != nullptr) received = row.output->out.size();
    fmt::format_to(std::back_inserter(lines), "{}\t{}\t{:.3f}\t{:10.3f}\t0\t{}\t{}\t{}\t",
                   row.index.value + 1, is_local_ ? std::string_view(":") : rows.worker,
                   start_of(row), static_cast<double>(row.run_ns) / 1e9, received, exit_value,
                   signal);
    std::string command = command_of(row);
    std::replace(command.begin(), command.end(), '\n', '\0');
    lines += command;
    lines += '\n';
  }

  // In seconds. A worker that was lost could not say when it began.
  static double start_of(const Row& row) {
    if (row.start_unix_us > 0) return static_cast<double>(row.start_unix_us) / 1e6;
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    return now.count() - static_cast<double>(row.run_ns) / 1e9;
  }

  std::string command_of(const Row& row) const {
    std::size_t at = 0;
    TupleView tuple;
    if (row.tuple.empty() || !cut_tuple(row.tuple, at, tuple)) return {};
    const auto task = TaskText::of(tuple, names_, row.index, 0);
    if (!task) return {};
    return line_.line(*task).value_or("");  // nothing: it was refused for its arguments
  }

  const int fd_;
  const std::string path_;
  const bool is_local_;
  const std::vector<std::string> names_;
  const CommandLine line_;
  const std::unique_ptr<RowWriter> rows_;
};

}  // namespace

Result<std::unique_ptr<RowWriter>> make_job_log(const JobLogOptions& options, const JobSpec& spec,
                                                std::unique_ptr<RowWriter> rows) {
  const bool append = options.path.starts_with('+');
  std::string path = options.path.substr(append ? 1 : 0);
  const int fd = path == kStandardOutput
                     ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                     : open(path.c_str(),
                            O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
  if (fd < 0) {
    return fail(ErrorCode::kUsage,
                fmt::format("cannot write to \"{}\": {} (--joblog)", path, strerror(errno)));
  }
  struct stat status{};
  const bool has_lines = append && fstat(fd, &status) == 0 && status.st_size > 0;
  auto log = std::make_unique<JobLog>(fd, std::move(path), options.is_local, spec, std::move(rows));
  if (!has_lines) {
    if (const auto ok = log->write_lines(kHeader); !ok) return tl::make_unexpected(ok.error());
  }
  return log;
}

}  // namespace fanmill::producer
