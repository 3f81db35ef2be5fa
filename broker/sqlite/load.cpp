#include "broker/sqlite/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string_view>

#include "proto/job_id.hpp"
#include "proto/range_set.hpp"

namespace fanmill::broker::sqlite {
namespace {

std::uint64_t number_at(SQLite::Statement& row, int column) {
  return std::bit_cast<std::uint64_t>(row.getColumn(column).getInt64());
}

std::string_view bytes_at(SQLite::Statement& row, int column) {
  const SQLite::Column cell = row.getColumn(column);
  const auto size = static_cast<std::size_t>(cell.getBytes());
  return {static_cast<const char*>(cell.getBlob()), size};
}

// Reads the rows of jobs in the order of (job, number), each into the job it belongs to.
class Loader {
 public:
  explicit Loader(SQLite::Database& database) : database_(database) {}

  Result<Loaded> all() {
    for (const auto step :
         {&Loader::jobs, &Loader::chunks, &Loader::records, &Loader::charges, &Loader::pushes,
          &Loader::dealt, &Loader::rounds, &Loader::nothing_missing}) {
      if (const auto done = (this->*step)(); !done) return tl::make_unexpected(done.error());
    }
    const bool told_apart =
        database_.execAndGet("PRAGMA user_version").getInt() >= 3;  // or only read
    for (SQLite::Statement lives(database_, fmt::format("SELECT epoch, {} FROM life ORDER BY epoch",
                                                        told_apart ? "incarnation" : "0"));
         lives.executeStep();)
      loaded_.recovered.lives.push_back({static_cast<std::uint32_t>(number_at(lives, 0)),
                                         static_cast<std::uint32_t>(number_at(lives, 1))});
    for (auto& [id, job] : jobs_) loaded_.recovered.jobs.push_back(std::move(job));
    return std::move(loaded_);
  }

 private:
  Error in(const char* table, JobId job, std::uint64_t number, const std::string& what) const {
    return {ErrorCode::kMalformedInput,
            fmt::format("{} {} of job {}: {}", table, number, to_text(job), what)};
  }

  Result<void> jobs() {
    SQLite::Statement row(database_, "SELECT id, head, state FROM job");
    while (row.executeStep()) {
      const JobId id{number_at(row, 0)};
      JobHead head;
      JobState state;
      if (const auto read = unseal(bytes_at(row, 1), head); !read)
        return tl::make_unexpected(in("the head", id, 0, read.error().message));
      if (const auto read = unseal(bytes_at(row, 2), state); !read)
        return tl::make_unexpected(in("the state", id, 0, read.error().message));
      RecoveredJob& job = jobs_[id];
      job.put = {id, std::move(head.key), std::move(head.options)};
      if (state.closed) job.total = state.total;
      job.state = {id,
                   state.cancelled,
                   state.held,
                   {},
                   state.horizon,
                   state.signature,
                   state.cancel_grace_ms,
                   state.halted};
      if (state.ordered) job.state.order = state.order;
      job.next_index = state.next_index;
      job.accepted_bytes = state.accepted_bytes;
      job.digest = state.digest;
      loaded_.states[id] = state;
    }
    return {};
  }

  Result<void> chunks() {
    SQLite::Statement row(database_, "SELECT job, first, head FROM chunk ORDER BY job, first");
    while (row.executeStep()) {
      const JobId id{number_at(row, 0)};
      const auto job = jobs_.find(id);
      if (job == jobs_.end()) continue;  // of a dropped job, not yet swept
      const std::uint64_t first = number_at(row, 1);
      ChunkHead head;
      if (const auto read = unseal(bytes_at(row, 2), head); !read)
        return tl::make_unexpected(in("chunk", id, first, read.error().message));
      job->second.chunks.push_back({TaskIndex{first}, std::move(head.blocks)});
    }
    return {};
  }

  // Every task has a tuple or a record.
  Result<void> nothing_missing() {
    for (const auto& [id, job] : jobs_) {
      RangeSet missing;
      if (job.next_index > 0) missing.add({TaskIndex{}, job.next_index});
      for (const RecoveredChunk& chunk : job.chunks) {
        std::uint64_t count = 0;
        for (const Block& block : chunk.blocks) count += block.tuples;
        missing.remove({chunk.first, count});
      }
      if (missing.empty()) continue;
      for (const RecoveredRecord& record : job.records)
        for (const IndexRange& range : record.put.valid) missing.remove(range);
      if (missing.empty()) continue;
      const IndexRange first = missing.ranges().front();
      return fail(ErrorCode::kMalformedInput,
                  fmt::format("tuples {} to {} of job {} are missing", first.first.value,
                              first.end().value - 1, to_text(id)));
    }
    return {};
  }

  Result<void> records() {
    SQLite::Statement row(
        database_, "SELECT job, number, head, bytes IS NULL FROM record ORDER BY job, number");
    while (row.executeStep()) {
      const JobId id{number_at(row, 0)};
      const auto job = jobs_.find(id);
      if (job == jobs_.end()) continue;
      const std::uint64_t number = number_at(row, 1);
      RecordHead head;
      if (const auto read = unseal(bytes_at(row, 2), head); !read)
        return tl::make_unexpected(in("record", id, number, read.error().message));
      const std::uint64_t bytes = head.blob_bytes;
      PutRecord put{id,
                    RecordId{number},
                    head.batch_first,
                    head.batch_count,
                    std::move(head.valid),
                    head.outcome,
                    head.dead_lettered,
                    head.token,
                    head.attempt,
                    std::move(head.worker),
                    head.values_bytes,
                    head.run_ns,
                    {},
                    head.rows_end};
      job->second.records.push_back({std::move(put), bytes, number_at(row, 3) != 0});
    }
    return {};
  }

  Result<void> charges() {
    SQLite::Statement row(database_, "SELECT job, task, head FROM charge");
    while (row.executeStep()) {
      const JobId id{number_at(row, 0)};
      const auto job = jobs_.find(id);
      if (job == jobs_.end()) continue;
      const std::uint64_t task = number_at(row, 1);
      ChargeHead head;
      if (const auto read = unseal(bytes_at(row, 2), head); !read)
        return tl::make_unexpected(in("the charge of task", id, task, read.error().message));
      job->second.charges[task] = {id,          TaskIndex{task}, head.failures, head.crashes,
                                   head.losses, head.token,      head.refunded};
    }
    return {};
  }

  Result<void> pushes() {
    SQLite::Statement row(database_, "SELECT job, name, sequence, tasks FROM push");
    while (row.executeStep()) {
      const auto job = jobs_.find(JobId{number_at(row, 0)});
      if (job == jobs_.end()) continue;
      const std::string key = row.getColumn(1).getString();
      job->second.pushes[key] = {job->first, key, number_at(row, 2), number_at(row, 3)};
    }
    return {};
  }

  Result<void> dealt() {
    if (!database_.tableExists("dealt")) return {};  // of version 1, and only read
    SQLite::Statement row(database_, "SELECT job, task FROM dealt");
    while (row.executeStep()) {
      const auto job = jobs_.find(JobId{number_at(row, 0)});
      if (job != jobs_.end()) job->second.dealt.push_back(TaskIndex{number_at(row, 1)});
    }
    return {};
  }

  Result<void> rounds() {
    if (!database_.tableExists("round")) return {};
    SQLite::Statement row(database_, "SELECT job, number, head FROM round ORDER BY job, number");
    while (row.executeStep()) {
      const JobId id{number_at(row, 0)};
      const auto job = jobs_.find(id);
      if (job == jobs_.end()) continue;
      const std::uint64_t number = number_at(row, 1);
      RoundHead head;
      auto read = unseal(bytes_at(row, 2), head);
      if (read && number != job->second.rounds.size() + 1)
        read = fail(ErrorCode::kMalformedInput, "one before it is missing");
      if (!read) return tl::make_unexpected(in("round", id, number, read.error().message));
      job->second.rounds.push_back(
          {id, static_cast<std::uint32_t>(number), std::move(head.tasks), head.token, head.after});
    }
    return {};
  }

  SQLite::Database& database_;
  Loaded loaded_;
  std::map<JobId, RecoveredJob> jobs_;
};

}  // namespace

Result<Loaded> load(SQLite::Database& database) { return Loader(database).all(); }

}  // namespace fanmill::broker::sqlite
