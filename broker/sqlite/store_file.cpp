#include "broker/sqlite/store_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>

#include "proto/sqlite_file.hpp"

namespace fanmill::broker::sqlite {
namespace {

// Large pages: the blobs are large.
constexpr int kPageBytes = 16384;
constexpr int kCheckpointPages = 256;  // 4 MiB: a checkpoint then takes some 10 ms

constexpr const char* kTables = R"(
CREATE TABLE life (epoch INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE job (id INTEGER PRIMARY KEY, head BLOB NOT NULL, state BLOB NOT NULL) STRICT;
CREATE TABLE chunk (job INTEGER NOT NULL, first INTEGER NOT NULL, head BLOB NOT NULL,
                    sum INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (job, first)) STRICT;
CREATE TABLE record (job INTEGER NOT NULL, number INTEGER NOT NULL, head BLOB NOT NULL,
                     sum INTEGER NOT NULL, bytes BLOB, PRIMARY KEY (job, number)) STRICT;
CREATE TABLE charge (job INTEGER NOT NULL, task INTEGER NOT NULL, head BLOB NOT NULL,
                     PRIMARY KEY (job, task)) STRICT, WITHOUT ROWID;
CREATE TABLE push (job INTEGER NOT NULL, name TEXT NOT NULL, sequence INTEGER NOT NULL,
                   tasks INTEGER NOT NULL, PRIMARY KEY (job, name)) STRICT, WITHOUT ROWID;
CREATE TABLE garbage (job INTEGER PRIMARY KEY) STRICT;
CREATE TABLE dealt (job INTEGER NOT NULL, task INTEGER NOT NULL,
                    PRIMARY KEY (job, task)) STRICT, WITHOUT ROWID;
CREATE TABLE round (job INTEGER NOT NULL, number INTEGER NOT NULL, head BLOB NOT NULL,
                    PRIMARY KEY (job, number)) STRICT;
)";

constexpr const char* kSteps[] = {
    // 2: rounds, and which tasks that run at most once are out.
    R"(
CREATE TABLE dealt (job INTEGER NOT NULL, task INTEGER NOT NULL,
                    PRIMARY KEY (job, task)) STRICT, WITHOUT ROWID;
CREATE TABLE round (job INTEGER NOT NULL, number INTEGER NOT NULL, head BLOB NOT NULL,
                    PRIMARY KEY (job, number)) STRICT;
)",
    // 3: what tells two lives of one epoch apart.
    "ALTER TABLE life ADD COLUMN incarnation INTEGER NOT NULL DEFAULT 0"};
static_assert(std::size(kSteps) + 1 == kSchemaVersion);

constexpr SqliteFileKind kStore{
    .application_id = kApplicationId,
    .schema_version = kSchemaVersion,
    .tables = kTables,
    .steps = kSteps,
    .page_bytes = kPageBytes,
    .what = "store of a broker",
    .name_another = "Name another file with --store FILE",
    .when_damaged = "Look into it with: fanmill store verify {}",
};

}  // namespace

Result<void> looks_like_a_store(const std::string& path) { return check_sqlite_file(path, kStore); }

// SQLite's own checkpoints keep silent about a write or sync that failed; this one fails the commit
// that it follows. Readers are waited for by no one, and a full disk is told by the commits.
static int bring_into_file(void* /*unused*/, sqlite3* database, const char* name, int pages) {
  if (pages < kCheckpointPages) return SQLITE_OK;
  const int done =
      sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return done == SQLITE_BUSY || done == SQLITE_LOCKED || done == SQLITE_FULL ? SQLITE_OK : done;
}

void checkpoint_by_itself(SQLite::Database& database, bool on) {
  sqlite3_wal_hook(database.getHandle(), on ? bring_into_file : nullptr, nullptr);
}

// Why the last write to the log failed.
static int log_errno(SQLite::Database& database) {
  sqlite3_file* log = nullptr;
  int last = 0;
  if (sqlite3_file_control(database.getHandle(), nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log) !=
          SQLITE_OK ||
      log == nullptr || log->pMethods == nullptr)
    return 0;
  log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &last);
  return last;
}

bool is_full(SQLite::Database& database, const SQLite::Exception& what) {
  switch (what.getExtendedErrorCode()) {
    case SQLITE_FULL:
    case SQLITE_IOERR_SHMSIZE:  // the index of the log could not grow
      return true;
    case SQLITE_IOERR_WRITE:
      return log_errno(database) == EDQUOT;
    default:
      return false;
  }
}

Error explained(const std::string& path, const SQLite::Exception& what) {
  return sqlite_error(path, kStore, what);
}

Result<std::unique_ptr<SQLite::Database>> open_for_writing(const std::string& path,
                                                           Durability durability) {
  if (const auto store = looks_like_a_store(path); !store)
    return tl::make_unexpected(store.error());
  // It holds what users compute: for this user alone, unless it is made otherwise.
  if (const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd >= 0)
    ::close(fd);
  auto opened = open_sqlite_file(path, kStore);
  if (!opened) return opened;
  try {
    SQLite::Database* const database = opened->get();
    // What an earlier sync may have left in the page cache alone is written again, and flushed.
    database->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint_by_itself(*database, true);
    database->exec(
        fmt::format("PRAGMA journal_size_limit = {}", 4 * kCheckpointPages * kPageBytes));
    if (durability == Durability::kOs) database->exec("PRAGMA synchronous = NORMAL");
    return opened;
  } catch (const SQLite::Exception& what) {
    return tl::make_unexpected(explained(path, what));
  }
}

Result<std::unique_ptr<SQLite::Database>> open_for_reading(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return fail(ErrorCode::kSystem, path + ": there is no such file");
  if (const auto store = looks_like_a_store(path); !store)
    return tl::make_unexpected(store.error());
  try {
    return std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY, kSqliteBusyMs);
  } catch (const SQLite::Exception& what) {
    return tl::make_unexpected(explained(path, what));
  }
}

}  // namespace fanmill::broker::sqlite
