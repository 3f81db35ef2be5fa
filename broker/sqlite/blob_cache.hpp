// Blobs that were handed over a while ago: those that are not committed yet (nobody else has them),
// and of the others as many as fit, oldest out first: a chunk is leased soon after it came, a
// record read soon after it was made.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "proto/blob.hpp"
#include "proto/ids.hpp"

namespace fanmill::broker::sqlite {

class BlobCache {
 public:
  struct Key {
    JobId job;
    std::uint64_t number{};  // the first task of a chunk, the number of a record
    bool of_record{};
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  explicit BlobCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // `write`: the number of the write that brings it into the store; 0: it is there.
  void put(const Key& key, Blob blob, std::uint64_t write) {
    const auto [entry, added] = blobs_.try_emplace(key, Entry{std::move(blob), write});
    if (!added) return;
    bytes_ += entry->second.blob.size();
    order_.push_back(key);
  }

  std::optional<Blob> find(const Key& key) const {
    const auto entry = blobs_.find(key);
    if (entry == blobs_.end()) return std::nullopt;
    return entry->second.blob;
  }

  void drop(const Key& key) {
    const auto entry = blobs_.find(key);
    if (entry == blobs_.end()) return;
    bytes_ -= entry->second.blob.size();
    blobs_.erase(entry);
  }
  void drop(JobId job) {
    for (auto entry = blobs_.lower_bound({job, 0, false});
         entry != blobs_.end() && entry->first.job == job;) {
      bytes_ -= entry->second.blob.size();
      entry = blobs_.erase(entry);
    }
  }

  // Brings it down to its size, as far as writes up to `durable` allow.
  void trim(std::uint64_t durable) {
    if (order_.size() > 2 * blobs_.size() + kGoneKeysMax)
      std::erase_if(order_, [this](const Key& key) { return !blobs_.contains(key); });
    while (!order_.empty()) {
      const auto entry = blobs_.find(order_.front());
      if (entry != blobs_.end()) {
        if (bytes_ <= bytes_max_ || entry->second.write > durable) return;
        bytes_ -= entry->second.blob.size();
        blobs_.erase(entry);
      }
      order_.pop_front();
    }
  }

  std::size_t remembered() const { return order_.size(); }

  std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kGoneKeysMax = 1024;

  struct Entry {
    Blob blob;
    std::uint64_t write;
  };
  std::map<Key, Entry> blobs_;
  std::deque<Key> order_;  // as they came; some are dropped already
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
};

}  // namespace fanmill::broker::sqlite
