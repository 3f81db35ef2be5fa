// A SQLite file of ours: looked at before it is opened, so that what is none, or of a later
// fanmill, or cut short, is refused and left as it was.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "proto/error.hpp"

namespace fanmill {

struct SqliteFileKind {
  std::uint32_t application_id;  // in the file's header, so that file(1) and others may know it
  std::uint32_t schema_version;
  const char* tables;  // SQL that makes them
  // SQL that makes version i + 2 of version i + 1.
  std::span<const char* const> steps;
  int page_bytes;
  const char* what;          // "store of a broker"
  const char* name_another;  // what to do instead: "Name another file with --store FILE"
  const char* when_damaged;  // what to do then; {} in it is the file
};

// How long who opens one waits for another's transaction.
inline constexpr int kSqliteBusyMs = 5000;

// By its header, read without SQLite, which would change what it opens. A file that does not exist
// or is empty is fine. kUsage: a directory; kMalformedInput: no such file of ours; kSystem.
Result<void> check_sqlite_file(const std::string& path, const SqliteFileKind& kind);

// Opens it for writing, makes the tables if it has none, and converts an earlier version; in WAL
// mode, at synchronous = FULL.
Result<std::unique_ptr<SQLite::Database>> open_sqlite_file(const std::string& path,
                                                           const SqliteFileKind& kind);

// What SQLite threw, as a message that names the file and says what to do.
Error sqlite_error(const std::string& path, const SqliteFileKind& kind,
                   const SQLite::Exception& what);

}  // namespace fanmill
