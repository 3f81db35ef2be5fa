// A directory for store files, and writes to fill them with.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/sqlite/sqlite_store.hpp"

namespace fanmill::broker {

inline constexpr JobId kJob{0x0000000500000007};

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "fanmill-store-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StoreTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name = "store.db") const { return directory_ + "/" + name; }

  Result<std::unique_ptr<SqliteStore>> opened(SqliteStoreOptions options = {}) const {
    if (options.path.empty()) options.path = path();
    options.reserve_bytes = 1U << 20;
    return SqliteStore::open(options, 12345);
  }

  std::string directory_;
};

inline PutJob put_job(JobId job = kJob, const std::string& key = "key") {
  JobOptions options;
  options.spec.function = "norm";
  options.priority = -3;
  return {job, key, options};
}

inline PutChunk put_chunk(std::uint64_t first, std::uint32_t count, const std::string& bytes,
                          JobId job = kJob) {
  return {job,
          TaskIndex{first},
          count,
          {{count, static_cast<std::uint32_t>(bytes.size())}},
          Blob::copy_of(bytes)};
}

inline PutRecord put_record(std::uint64_t number, std::uint64_t first, std::uint64_t count,
                            const std::string& bytes, JobId job = kJob) {
  PutRecord put;
  put.job = job;
  put.record = RecordId{number};
  put.batch_first = TaskIndex{first};
  put.batch_count = count;
  put.valid = {{TaskIndex{first}, count}};
  put.token = {5, number};
  put.attempt = 1;
  put.worker = "w@host";
  put.values_bytes = bytes.size();
  put.bytes = Blob::copy_of(bytes);
  return put;
}

template <class... Writes>
std::vector<StoreWrite> writes(Writes... all) {
  std::vector<StoreWrite> list;
  (list.emplace_back(std::move(all)), ...);
  return list;
}

// Waits for the store's event until everything up to `number` is durable.
inline bool wait_durable(SqliteStore& store, std::uint64_t number) {
  for (int rounds = 0; rounds < 200 && store.durable() < number && !store.failure(); ++rounds) {
    pollfd event{store.event_fd(), POLLIN, 0};
    ::poll(&event, 1, 100);
    std::uint64_t count = 0;
    (void)!::read(store.event_fd(), &count, sizeof count);
  }
  return store.durable() >= number;
}

inline std::string text(const std::optional<Blob>& blob) {
  return blob ? std::string(blob->view()) : "(nothing)";
}

}  // namespace fanmill::broker
