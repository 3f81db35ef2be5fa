#include "producer/journal/journaling.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "producer/row_batch.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr auto kSaveEvery = 100ms;
constexpr std::uint64_t kSaveBytes = 8 * limits::kMiB;
constexpr std::uint64_t kHandedMax = 16 * limits::kMiB;  // to the writer, and not written

}  // namespace

Journaling::Journaling(OpenedJournal opened, bool in_order, Output output)
    : job_(std::move(opened.file), in_order, opened.output ? opened.output->tasks : 0),
      run_(std::move(opened.run)),
      output_(std::move(output)),
      goes_on_(std::move(opened.output)),
      level_(job_.file().level()) {}

Result<void> Journaling::prime(RowWriter& writer) {
  if (!goes_on_ || goes_on_->tasks == 0) return {};
  const auto first = job_.first_row(goes_on_->layout);
  if (!first) return tl::make_unexpected(first.error());
  auto batch = RowBatch::make(first->rows, first->blob.view());
  if (!batch) return tl::make_unexpected(batch.error());
  std::string out;
  std::string err;
  return writer.append(out, err, *batch);
}

Result<void> Journaling::opened(const std::string& signature) {
  if (signature == run_.signature) return {};
  if (job_.was_empty() || run_.signature.empty()) {
    run_.signature = signature;
    return job_.file().set_run(run_);
  }
  return fail(
      ErrorCode::kUsage,
      fmt::format("{} is of {}{}, which is {}{} now; it was left as it is. Name another "
                  "file with --journal FILE",
                  job_.file().path(), run_.function, run_.signature, run_.function, signature));
}

Result<bool> Journaling::write(WriterThread& writer) {
  while (true) {
    // Asked anew: the writer writes meanwhile.
    if (job_.handed_bytes() - writer.progress().cursor >= kHandedMax) return true;
    for (int i = 0; i < 64; ++i) {
      auto rows = job_.next();
      if (!rows) return tl::make_unexpected(rows.error());
      if (!*rows) return false;
      writer.take(std::move(**rows));
    }
  }
}

std::optional<MonoTime> Journaling::save_at() const {
  const std::uint64_t bytes = job_.file().uncommitted_bytes();
  if (bytes == 0) return {};
  return bytes >= kSaveBytes ? saved_at_ : saved_at_ + kSaveEvery;
}

Result<void> Journaling::save_at_times(WriterThread& writer, MonoTime now) {
  const auto due = save_at();
  return due && now >= *due ? save(writer, now) : Result<void>();
}

Result<void> Journaling::save(WriterThread& writer, MonoTime now) {
  saved_at_ = now;
  if (output_.fd >= 0) {
    const WriterThread::Progress written = writer.progress();
    const std::uint64_t rows = (goes_on_ ? goes_on_->tasks : 0) + written.rows;
    const auto layout = rows > rows_saved_ ? job_.layout_of(rows) : std::nullopt;
    if (layout) {
      // What the journal says of the file must be on the disk before.
      if (level_ == JournalLevel::kSync && fdatasync(output_.fd) != 0)
        return tl::make_unexpected(cannot_write('"' + output_.path + '"', errno));
      const std::uint64_t bytes = (goes_on_ ? goes_on_->bytes : 0) + written.bytes;
      if (auto set = job_.file().set_output(
              JournalOutput{output_.path, output_.form, rows, bytes, *layout});
          !set) {
        return set;
      }
      rows_saved_ = rows;
    }
  }
  return job_.file().commit();
}

}  // namespace fanmill::producer
