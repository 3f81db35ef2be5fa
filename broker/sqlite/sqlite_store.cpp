#include "broker/sqlite/sqlite_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "broker/sqlite/blob_cache.hpp"
#include "broker/sqlite/load.hpp"
#include "broker/sqlite/reserve.hpp"
#include "broker/sqlite/writer.hpp"
#include "proto/job_id.hpp"
#include "proto/log.hpp"

namespace fanmill::broker {
namespace {

using namespace std::chrono_literals;

// One commit holds at most so much: a reader of progress should not wait for gigabytes.
constexpr std::uint64_t kGroupBytesMax = 16U << 20;
// What waits meanwhile waits so long.
constexpr auto kTidyBetweenGroups = 5ms;
constexpr auto kTidyAtRest = 10ms;
constexpr auto kTryFullDiskAgain = 200ms;
constexpr auto kTakeReserveAgain = 1s;
// Epochs leave gaps of chance: ids of jobs begin with them, and what a copy of an older store that
// is put in its place gives out should not be what people noted of the jobs that followed
// meanwhile.
constexpr std::uint64_t kEpochGap = 1U << 14;
constexpr std::uint64_t kGapsUntil = 1U << 31;  // then none: epochs are of 32 bits
// To bring the log into the file and begin a life.
constexpr std::uint64_t kRoomToBegin = 1U << 20;

std::uint64_t bytes_of(const StoreWrite& write) {
  if (const auto* chunk = std::get_if<PutChunk>(&write)) return chunk->bytes.size();
  if (const auto* record = std::get_if<PutRecord>(&write)) return record->bytes.size();
  return 0;
}

// Held for the life of the broker; the kernel lets go of it when the process ends, however it does.
class StoreLock {
 public:
  static Result<StoreLock> take(const std::string& store) {
    const std::string path = store + ".lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
      return fail(ErrorCode::kSystem,
                  fmt::format("{}: cannot be made ({}); see the permissions of the directory, or "
                              "name another file with --store FILE",
                              path, std::strerror(errno)));
    StoreLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
      return fail(ErrorCode::kConflict,
                  store +
                      " belongs to a broker that runs: use that one, or name another file with "
                      "--store FILE");
    return lock;
  }
  StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_;
};

Life begin_life(SQLite::Database& database, const std::vector<Life>& lives, std::uint64_t random) {
  const std::uint64_t last = lives.empty() ? 0 : lives.back().epoch;
  const std::uint64_t epoch = last + 1 + (last < kGapsUntil ? random % kEpochGap : 0);
  const Life life{static_cast<std::uint32_t>(epoch),
                  static_cast<std::uint32_t>(random >> kLeaseBits)};
  SQLite::Statement put(database, "INSERT INTO life (epoch, incarnation) VALUES (?, ?)");
  put.bind(1, life.epoch);
  put.bind(2, life.incarnation);
  put.exec();
  return life;
}

}  // namespace

struct SqliteStore::State {
  State(StoreLock held, const SqliteStoreOptions& given,
        std::unique_ptr<SQLite::Database> for_writing,
        std::unique_ptr<SQLite::Database> for_reading, sqlite::Loaded loaded)
      : lock(std::move(held)),
        options(given),
        written_file(std::move(for_writing)),
        read_file(std::move(for_reading)),
        recovered(std::move(loaded.recovered)),
        writer(*written_file, std::move(loaded.states)),
        reserve(given.path + ".reserve", static_cast<std::size_t>(given.reserve_bytes)),
        read_chunk(*read_file, "SELECT sum, bytes FROM chunk WHERE job = ? AND first = ?"),
        read_record(*read_file, "SELECT sum, bytes FROM record WHERE job = ? AND number = ?"),
        cache(given.cache_bytes),
        event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~State() {
    if (thread.joinable()) {
      {
        const std::lock_guard guard(mutex);
        stopping = true;
      }
      work.notify_one();
      thread.join();
    }
    ::close(event);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // ---- the writing thread ----
  void run() {
    try {
      while (step()) {
      }
    } catch (const SQLite::Exception& what) {
      give_up(sqlite::explained(options.path, what));
    }
  }

  // Commits the next group, or does some tidying while there is none.
  bool step() {
    std::vector<StoreWrite> group = next_group();
    if (group.empty()) return tidy_or_wait();
    while (!committed(group)) {
      std::unique_lock guard(mutex);
      work.wait_for(guard, kTryFullDiskAgain, [this] { return stopping; });
      if (stopping) {
        guard.unlock();
        give_up({ErrorCode::kSystem, options.path + ": the disk was full until the end"});
        return false;
      }
    }
    durable.fetch_add(group.size(), std::memory_order_release);
    tell();
    look_for_room();
    tidy(kTidyBetweenGroups);
    return true;
  }

  std::vector<StoreWrite> next_group() {
    const std::lock_guard guard(mutex);
    std::vector<StoreWrite> group;
    std::uint64_t bytes = 0;
    while (taken < waiting.size() && bytes < kGroupBytesMax) {
      for (StoreWrite& write : waiting[taken]) {
        bytes += bytes_of(write);
        group.push_back(std::move(write));
      }
      ++taken;
    }
    if (taken == waiting.size()) {
      waiting.clear();
      taken = 0;
    }
    return group;
  }

  // False: there is no room; nothing of the group is there.
  bool committed(const std::vector<StoreWrite>& group) {
    try {
      writer.commit(group);
    } catch (const SQLite::Exception& what) {
      if (!sqlite::is_full(*written_file, what)) throw;
      no_room();
      return false;
    }
    return true;
  }

  void no_room() {
    if (!is_full.exchange(true)) {
      log().error("{}: the disk is full; no more tuples are taken until there is room",
                  options.path);
      tell();
      // The reserve is for the log: a checkpoint would take it for the file's growth.
      sqlite::checkpoint_by_itself(*written_file, false);
    }
    reserve.give_up();
  }

  // There is room once the reserve can be taken again.
  void look_for_room() {
    if (reserve.taken()) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < take_reserve_at) return;
    take_reserve_at = now + kTakeReserveAgain;
    if (!reserve.take() || !is_full.exchange(false)) return;
    sqlite::checkpoint_by_itself(*written_file, true);
    log().info("{}: there is room again", options.path);
    tell();
  }

  // As Writer::tidy, which can wait for room.
  bool tidy(std::chrono::milliseconds time) {
    if (is_full) return false;
    try {
      return writer.tidy(time);
    } catch (const SQLite::Exception& what) {
      if (!sqlite::is_full(*written_file, what)) throw;
      no_room();
      return false;
    }
  }

  bool tidy_or_wait() {
    look_for_room();
    const bool more = tidy(kTidyAtRest);
    std::unique_lock guard(mutex);
    const auto wanted = [this] { return stopping || !waiting.empty(); };
    if (!more) {
      if (reserve.taken()) {
        work.wait(guard, wanted);
      } else {
        work.wait_for(guard, kTakeReserveAgain, wanted);
      }
    }
    return !stopping || !waiting.empty();
  }

  void tell() const {
    const std::uint64_t one = 1;
    (void)!::write(event, &one, sizeof one);  // a counter that is not read cannot overflow
  }

  void give_up(Error error) {
    {
      const std::lock_guard guard(mutex);
      if (!failed) failed = std::move(error);
    }
    tell();
  }

  // ---- the loop's thread ----
  std::optional<Blob> fetch(SQLite::Statement& statement, const sqlite::BlobCache::Key& key) {
    if (auto cached = cache.find(key)) return cached;
    try {
      statement.reset();
      statement.bind(1, std::bit_cast<std::int64_t>(key.job.value));
      statement.bind(2, std::bit_cast<std::int64_t>(key.number));
      if (!statement.executeStep() || statement.isColumnNull(1)) {
        statement.reset();  // an open one would keep the log from being brought into the file
        return std::nullopt;
      }
      const SQLite::Column cell = statement.getColumn(1);
      const Blob blob = Blob::copy_of(
          {static_cast<const char*>(cell.getBlob()), static_cast<std::size_t>(cell.getBytes())});
      const bool right = statement.getColumn(0).getInt64() ==
                         sqlite::blob_checksum(key.job, key.number, blob.view());
      statement.reset();
      if (!right) {
        give_up({ErrorCode::kMalformedInput,
                 fmt::format("{}: {} {} of job {} is not what was written (its checksum is wrong). "
                             "Look into it with: fanmill store verify {}",
                             options.path, key.of_record ? "record" : "chunk", key.number,
                             to_text(key.job), options.path)});
        return std::nullopt;
      }
      cache.put(key, blob, 0);
      cache.trim(durable);
      return blob;
    } catch (const SQLite::Exception& what) {
      give_up(sqlite::explained(options.path, what));
      return std::nullopt;
    }
  }

  void remember(const StoreWrite& write, std::uint64_t number) {
    if (const auto* chunk = std::get_if<PutChunk>(&write)) {
      cache.put({chunk->job, chunk->first.value, false}, chunk->bytes, number);
    } else if (const auto* record = std::get_if<PutRecord>(&write)) {
      cache.put({record->job, record->record.value, true}, record->bytes, number);
    } else if (const auto* dropped = std::get_if<DropChunk>(&write)) {
      cache.drop({dropped->job, dropped->first.value, false});
    } else if (const auto* delivered = std::get_if<DropRecord>(&write)) {
      cache.drop({delivered->job, delivered->record.value, true});
    } else if (const auto* job = std::get_if<DropJob>(&write)) {
      cache.drop(job->job);
    }
  }

  StoreLock lock;
  SqliteStoreOptions options;
  std::unique_ptr<SQLite::Database> written_file;  // the writing thread's
  std::unique_ptr<SQLite::Database> read_file;     // the loop's
  Recovered recovered;
  sqlite::Writer writer;
  sqlite::Reserve reserve;
  SQLite::Statement read_chunk;
  SQLite::Statement read_record;
  sqlite::BlobCache cache;
  int event;

  mutable std::mutex mutex;
  std::condition_variable work;
  std::vector<std::vector<StoreWrite>> waiting;  // as handed over; from `taken` on
  std::size_t taken = 0;
  bool stopping = false;
  std::optional<Error> failed;

  std::uint64_t handed_over = 0;                          // the loop's
  std::chrono::steady_clock::time_point take_reserve_at;  // the writing thread's
  std::atomic<std::uint64_t> durable{0};
  std::atomic<bool> is_full{false};
  std::thread thread;  // last: it uses all of the above
};

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteStore::~SqliteStore() = default;

// A full disk, and the reserve of an earlier life on it: that is what the reserve is for.
static bool made_room(const SqliteStoreOptions& options) {
  std::error_code ignored;
  const auto space = std::filesystem::space(options.path, ignored);
  if (ignored || space.available >= kRoomToBegin) return false;
  return std::filesystem::remove(options.path + ".reserve", ignored);
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteStoreOptions& options,
                                                       std::uint64_t random) {
  auto store = open_once(options, random);
  if (!store && store.error().code == ErrorCode::kSystem && made_room(options))
    store = open_once(options, random);
  return store;
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_once(const SqliteStoreOptions& options,
                                                            std::uint64_t random) {
  if (auto store = sqlite::looks_like_a_store(options.path); !store)
    return tl::make_unexpected(std::move(store.error()));
  auto lock = StoreLock::take(options.path);
  if (!lock) return tl::make_unexpected(lock.error());
  auto for_writing = sqlite::open_for_writing(options.path, options.durability);
  if (!for_writing) return tl::make_unexpected(for_writing.error());
  try {
    auto loaded = sqlite::load(**for_writing);
    if (!loaded)
      return fail(loaded.error().code,
                  fmt::format("{}: {}; it was left as it is. Look into it with: fanmill store "
                              "verify {}",
                              options.path, loaded.error().message, options.path));
    (*for_writing)->exec("PRAGMA synchronous = FULL");
    loaded->recovered.life = begin_life(**for_writing, loaded->recovered.lives, random);
    if (options.durability == sqlite::Durability::kOs)
      (*for_writing)->exec("PRAGMA synchronous = NORMAL");
    auto for_reading = sqlite::open_for_reading(options.path);
    if (!for_reading) return tl::make_unexpected(for_reading.error());
    auto state = std::make_unique<State>(std::move(*lock), options, std::move(*for_writing),
                                         std::move(*for_reading), std::move(*loaded));
    state->reserve.take();
    state->thread = std::thread([raw = state.get()] { raw->run(); });
    return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(state)));
  } catch (const SQLite::Exception& what) {
    return tl::make_unexpected(sqlite::explained(options.path, what));
  }
}

Recovered SqliteStore::take_recovered() { return std::move(state_->recovered); }

void SqliteStore::write(std::vector<StoreWrite> writes) {
  for (const StoreWrite& write : writes) state_->remember(write, ++state_->handed_over);
  {
    const std::lock_guard guard(state_->mutex);
    state_->waiting.push_back(std::move(writes));
  }
  state_->work.notify_one();
  state_->cache.trim(durable());
}

std::uint64_t SqliteStore::durable() const {
  return state_->durable.load(std::memory_order_acquire);
}

std::optional<Blob> SqliteStore::read(const ChunkBytes& source) {
  const auto whole = state_->fetch(state_->read_chunk, {source.job, source.chunk.value, false});
  if (!whole || source.offset + source.bytes > whole->size()) return std::nullopt;
  return whole->slice(source.offset, source.bytes);
}

std::optional<Blob> SqliteStore::read(const RecordBytes& source) {
  return state_->fetch(state_->read_record, {source.job, source.record.value, true});
}

std::string_view SqliteStore::level() const {
  return state_->options.durability == sqlite::Durability::kSync ? "sync" : "os";
}

int SqliteStore::event_fd() const { return state_->event; }

std::optional<Error> SqliteStore::failure() const {
  const std::lock_guard guard(state_->mutex);
  return state_->failed;
}

bool SqliteStore::full() const { return state_->is_full; }

}  // namespace fanmill::broker
