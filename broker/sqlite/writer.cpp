#include "broker/sqlite/writer.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace fanmill::broker::sqlite {
namespace {

// Of what a dropped job leaves behind, removed at once: the writer is kept for so long.
// With their blobs: as many as take about that long.
constexpr int kRowsSweptMost = 64;
constexpr std::chrono::milliseconds kSweepTime{5};
constexpr int kSmallRowsSweptAtOnce = 4096;
constexpr int kPagesGivenBackAtOnce = 64;  // 1 MiB
// So many free pages are kept for what comes next.
constexpr int kFreePagesKept = 1024;  // 16 MiB

std::int64_t as_signed(std::uint64_t number) { return std::bit_cast<std::int64_t>(number); }

// Binds from 1 on, executes, and is ready for the next.
class Run {
 public:
  explicit Run(SQLite::Statement& statement) : statement_(statement) {
    statement_.reset();
    statement_.clearBindings();
  }
  Run& number(std::uint64_t value) {
    statement_.bind(++at_, as_signed(value));
    return *this;
  }
  Run& sum(std::int64_t value) {
    statement_.bind(++at_, value);
    return *this;
  }
  // `bytes` must live until done().
  Run& blob(std::string_view bytes) {
    // An empty blob needs an address all the same, or it is bound as NULL.
    static const char nothing = 0;
    statement_.bindNoCopy(++at_, bytes.empty() ? &nothing : bytes.data(),
                          static_cast<int>(bytes.size()));
    return *this;
  }
  Run& text(const std::string& value) {
    statement_.bind(++at_, value);
    return *this;
  }
  int done() {
    const int rows = statement_.exec();
    statement_.reset();
    return rows;
  }

 private:
  SQLite::Statement& statement_;
  int at_ = 0;
};

}  // namespace

Writer::Writer(SQLite::Database& database, std::unordered_map<JobId, JobState> states)
    : database_(database),
      synchronous_("PRAGMA synchronous = " +
                   std::to_string(database.execAndGet("PRAGMA synchronous").getInt())),
      states_(std::move(states)),
      put_job_(database, "INSERT INTO job (id, head, state) VALUES (?, ?, ?)"),
      put_state_(database, "UPDATE job SET state = ?2 WHERE id = ?1"),
      put_chunk_(database,
                 "INSERT INTO chunk (job, first, head, sum, bytes) VALUES (?, ?, ?, ?, ?)"),
      put_record_(database,
                  "INSERT INTO record (job, number, head, sum, bytes) VALUES (?, ?, ?, ?, ?)"),
      put_charge_(database, "INSERT OR REPLACE INTO charge (job, task, head) VALUES (?, ?, ?)"),
      put_push_(database,
                "INSERT OR REPLACE INTO push (job, name, sequence, tasks) VALUES (?, ?, ?, ?)"),
      put_dealt_(database, "INSERT OR IGNORE INTO dealt (job, task) VALUES (?, ?)"),
      drop_dealt_(database, "DELETE FROM dealt WHERE job = ? AND task >= ? AND task < ?"),
      put_round_(database, "INSERT INTO round (job, number, head) VALUES (?, ?, ?)"),
      drop_charges_(database, "DELETE FROM charge WHERE job = ? AND task >= ? AND task < ?"),
      drop_chunk_(database, "DELETE FROM chunk WHERE job = ? AND first = ?"),
      drop_record_(database, "UPDATE record SET bytes = NULL WHERE job = ? AND number = ?"),
      drop_job_(database, "DELETE FROM job WHERE id = ?"),
      put_garbage_(database, "INSERT OR IGNORE INTO garbage (job) VALUES (?)") {}

void Writer::commit(const std::vector<StoreWrite>& writes) {
  changed_.clear();
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
  for (const StoreWrite& write : writes) std::visit([this](const auto& w) { apply(w); }, write);
  write_states();
  transaction.commit();
  for (auto& [job, state] : changed_) states_[job] = state;
  for (const StoreWrite& write : writes) {
    if (const auto* drop = std::get_if<DropJob>(&write)) {
      states_.erase(drop->job);
      garbage_ = true;
    } else if (std::holds_alternative<DropChunk>(write) ||
               std::holds_alternative<DropRecord>(write)) {
      free_pages_ = true;
    }
  }
}

// What is changed in a transaction that fails is forgotten with it.
static JobState& changing(std::unordered_map<JobId, JobState>& changed,
                          const std::unordered_map<JobId, JobState>& states, JobId job) {
  const auto [it, added] = changed.try_emplace(job);
  if (added) {
    const auto known = states.find(job);
    if (known != states.end()) it->second = known->second;
  }
  return it->second;
}

void Writer::apply(const PutJob& write) {
  const JobState state;
  changed_[write.job] = state;
  Run(put_job_)
      .number(write.job.value)
      .blob(seal(JobHead{write.key, write.options}))
      .blob(seal(state))
      .done();
}

void Writer::apply(const PutChunk& write) {
  const std::string head = seal(ChunkHead{write.count, write.blocks});
  Run(put_chunk_)
      .number(write.job.value)
      .number(write.first.value)
      .blob(head)
      .sum(blob_checksum(write.job, write.first.value, write.bytes.view()))
      .blob(write.bytes.view())
      .done();
  JobState& state = changing(changed_, states_, write.job);
  state.next_index = write.first.value + write.count;
  state.accepted_bytes += write.bytes.size();
  if (!write.digest.empty()) state.digest = write.digest;
}

void Writer::apply(const PutClose& write) {
  JobState& state = changing(changed_, states_, write.job);
  state.closed = true;
  state.total = write.total;
}

void Writer::apply(const PutRecord& write) {
  const std::string head =
      seal(RecordHead{write.batch_first, write.batch_count, write.valid, write.outcome,
                      write.dead_lettered, write.token, write.attempt, write.worker,
                      write.values_bytes, write.run_ns, write.bytes.size(), write.rows_end});
  Run(put_record_)
      .number(write.job.value)
      .number(write.record.value)
      .blob(head)
      .sum(blob_checksum(write.job, write.record.value, write.bytes.view()))
      .blob(write.bytes.view())
      .done();
}

void Writer::apply(const PutState& write) {
  JobState& state = changing(changed_, states_, write.job);
  state.cancelled = write.cancelled;
  state.held = write.held;
  state.ordered = write.order.has_value();
  state.order = write.order.value_or(RowOrder::kInput);
  state.horizon = write.horizon;
  state.signature = write.signature;
  state.cancel_grace_ms = write.cancel_grace_ms;
  state.halted = write.halted;
}

void Writer::apply(const PutCharge& write) {
  const std::string head =
      seal(ChargeHead{write.failures, write.crashes, write.losses, write.token, write.refunded});
  Run(put_charge_).number(write.job.value).number(write.index.value).blob(head).done();
}

void Writer::apply(const PutPush& write) {
  Run(put_push_)
      .number(write.job.value)
      .text(write.key)
      .number(write.sequence)
      .number(write.tasks)
      .done();
}

void Writer::apply(const PutDealt& write) {
  const std::uint64_t task = write.index.value;
  if (write.out) {
    Run(put_dealt_).number(write.job.value).number(task).done();
  } else {
    Run(drop_dealt_).number(write.job.value).number(task).number(task + 1).done();
  }
}

void Writer::apply(const PutRound& write) {
  const std::string head = seal(RoundHead{write.tasks, write.token, write.after});
  Run(put_round_).number(write.job.value).number(write.round).blob(head).done();
  for (const IndexRange& range : write.tasks) {
    for (SQLite::Statement* const drop : {&drop_dealt_, &drop_charges_})
      Run(*drop).number(write.job.value).number(range.first.value).number(range.end().value).done();
  }
}

void Writer::apply(const DropChunk& write) {
  changing(changed_, states_, write.job);  // its row says from now on what this chunk has said
  Run(drop_chunk_).number(write.job.value).number(write.first.value).done();
}

void Writer::apply(const DropRecord& write) {
  Run(drop_record_).number(write.job.value).number(write.record.value).done();
}

void Writer::apply(const DropJob& write) {
  changed_.erase(write.job);
  Run(drop_job_).number(write.job.value).done();
  Run(put_garbage_).number(write.job.value).done();
}

void Writer::write_states() {
  for (const auto& [job, state] : changed_) {
    const std::string bytes = seal(state);
    Run(put_state_).number(job.value).blob(bytes).done();
  }
}

bool Writer::sweep(JobId job) {
  const auto some = [&](const char* table, const char* key, int rows) {
    SQLite::Statement remove(database_, std::string("DELETE FROM ") + table +
                                            " WHERE job = ?1 AND " + key + " IN (SELECT " + key +
                                            " FROM " + table + " WHERE job = ?1 LIMIT ?2)");
    remove.bind(1, as_signed(job.value));
    remove.bind(2, rows);
    return remove.exec() > 0;
  };
  return some("chunk", "first", rows_at_once_) || some("record", "number", rows_at_once_) ||
         some("charge", "task", kSmallRowsSweptAtOnce) ||
         some("dealt", "task", kSmallRowsSweptAtOnce) || some("round", "number", rows_at_once_) ||
         some("push", "name", kSmallRowsSweptAtOnce);
}

// A transaction of its own; false when there is no garbage.
bool Writer::sweep_some() {
  const auto begin = std::chrono::steady_clock::now();
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
  SQLite::Statement next(database_, "SELECT job FROM garbage LIMIT 1");
  if (!next.executeStep()) return false;
  const std::int64_t job = next.getColumn(0).getInt64();
  next.reset();
  if (!sweep(JobId{std::bit_cast<std::uint64_t>(job)})) {
    SQLite::Statement done(database_, "DELETE FROM garbage WHERE job = ?");
    done.bind(1, job);
    done.exec();
  }
  transaction.commit();
  const bool long_enough = std::chrono::steady_clock::now() - begin > kSweepTime;
  rows_at_once_ =
      std::clamp(long_enough ? rows_at_once_ / 2 : rows_at_once_ * 2, 1, kRowsSweptMost);
  return true;
}

bool Writer::give_back_some() {
  if (database_.execAndGet("PRAGMA freelist_count").getInt() <= kFreePagesKept) return false;
  // The pragma gives back a page with every step.
  SQLite::Statement give_back(
      database_, "PRAGMA incremental_vacuum(" + std::to_string(kPagesGivenBackAtOnce) + ")");
  while (give_back.executeStep()) {
  }
  return true;
}

bool Writer::tidy(std::chrono::milliseconds time) {
  if (!garbage_ && !free_pages_) return false;
  const auto end = std::chrono::steady_clock::now() + time;
  // Nobody waits for these to be on the disk; the next commit brings them there.
  database_.exec("PRAGMA synchronous = NORMAL");
  struct Back {  // also when the disk is full
    Writer& writer;
    ~Back() { writer.database_.tryExec(writer.synchronous_); }
  } const back{*this};
  do {
    if (garbage_) {
      garbage_ = sweep_some();
      free_pages_ = true;
    }
    if (free_pages_) free_pages_ = give_back_some();
  } while ((garbage_ || free_pages_) && std::chrono::steady_clock::now() < end);
  return garbage_ || free_pages_;
}

}  // namespace fanmill::broker::sqlite
