#include "producer/grouped_source.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "proto/tuple_view.hpp"

namespace fanmill::producer {
namespace {

void append_array_head(std::string& out, std::uint32_t count) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value & 0xffU); };
  if (count < 16) {
    byte(0x90U | count);
  } else if (count < 0x10000) {
    byte(0xdc);
    byte(count >> 8);
    byte(count);
  } else {
    byte(0xdd);
    for (int shift = 24; shift >= 0; shift -= 8) byte(count >> shift);
  }
}

constexpr std::size_t kArrayHeadMax = 5;

}  // namespace

GroupedSource::GroupedSource(std::unique_ptr<TupleSource> source, std::uint32_t size)
    : source_(std::move(source)), size_(size) {
  FANMILL_ASSERT(size >= 1 && size <= limits::kTupleElementsMax);
}

Result<Supply> GroupedSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  while (chunk.tuples() < tuples_max && !chunk.full()) {
    if (at_ < bytes_.size()) {
      if (auto ok = take_value(); !ok) return tl::make_unexpected(ok.error());
      if (values_ == size_) end_group(chunk);
      continue;
    }
    if (error_) return tl::make_unexpected(*error_);
    if (last_ == Supply::kEnd) {
      if (values_ > 0) end_group(chunk);
      return Supply::kEnd;
    }
    const std::uint64_t wanted = (tuples_max - chunk.tuples()) * size_ - values_;
    const auto supply =
        source_->fill(builder_, std::min<std::uint64_t>(wanted, limits::kChunkTuplesMax));
    bytes_ = builder_.take().bytes;
    at_ = 0;
    if (!supply) {
      error_ = supply.error();
    } else {
      last_ = *supply;
      if (last_ == Supply::kNothingNow && bytes_.empty()) return last_;
    }
  }
  return Supply::kMore;
}

Result<void> GroupedSource::take_value() {
  TupleView tuple;
  if (auto ok = cut_tuple(bytes_, at_, tuple); !ok) return ok;
  if (tuple.count != 1) {
    return fail(ErrorCode::kMalformedInput,
                "-N puts single values together, but a tuple of the input has " +
                    std::to_string(tuple.count) + " elements");
  }
  const std::string_view value = tuple.elements().front();
  if (group_.size() + value.size() + kArrayHeadMax > limits::kTupleBytesMax) {
    return fail(ErrorCode::kLimit, "-N " + std::to_string(size_) +
                                       ": so many of these values are more than a tuple may hold");
  }
  group_ += value;
  ++values_;
  return {};
}

void GroupedSource::end_group(ChunkBuilder& chunk) {
  append_array_head(chunk.bytes(), values_);
  chunk.bytes() += group_;
  chunk.tuple_done();
  group_.clear();
  values_ = 0;
}

std::optional<std::uint64_t> GroupedSource::total() const {
  const auto all = source_->total();
  if (!all) return {};
  return *all / size_ + (*all % size_ != 0 ? 1 : 0);
}

}  // namespace fanmill::producer
