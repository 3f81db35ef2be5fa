#include "proto/sqlite_file.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace fanmill {
namespace {

Error damaged(const std::string& path, const SqliteFileKind& kind, const std::string& how) {
  return {ErrorCode::kMalformedInput,
          fmt::format("{}: {}; it was left as it is. {}", path, how,
                      fmt::format(fmt::runtime(kind.when_damaged), path))};
}

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

Error full(const std::string& path) {
  return {ErrorCode::kSystem, path + ": the disk is full; make room, then start again"};
}

const char* failed_at(int extended_code) {
  switch (extended_code) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
      return "to read";
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
      return "to sync";
    default:
      return "to write";
  }
}

bool holds_something(const std::string& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  return !ignored && size > 0;
}

void make_tables(SQLite::Database& database, const SqliteFileKind& kind) {
  if (database.execAndGet("PRAGMA application_id").getInt() != 0) return;
  // Both are for the first table to find.
  database.exec(fmt::format("PRAGMA page_size = {}", kind.page_bytes));
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  database.exec(kind.tables);
  database.exec(fmt::format("PRAGMA application_id = {}", kind.application_id));
  database.exec(fmt::format("PRAGMA user_version = {}", kind.schema_version));
  transaction.commit();
}

// One transaction: it is of the one version or of the other.
void convert(SQLite::Database& database, const SqliteFileKind& kind) {
  const std::uint32_t found = database.execAndGet("PRAGMA user_version").getUInt();
  if (found >= kind.schema_version) return;
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  for (std::uint32_t version = found; version < kind.schema_version; ++version)
    database.exec(kind.steps[version - 1]);
  database.exec(fmt::format("PRAGMA user_version = {}", kind.schema_version));
  transaction.commit();
  // The number is looked for in the file itself.
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace

// The offsets are those of https://www.sqlite.org/fileformat2.html#the_database_header; our tables
// and numbers are written before the file goes into WAL mode, so they are in the file itself.
Result<void> check_sqlite_file(const std::string& path, const SqliteFileKind& kind) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(ErrorCode::kUsage, fmt::format("{} is a directory. {}", path, kind.name_another));
  if (!std::filesystem::exists(path, ignored)) return {};
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kSystem, path + ": cannot be read; see its permissions");
  std::array<char, 100> bytes{};
  file.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<std::size_t>(file.gcount()));
  if (head.empty()) return {};
  constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  if (!head.starts_with(kMagic.substr(0, std::min(head.size(), kMagic.size()))))
    return fail(ErrorCode::kMalformedInput, fmt::format("{} is no {}; it was left as it is. {}",
                                                        path, kind.what, kind.name_another));
  if (head.size() < bytes.size())
    return tl::make_unexpected(damaged(path, kind, "the file is cut short"));
  // Who made the file died while doing so: SQLite takes that back.
  if (holds_something(path + "-journal")) return {};
  // So early that it has no table (the schema's cookie is 0): there is nothing of anybody in it.
  if (big_endian(head, 40) == 0 && big_endian(head, 68) == 0) return {};
  const std::uint32_t version = big_endian(head, 60);
  if (big_endian(head, 68) != kind.application_id)
    return fail(ErrorCode::kMalformedInput,
                fmt::format("{} is a SQLite file, but no {}; it was left as it is. {}", path,
                            kind.what, kind.name_another));
  if (version > kind.schema_version)
    return fail(ErrorCode::kMalformedInput,
                fmt::format("{} was written by a later fanmill (schema {}, this one knows {}); it "
                            "was left as it is. Use that fanmill. {}",
                            path, version, kind.schema_version, kind.name_another));
  // 1 stands for 65536. What is still in the log may make the file longer.
  const std::uint32_t written = big_endian(head, 16) >> 16;
  const std::uint64_t page = written == 1 ? 65536 : written;
  if (!holds_something(path + "-wal") &&
      std::filesystem::file_size(path, ignored) < page * big_endian(head, 28))
    return tl::make_unexpected(damaged(path, kind, "the file is cut short"));
  return {};
}

Result<std::unique_ptr<SQLite::Database>> open_sqlite_file(const std::string& path,
                                                           const SqliteFileKind& kind) {
  if (const auto ours = check_sqlite_file(path, kind); !ours)
    return tl::make_unexpected(ours.error());
  try {
    auto database = std::make_unique<SQLite::Database>(
        path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kSqliteBusyMs);
    make_tables(*database, kind);
    database->exec("PRAGMA journal_mode = WAL");
    database->exec("PRAGMA synchronous = FULL");
    convert(*database, kind);
    return database;
  } catch (const SQLite::Exception& what) {
    return tl::make_unexpected(sqlite_error(path, kind, what));
  }
}

Error sqlite_error(const std::string& path, const SqliteFileKind& kind,
                   const SQLite::Exception& what) {
  switch (what.getErrorCode()) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(path, kind,
                     fmt::format("the {} is damaged ({})", kind.what, what.getErrorStr()));
    case SQLITE_FULL:
      return full(path);
    case SQLITE_IOERR:
      if (what.getExtendedErrorCode() == SQLITE_IOERR_SHMSIZE) return full(path);
      return {ErrorCode::kSystem,
              fmt::format("{}: the disk failed {} ({}); see the system's log (dmesg), then start "
                          "again: what was acknowledged is there",
                          path, failed_at(what.getExtendedErrorCode()), what.getErrorStr())};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {ErrorCode::kSystem,
              fmt::format("{}: cannot be written ({}); see the permissions of the file and of its "
                          "directory. {}",
                          path, what.getErrorStr(), kind.name_another)};
    default:
      return {ErrorCode::kSystem,
              fmt::format("{}: {} ({})", path, what.what(), what.getErrorStr())};
  }
}

}  // namespace fanmill
