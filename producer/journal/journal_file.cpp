#include "producer/journal/journal_file.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <bit>
#include <utility>

#include "producer/fd.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/sqlite_file.hpp"

namespace fanmill::producer {
namespace {

constexpr SqliteFileKind kKind{
    .application_id = 0x464d4a4c,  // "FMJL"
    .schema_version = 1,
    .tables = R"(
CREATE TABLE run (function TEXT NOT NULL, digest BLOB NOT NULL, signature TEXT NOT NULL,
                  plugins TEXT NOT NULL) STRICT;
CREATE TABLE tuple (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, hashes BLOB NOT NULL,
                    sum INTEGER NOT NULL) STRICT;
CREATE TABLE row (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, outcome INTEGER NOT NULL,
                  head BLOB NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE output (path TEXT NOT NULL, form TEXT NOT NULL, tasks INTEGER NOT NULL,
                     bytes INTEGER NOT NULL, layout BLOB NOT NULL) STRICT;
)",
    .steps = {},
    .page_bytes = 16384,
    .what = "journal of fanmill",
    .name_another = "Name another file with --journal FILE",
    .when_damaged = "Begin again with another file (--journal FILE)",
};

constexpr std::uint64_t kHashesPerRow = 8192;

std::int64_t signed_of(std::uint64_t number) { return std::bit_cast<std::int64_t>(number); }
std::uint64_t unsigned_of(std::int64_t number) { return std::bit_cast<std::uint64_t>(number); }
std::uint64_t number_in(SQLite::Column column) { return unsigned_of(column.getInt64()); }
std::string_view bytes_in(const SQLite::Column& column) {
  const auto size = static_cast<std::size_t>(column.getBytes());
  return size == 0 ? std::string_view()
                   : std::string_view(static_cast<const char*>(column.getBlob()), size);
}
void bind_bytes(SQLite::Statement& statement, int at, std::string_view bytes) {
  statement.bindNoCopy(at, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

struct JournalFile::State {
  // A statement that is made once, at its first use.
  class Prepared {
   public:
    explicit Prepared(const char* sql) : sql_(sql) {}
    SQLite::Statement& in(SQLite::Database& database) {
      if (!statement_) statement_.emplace(database, sql_);
      statement_->reset();
      return *statement_;
    }
    void reset() {
      if (statement_) statement_->reset();
    }

   private:
    const char* const sql_;
    std::optional<SQLite::Statement> statement_;
  };

  std::string path;
  JournalLevel level{};
  Fd lock{-1};
  std::unique_ptr<SQLite::Database> database;
  std::optional<Error> failed;
  bool in_transaction = false;
  std::uint64_t uncommitted = 0;

  std::uint64_t stored = 0;  // positions in the file
  std::string added;         // hashes of those behind them

  std::uint64_t block_first = 0;  // the hashes that were read last
  std::string block;

  Prepared add_tuples{"INSERT INTO tuple VALUES (?, ?, ?, ?)"};
  Prepared tuples_at{
      "SELECT first, count, hashes, sum FROM tuple WHERE first <= ? "
      "ORDER BY first DESC LIMIT 1"};
  Prepared add_row{"INSERT INTO row VALUES (?, ?, ?, ?, ?, ?)"};
  Prepared row_before{
      "SELECT first, count, outcome FROM row WHERE first <= ? "
      "ORDER BY first DESC LIMIT 1"};
  Prepared row_after{"SELECT first FROM row WHERE first >= ? ORDER BY first LIMIT 1"};
  Prepared row_bytes{"SELECT head, bytes, sum FROM row WHERE first = ?"};
  Prepared take_one{"DELETE FROM temp.known WHERE high = ? AND low = ? AND position = ?"};
  Prepared least{
      "SELECT position FROM temp.known WHERE high = ? AND low = ? "
      "ORDER BY position LIMIT 1"};

  Error damaged(const std::string& what) const {
    return {ErrorCode::kMalformedInput,
            fmt::format("{}: {}; it was left as it is. {}", path, what, kKind.when_damaged)};
  }

  // SQLite throws; nobody else is to notice. What it threw for took the open transaction back, and
  // rows that came after it would be of tuples that are not there: nothing is written any more.
  template <class Body>
  auto guarded(Body&& body) -> decltype(body()) {
    if (failed) return tl::make_unexpected(*failed);
    try {
      return body();
    } catch (const SQLite::Exception& what) {
      failed = sqlite_error(path, kKind, what);
      database->tryExec("ROLLBACK");  // in case SQLite has not
      return tl::make_unexpected(*failed);
    }
  }

  void begin_writing(std::uint64_t bytes) {
    if (!in_transaction) database->exec("BEGIN IMMEDIATE");
    in_transaction = true;
    uncommitted += bytes;
  }

  void store_tuples() {
    std::size_t at = 0;
    while (at < added.size()) {
      const std::string_view hashes =
          std::string_view(added).substr(at, kHashesPerRow * kTupleHashBytes);
      const std::uint64_t count = hashes.size() / kTupleHashBytes;
      begin_writing(hashes.size());
      SQLite::Statement& statement = add_tuples.in(*database);
      statement.bind(1, signed_of(stored));
      statement.bind(2, signed_of(count));
      bind_bytes(statement, 3, hashes);
      statement.bind(4, checksum_of(stored, {}, hashes));
      statement.exec();
      stored += count;
      at += hashes.size();
    }
    added.clear();
  }

  Result<void> load_block(std::uint64_t position) {
    SQLite::Statement& statement = tuples_at.in(*database);
    statement.bind(1, signed_of(position));
    if (!statement.executeStep()) return tl::make_unexpected(damaged("tuples are missing"));
    block_first = number_in(statement.getColumn(0));
    const std::uint64_t count = number_in(statement.getColumn(1));
    const std::string_view hashes = bytes_in(statement.getColumn(2));
    if (hashes.size() != count * kTupleHashBytes || position - block_first >= count ||
        statement.getColumn(3).getInt64() != checksum_of(block_first, {}, hashes)) {
      return tl::make_unexpected(
          damaged(fmt::format("the checksum of tuple {} is wrong", block_first)));
    }
    block = hashes;
    statement.reset();
    return {};
  }
};

JournalFile::JournalFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
JournalFile::JournalFile(JournalFile&&) noexcept = default;
JournalFile& JournalFile::operator=(JournalFile&&) noexcept = default;
JournalFile::~JournalFile() = default;

const std::string& JournalFile::path() const { return state_->path; }
JournalLevel JournalFile::level() const { return state_->level; }
std::uint64_t JournalFile::positions() const {
  return state_->stored + state_->added.size() / kTupleHashBytes;
}
std::uint64_t JournalFile::uncommitted_bytes() const {
  return state_->uncommitted + state_->added.size();
}

Result<JournalFile> JournalFile::open(const std::string& path, JournalLevel level) {
  if (const auto ours = check_sqlite_file(path, kKind); !ours)
    return tl::make_unexpected(ours.error());
  auto state = std::make_unique<State>();
  state->path = path;
  state->level = level;
  // SQLite's own locks are let go between transactions; this one stays.
  state->lock = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (state->lock.get() < 0) {
    return fail(ErrorCode::kSystem, fmt::format("{}: cannot be written ({}). {}", path,
                                                strerror(errno), kKind.name_another));
  }
  if (flock(state->lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUsage,
                fmt::format("{} is in use by another run. {}", path, kKind.name_another));
  }
  auto database = open_sqlite_file(path, kKind);
  if (!database) return tl::make_unexpected(database.error());
  state->database = std::move(*database);
  State& in = *state;
  const auto ready = in.guarded([&]() -> Result<void> {
    if (level == JournalLevel::kOs) in.database->exec("PRAGMA synchronous = NORMAL");
    in.database->exec("PRAGMA temp_store = FILE");
    SQLite::Statement last(*in.database,
                           "SELECT first + count FROM tuple ORDER BY first DESC LIMIT 1");
    if (last.executeStep()) in.stored = number_in(last.getColumn(0));
    return {};
  });
  if (!ready) return tl::make_unexpected(ready.error());
  return JournalFile(std::move(state));
}

Result<std::optional<JournalRun>> JournalFile::run() const {
  State& in = *state_;
  return in.guarded([&]() -> Result<std::optional<JournalRun>> {
    SQLite::Statement statement(*in.database,
                                "SELECT function, digest, signature, plugins FROM run");
    if (!statement.executeStep()) return std::optional<JournalRun>();
    const std::string_view digest = bytes_in(statement.getColumn(1));
    if (digest.size() != kTupleHashBytes)
      return tl::make_unexpected(in.damaged("its head is damaged"));
    return JournalRun{statement.getColumn(0).getString(), read_hash(digest),
                      statement.getColumn(2).getString(), statement.getColumn(3).getString()};
  });
}

Result<void> JournalFile::set_run(const JournalRun& run) {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    in.begin_writing(run.function.size());
    in.database->exec("DELETE FROM run");
    SQLite::Statement statement(*in.database, "INSERT INTO run VALUES (?, ?, ?, ?)");
    std::string digest;
    append_hash(digest, run.digest);
    statement.bind(1, run.function);
    bind_bytes(statement, 2, digest);
    statement.bind(3, run.signature);
    statement.bind(4, run.plugins);
    statement.exec();
    return {};
  });
}

std::uint64_t JournalFile::add(const TupleHash& hash) {
  const std::uint64_t position = positions();
  append_hash(state_->added, hash);
  return position;
}

Result<TupleHash> JournalFile::hash_at(std::uint64_t position) const {
  State& in = *state_;
  if (position >= in.stored) {
    return read_hash(std::string_view(in.added).substr((position - in.stored) * kTupleHashBytes));
  }
  const bool at_hand =
      position >= in.block_first && position - in.block_first < in.block.size() / kTupleHashBytes;
  if (!at_hand) {
    if (auto loaded = in.guarded([&] { return in.load_block(position); }); !loaded)
      return tl::make_unexpected(loaded.error());
  }
  return read_hash(
      std::string_view(in.block).substr((position - in.block_first) * kTupleHashBytes));
}

Result<void> JournalFile::put(const Rows& rows, std::string_view blob) {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    std::string head;
    encode(head, {}, ToProducer{rows});
    in.begin_writing(head.size() + blob.size());
    SQLite::Statement& statement = in.add_row.in(*in.database);
    const std::uint64_t first = rows.first.value;
    statement.bind(1, signed_of(first));
    statement.bind(2, signed_of(rows.count));
    statement.bind(3, static_cast<int>(rows.outcome));
    bind_bytes(statement, 4, head);
    bind_bytes(statement, 5, blob);
    statement.bind(6, checksum_of(first, head, blob));
    statement.exec();
    return {};
  });
}

Result<std::optional<JournalFile::Stretch>> JournalFile::find(std::uint64_t position) const {
  State& in = *state_;
  return in.guarded([&]() -> Result<std::optional<Stretch>> {
    SQLite::Statement& statement = in.row_before.in(*in.database);
    statement.bind(1, signed_of(position));
    if (!statement.executeStep()) return std::optional<Stretch>();
    const Stretch stretch{number_in(statement.getColumn(0)), number_in(statement.getColumn(1)),
                          static_cast<Outcome>(statement.getColumn(2).getInt())};
    statement.reset();
    if (position >= stretch.end()) return std::optional<Stretch>();
    return stretch;
  });
}

Result<std::optional<std::uint64_t>> JournalFile::next_recorded(std::uint64_t position) const {
  const auto here = find(position);
  if (!here) return tl::make_unexpected(here.error());
  if (*here) return position;
  State& in = *state_;
  return in.guarded([&]() -> Result<std::optional<std::uint64_t>> {
    SQLite::Statement& statement = in.row_after.in(*in.database);
    statement.bind(1, signed_of(position));
    std::optional<std::uint64_t> next;
    if (statement.executeStep()) next = number_in(statement.getColumn(0));
    statement.reset();
    return next;
  });
}

Result<RowsArrived> JournalFile::read(std::uint64_t first) const {
  State& in = *state_;
  return in.guarded([&]() -> Result<RowsArrived> {
    SQLite::Statement& statement = in.row_bytes.in(*in.database);
    statement.bind(1, signed_of(first));
    const auto wrong = [&] {
      return tl::make_unexpected(
          in.damaged(fmt::format("the checksum of the results from {} on is wrong", first)));
    };
    if (!statement.executeStep()) return wrong();
    const std::string_view head = bytes_in(statement.getColumn(0));
    const std::string_view bytes = bytes_in(statement.getColumn(1));
    if (statement.getColumn(2).getInt64() != checksum_of(first, head, bytes)) return wrong();
    auto envelope = decode_to_producer(head);
    if (!envelope || !std::holds_alternative<Rows>(envelope->message)) return wrong();
    RowsArrived arrived{{}, std::get<Rows>(std::move(envelope->message)), Blob::copy_of(bytes)};
    statement.reset();
    return arrived;
  });
}

Result<void> JournalFile::verify() const {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    std::uint64_t position = 0;
    for (; position < in.stored; position = in.block_first + in.block.size() / kTupleHashBytes) {
      if (auto loaded = in.load_block(position); !loaded) return loaded;
    }
    std::uint64_t end = 0;
    SQLite::Statement rows(*in.database, "SELECT first, count FROM row ORDER BY first");
    while (rows.executeStep()) {
      const std::uint64_t first = number_in(rows.getColumn(0));
      const auto read_rows = read(first);
      if (!read_rows) return tl::make_unexpected(read_rows.error());
      const std::uint64_t count = number_in(rows.getColumn(1));
      if (first < end || first > in.stored || count != read_rows->rows.count ||
          count > in.stored - first)
        return tl::make_unexpected(
            in.damaged(fmt::format("results from {} on are of no tuple", first)));
      end = first + count;
    }
    return {};
  });
}

Result<void> JournalFile::drop_failures() {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    in.begin_writing(1);
    in.database->exec(
        fmt::format("DELETE FROM row WHERE outcome != {}", static_cast<int>(Outcome::kSucceeded)));
    return {};
  });
}

Result<std::optional<JournalOutput>> JournalFile::output() const {
  State& in = *state_;
  return in.guarded([&]() -> Result<std::optional<JournalOutput>> {
    SQLite::Statement statement(*in.database,
                                "SELECT path, form, tasks, bytes, layout FROM output");
    if (!statement.executeStep()) return std::optional<JournalOutput>();
    return JournalOutput{statement.getColumn(0).getString(), statement.getColumn(1).getString(),
                         number_in(statement.getColumn(2)), number_in(statement.getColumn(3)),
                         std::string(bytes_in(statement.getColumn(4)))};
  });
}

Result<void> JournalFile::set_output(const std::optional<JournalOutput>& output) {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    in.begin_writing(1);
    in.database->exec("DELETE FROM output");
    if (!output) return {};
    SQLite::Statement statement(*in.database, "INSERT INTO output VALUES (?, ?, ?, ?, ?)");
    statement.bind(1, output->path);
    statement.bind(2, output->form);
    statement.bind(3, signed_of(output->tasks));
    statement.bind(4, signed_of(output->bytes));
    bind_bytes(statement, 5, output->layout);
    statement.exec();
    return {};
  });
}

Result<void> JournalFile::commit() {
  State& in = *state_;
  return in.guarded([&]() -> Result<void> {
    in.store_tuples();
    if (!in.in_transaction) return {};
    in.database->exec("COMMIT");
    in.in_transaction = false;
    in.uncommitted = 0;
    return {};
  });
}

Result<void> JournalFile::index_from(std::uint64_t first) {
  State& in = *state_;
  if (auto safe = commit(); !safe) return safe;  // all hashes are in rows
  return in.guarded([&]() -> Result<void> {
    in.database->exec("DROP TABLE IF EXISTS temp.known");
    in.database->exec("CREATE TEMP TABLE known (high INTEGER, low INTEGER, position INTEGER)");
    in.database->exec("PRAGMA temp.cache_size = -65536");  // 64 MiB, then the disk
    in.database->exec("BEGIN");
    {
      SQLite::Statement insert(*in.database, "INSERT INTO temp.known VALUES (?, ?, ?)");
      for (std::uint64_t position = first; position < in.stored; ++position) {
        const auto hash = hash_at(position);
        if (!hash) {
          in.database->exec("ROLLBACK");
          return tl::make_unexpected(hash.error());
        }
        insert.bind(1, signed_of(hash->high));
        insert.bind(2, signed_of(hash->low));
        insert.bind(3, signed_of(position));
        insert.exec();
        insert.reset();
      }
    }
    in.database->exec("CREATE INDEX temp.by_hash ON known (high, low, position)");
    in.database->exec("COMMIT");
    return {};
  });
}

Result<std::optional<std::uint64_t>> JournalFile::take_indexed(const TupleHash& hash,
                                                               std::uint64_t preferred) {
  State& in = *state_;
  return in.guarded([&]() -> Result<std::optional<std::uint64_t>> {
    in.begin_writing(0);  // one transaction for many
    const auto take = [&](std::uint64_t position) {
      SQLite::Statement& statement = in.take_one.in(*in.database);
      statement.bind(1, signed_of(hash.high));
      statement.bind(2, signed_of(hash.low));
      statement.bind(3, signed_of(position));
      return statement.exec() == 1;
    };
    if (take(preferred)) return std::optional(preferred);
    SQLite::Statement& statement = in.least.in(*in.database);
    statement.bind(1, signed_of(hash.high));
    statement.bind(2, signed_of(hash.low));
    if (!statement.executeStep()) return std::optional<std::uint64_t>();
    const std::uint64_t position = number_in(statement.getColumn(0));
    statement.reset();
    take(position);
    return std::optional(position);
  });
}

}  // namespace fanmill::producer
