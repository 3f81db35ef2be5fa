#include "producer/journal/tuple_match.hpp"

namespace fanmill::producer {

Result<std::optional<std::uint64_t>> TupleMatch::find(const TupleHash& hash) {
  if (found_ == known_) return std::optional<std::uint64_t>();
  std::optional<std::uint64_t> position;
  if (!indexed_) {
    const auto expected = file_->hash_at(next_);
    if (!expected) return tl::make_unexpected(expected.error());
    if (*expected == hash) {
      position = next_;
    } else {
      if (auto indexed = file_->index_from(next_); !indexed)
        return tl::make_unexpected(indexed.error());
      indexed_ = true;
    }
  }
  if (indexed_) {
    const auto taken = file_->take_indexed(hash, next_);
    if (!taken) return tl::make_unexpected(taken.error());
    position = *taken;
  }
  if (position) {
    ++found_;
    next_ = *position + 1;
  }
  return position;
}

}  // namespace fanmill::producer
