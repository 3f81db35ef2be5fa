#include "broker/sqlite/verify.hpp"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "broker/core/core.hpp"
#include "broker/sqlite/load.hpp"
#include "broker/sqlite/store_file.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker::sqlite {
namespace {

constexpr std::size_t kTroublesMax = 20;

void trouble(Verified& found, std::string what) {
  if (found.troubles.size() < kTroublesMax) found.troubles.push_back(std::move(what));
}

void check_pages(SQLite::Database& database, Verified& found) {
  SQLite::Statement check(database, "PRAGMA integrity_check(20)");
  while (check.executeStep())
    if (const std::string line = check.getColumn(0).getString(); line != "ok") trouble(found, line);
}

void check_blobs(SQLite::Database& database, const char* name, const char* query, Verified& found) {
  SQLite::Statement row(database, query);
  while (row.executeStep()) {
    if (row.isColumnNull(3)) continue;
    const JobId job{std::bit_cast<std::uint64_t>(row.getColumn(0).getInt64())};
    const auto number = std::bit_cast<std::uint64_t>(row.getColumn(1).getInt64());
    const SQLite::Column cell = row.getColumn(3);
    const std::string_view bytes{static_cast<const char*>(cell.getBlob()),
                                 static_cast<std::size_t>(cell.getBytes())};
    ++found.blobs;
    found.bytes += bytes.size();
    if (row.getColumn(2).getInt64() != blob_checksum(job, number, bytes))
      trouble(found, fmt::format("{} {} of job {}: the checksum of its bytes is wrong", name,
                                 number, to_text(job)));
  }
}

void check_jobs(SQLite::Database& database, Verified& found) {
  auto loaded = load(database);
  if (!loaded) {
    trouble(found, loaded.error().message);
    return;
  }
  for (const RecoveredJob& job : loaded->recovered.jobs) {
    ++found.jobs;
    found.tasks += job.next_index;
    found.records += job.records.size();
    for (const RecoveredRecord& record : job.records)
      for (const IndexRange& range : job.valid_now(record.put)) found.recorded += range.count;
  }
  // Gaps and duplicates are what the broker itself would stumble over.
  CoreConfig config;
  config.life.epoch = ~std::uint32_t{0};
  Core core(std::move(config));
  const auto restored = core.restore(std::move(loaded->recovered), MonoTime{});
  if (!restored) trouble(found, restored.error().message);
}

}  // namespace

Result<Verified> verify(const std::string& path) {
  auto database = open_for_reading(path);
  if (!database) return tl::make_unexpected(std::move(database.error()));
  Verified found;
  try {
    check_pages(**database, found);
    check_jobs(**database, found);
    check_blobs(**database, "chunk", "SELECT job, first, sum, bytes FROM chunk", found);
    check_blobs(**database, "record", "SELECT job, number, sum, bytes FROM record", found);
  } catch (const SQLite::Exception& what) {
    trouble(found, std::string("it cannot be read any further: ") + what.getErrorStr());
  }
  return found;
}

}  // namespace fanmill::broker::sqlite
