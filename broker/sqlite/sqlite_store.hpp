// The store of a long-lived broker: one SQLite file and a thread that writes it. What is handed
// over while a commit is under way goes into the next one (group commit), so the rate does not hang
// on the disk's latency.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/core/recovered.hpp"
#include "broker/sqlite/store_file.hpp"
#include "broker/store.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

struct SqliteStoreOptions {
  std::string path;
  sqlite::Durability durability = sqlite::Durability::kSync;
  std::uint64_t cache_bytes = 64U << 20;    // of blobs, for what is asked for soon
  std::uint64_t reserve_bytes = 64U << 20;  // on the disk, for when it is full
};

class SqliteStore final : public Store {
 public:
  // Begins a life: a higher epoch, flushed to the disk whatever the durability. Refused: a store
  // that another broker has (kConflict), and as open_for_writing() and load() refuse. On a full
  // disk the reserve of an earlier life is given up for it.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteStoreOptions& options,
                                                   std::uint64_t random);
  ~SqliteStore() override;  // commits what was handed over
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  // To be asked for once, before the first write.
  Recovered take_recovered();

  void write(std::vector<StoreWrite> writes) override;
  std::uint64_t durable() const override;
  std::optional<Blob> read(const ChunkBytes& source) override;
  std::optional<Blob> read(const RecordBytes& source) override;
  std::string_view level() const override;
  int event_fd() const override;
  std::optional<Error> failure() const override;
  bool full() const override;

 private:
  struct State;
  static Result<std::unique_ptr<SqliteStore>> open_once(const SqliteStoreOptions& options,
                                                        std::uint64_t random);
  explicit SqliteStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::broker
