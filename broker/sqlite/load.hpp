// What a store file knows, read into memory: everything but the blobs.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <unordered_map>

#include "broker/core/recovered.hpp"
#include "broker/sqlite/rows.hpp"
#include "proto/error.hpp"

namespace fanmill::broker::sqlite {

struct Loaded {
  Recovered recovered;
  std::unordered_map<JobId, JobState> states;
};

// Refused (kMalformedInput) where a row is not what was written: table, job and number are named.
// Throws SQLite::Exception.
Result<Loaded> load(SQLite::Database& database);

}  // namespace fanmill::broker::sqlite
