#include "broker/sqlite/store_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace fanmill::broker::sqlite {
namespace {

// Large pages: the blobs are large.
constexpr int kPageBytes = 16384;
constexpr int kCheckpointPages = 512;  // 8 MiB: a checkpoint then takes some 20 ms
constexpr int kBusyMs = 5000;

constexpr const char* kTables = R"(
CREATE TABLE life (epoch INTEGER PRIMARY KEY) STRICT;
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
)";

int number_of(SQLite::Database& database, const char* pragma) {
  return database.execAndGet(pragma).getInt();
}

Error damaged(const std::string& path, const std::string& how) {
  return {ErrorCode::kMalformedInput,
          fmt::format("{}: {}; it was left as it is. Look into it with: fanmill store verify {}",
                      path, how, path)};
}

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

bool holds_something(const std::string& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  return !ignored && size > 0;
}

}  // namespace

// The file's header, read without SQLite, which would change what it opens. The offsets are those
// of https://www.sqlite.org/fileformat2.html#the_database_header; our tables and numbers were
// written before the file went into WAL mode, so they are in the file itself.
Result<void> looks_like_a_store(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(ErrorCode::kUsage, path + " is a directory: name a file in it with --store FILE");
  if (!std::filesystem::exists(path, ignored)) return {};
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kSystem, path + ": cannot be read; see its permissions");
  std::array<char, 100> bytes{};
  file.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<std::size_t>(file.gcount()));
  if (head.empty()) return {};
  constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  if (!head.starts_with(kMagic.substr(0, std::min(head.size(), kMagic.size()))))
    return fail(ErrorCode::kMalformedInput,
                path +
                    " is no store of a broker; it was left as it is. Name another file with "
                    "--store FILE");
  if (head.size() < bytes.size())
    return tl::make_unexpected(damaged(path, "the file is cut short"));
  // A broker that died while it made the file: SQLite takes that back.
  if (holds_something(path + "-journal")) return {};
  const std::uint32_t version = big_endian(head, 60);
  if (big_endian(head, 68) != kApplicationId)
    return fail(ErrorCode::kMalformedInput,
                path +
                    " is the SQLite file of another program; it was left as it is. Name another "
                    "file with --store FILE");
  if (version > kSchemaVersion)
    return fail(ErrorCode::kMalformedInput,
                fmt::format("{} was written by a later fanmill (schema {}, this one knows {}); it "
                            "was left as it is. Use that fanmill, or name another file with "
                            "--store FILE",
                            path, version, kSchemaVersion));
  // 1 stands for 65536. What is still in the log may make the file longer.
  const std::uint32_t written = big_endian(head, 16) >> 16;
  const std::uint64_t page = written == 1 ? 65536 : written;
  if (!holds_something(path + "-wal") &&
      std::filesystem::file_size(path, ignored) < page * big_endian(head, 28))
    return tl::make_unexpected(damaged(path, "the file is cut short"));
  return {};
}

namespace {

void make_tables(SQLite::Database& database) {
  if (number_of(database, "PRAGMA application_id") != 0) return;
  // Both are for the first table to find.
  database.exec(fmt::format("PRAGMA page_size = {}", kPageBytes));
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  database.exec(kTables);
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  transaction.commit();
}

}  // namespace

void checkpoint_by_itself(SQLite::Database& database, bool on) {
  database.exec(fmt::format("PRAGMA wal_autocheckpoint = {}", on ? kCheckpointPages : 0));
}

bool is_full(const SQLite::Exception& what) { return what.getErrorCode() == SQLITE_FULL; }

Error explained(const std::string& path, const SQLite::Exception& what) {
  switch (what.getErrorCode()) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(path, std::string("the store is damaged (") + what.getErrorStr() + ")");
    case SQLITE_FULL:
      return {ErrorCode::kSystem, path + ": the disk is full; make room, then start again"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {ErrorCode::kSystem,
              fmt::format("{}: cannot be written ({}); see the permissions of the file and of its "
                          "directory, or name another with --store FILE",
                          path, what.getErrorStr())};
    default:
      return {ErrorCode::kSystem,
              fmt::format("{}: {} ({})", path, what.what(), what.getErrorStr())};
  }
}

Result<std::unique_ptr<SQLite::Database>> open_for_writing(const std::string& path,
                                                           Durability durability) {
  if (const auto store = looks_like_a_store(path); !store)
    return tl::make_unexpected(store.error());
  // It holds what users compute: for this user alone, unless it is made otherwise.
  if (const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd >= 0)
    ::close(fd);
  try {
    auto database = std::make_unique<SQLite::Database>(
        path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMs);
    make_tables(*database);
    database->exec("PRAGMA journal_mode = WAL");
    database->exec("PRAGMA synchronous = FULL");
    // What an earlier sync may have left in the page cache alone is written again, and flushed.
    database->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint_by_itself(*database, true);
    database->exec(
        fmt::format("PRAGMA journal_size_limit = {}", 4 * kCheckpointPages * kPageBytes));
    if (durability == Durability::kOs) database->exec("PRAGMA synchronous = NORMAL");
    return database;
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
    return std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY, kBusyMs);
  } catch (const SQLite::Exception& what) {
    return tl::make_unexpected(explained(path, what));
  }
}

}  // namespace fanmill::broker::sqlite
