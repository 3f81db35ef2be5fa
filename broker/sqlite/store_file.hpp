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

// Every released version opens for ever. To change what a store holds:
//  1. A field for a row of msgpack (rows.hpp): append it; its default must mean what its absence
//     meant. Never reorder, remove or retype one. No version changes, but a fixture (4) is made.
//  2. Anything else (tables, columns, what a field means): raise kSchemaVersion, and convert older
//     files when they are opened for writing, by a step in store_file.cpp.
//     Who only reads (verify) reads every version.
//  3. Say so in CHANGELOG.md: a later store is refused by an earlier fanmill.
//  4. tests/data/make_store_fixtures.py makes a file of the current version; those of released
//     versions are never made again, and test_old_files.py goes on with each of them.
inline constexpr std::uint32_t kSchemaVersion = 3;
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
