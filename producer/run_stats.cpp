#include "producer/run_stats.hpp"

#include <algorithm>
#include <utility>

#include "producer/row_batch.hpp"

namespace fanmill::producer {
namespace {
// So many tasks with a mean below kSlowTaskFrom: tuples are not worth keeping.
constexpr std::uint64_t kTasksToJudge = 1000;
}  // namespace

void RunStats::submitted(std::uint64_t first, const ChunkBuilder::Chunk& chunk) {
  if (!are_tiny_) tuples_.add(first, chunk);
}

void RunStats::rows(const Rows& rows, std::string_view blob) {
  if (rows.attempt > 1) further_attempts_ += rows.count * (rows.attempt - 1);
  if (rows.batch_count == 0) return;
  const nanoseconds all(rows.run_ns);
  const auto part = static_cast<double>(rows.count) / static_cast<double>(rows.batch_count);
  busy_ += rows.count == rows.batch_count
               ? all
               : nanoseconds(static_cast<std::int64_t>(part * static_cast<double>(rows.run_ns)));
  tasks_ += rows.count;
  const nanoseconds longest_named =
      slowest_.size() < kSlowestNamed ? nanoseconds(0) : slowest_.back().run;
  if (all / rows.batch_count >= kSlowTaskFrom && all > longest_named) look_for_slow(rows, blob);
  if (are_tiny_) return;
  if (tasks_ >= kTasksToJudge && busy_ < kSlowTaskFrom * tasks_) {
    are_tiny_ = true;
    tuples_ = {};
  } else if (in_order_) {
    tuples_.forget_before(rows.first.value + rows.count);
  }
}

std::vector<SlowTask> RunStats::slowest() const {
  std::vector<SlowTask> named = slowest_;
  if (busy_ < kSlowTaskFrom * tasks_) {
    std::erase_if(named, [](const SlowTask& task) { return task.run < kSlowAmongTiny; });
  }
  return named;
}

void RunStats::look_for_slow(const Rows& rows, std::string_view blob) {
  auto batch = RowBatch::make(rows, blob);
  if (!batch) return;  // the writer says so
  // Without times of each task there is but the mean, and that of none.
  if (batch->columns().run_ns.empty() && rows.batch_count > 1) return;
  Row row;
  while (true) {
    const auto more = batch->next(row);
    if (!more || !*more) return;
    const nanoseconds run(row.run_ns);
    if (slowest_.size() == kSlowestNamed && run <= slowest_.back().run) continue;
    SlowTask slow{row.index.value, run, std::string(row.tuple)};
    if (slow.tuple.empty() && row.failure != nullptr) slow.tuple = row.failure->tuple;
    if (slow.tuple.empty()) slow.tuple = tuples_.find(slow.index);
    const auto place = std::ranges::upper_bound(slowest_, run, std::greater<>(), &SlowTask::run);
    slowest_.insert(place, std::move(slow));
    if (slowest_.size() > kSlowestNamed) slowest_.pop_back();
  }
}

}  // namespace fanmill::producer
