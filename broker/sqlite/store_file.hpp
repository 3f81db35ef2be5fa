// A store file: one SQLite database in WAL mode. Opens, makes and checks it, and says in words what
// is wrong with one.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "proto/error.hpp"

namespace fanmill::broker::sqlite {

enum class Durability : std::uint8_t {
  kOs,    // survives the death of every process; after a power cut the last commits may be missing
  kSync,  // every commit is flushed to the disk
};

// Raised with every change of the tables; proto/PROTOCOL.md's rules for fields hold for the rows.
// Every released version opens for ever: an older file is converted when it is opened.
inline constexpr std::uint32_t kSchemaVersion = 1;
// "FMIL", at a fixed place of the file: what file(1) and a broker tell a store by.
inline constexpr std::uint32_t kApplicationId = 0x464d494c;

// Refused as below, without touching anything: a file that is there and is no store.
Result<void> looks_like_a_store(const std::string& path);

// Makes the file where there is none. Refused: a directory that is not there (kSystem), a file that
// is no store, or of a later version, or damaged (kMalformedInput), one that cannot be written.
// The file is left as it was.
Result<std::unique_ptr<SQLite::Database>> open_for_writing(const std::string& path,
                                                           Durability durability);
// A second connection, of a thread that only reads.
Result<std::unique_ptr<SQLite::Database>> open_for_reading(const std::string& path);

// Whether commits bring the log into the file now and then, which takes space of its own. A commit
// throws for a write or sync that fails there, too.
void checkpoint_by_itself(SQLite::Database& database, bool on);

// "PATH: what SQLite says: what to do."
Error explained(const std::string& path, const SQLite::Exception& what);
// The disk, or a quota: that is why this connection has just thrown. What it was about to write is
// taken back, and may be tried again.
bool is_full(SQLite::Database& database, const SQLite::Exception& what);

}  // namespace fanmill::broker::sqlite
