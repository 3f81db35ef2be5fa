// Groups of another source's values: tuples of one value each, so many of them made one tuple. The
// last group is as short as what is left.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "producer/source.hpp"

namespace fanmill::producer {

class GroupedSource : public TupleSource {
 public:
  // `size` is 1 to limits::kTupleElementsMax.
  GroupedSource(std::unique_ptr<TupleSource> source, std::uint32_t size);

  // kMalformedInput beside what the source says: a tuple that is not one value alone. The values
  // before an error that make no whole group are dropped.
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  int wait_fd() const override { return source_->wait_fd(); }
  bool is_bounded() const override { return source_->is_bounded(); }
  std::optional<std::uint64_t> total() const override;

 private:
  Result<void> take_value();
  void end_group(ChunkBuilder& chunk);

  const std::unique_ptr<TupleSource> source_;
  const std::uint32_t size_;
  ChunkBuilder builder_;      // what the source fills
  std::string bytes_;         // tuples of the source …
  std::size_t at_ = 0;        // … from here on not looked at yet
  std::string group_;         // the values of the group that is begun
  std::uint32_t values_ = 0;  // so many
  Supply last_ = Supply::kMore;
  std::optional<Error> error_;  // of the source, behind bytes_
};

}  // namespace fanmill::producer
