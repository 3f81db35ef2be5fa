#include "producer/sampled_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr std::size_t kDecimalsMax = 15;
// Passed over in one fill(), so that a small share of an endless source stays interruptible.
constexpr std::uint64_t kPassedOverMax = 4 * std::uint64_t{limits::kChunkTuplesMax};

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace

Result<Share> parse_share(std::string_view text) {
  const auto refuse = [&] {
    return fail(
        ErrorCode::kUsage,
        fmt::format("--sample {}: write a share from 0% to 100%, such as 10% or 0.1%", text));
  };
  if (!text.ends_with('%')) return refuse();
  Wide digits = 0;
  Wide whole = 100;  // of as many parts
  std::size_t places = 0;
  std::size_t decimals = 0;
  bool has_point = false;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c == '.' && !has_point && places > 0) {
      has_point = true;
      continue;
    }
    if (c < '0' || c > '9' || decimals == kDecimalsMax) return refuse();
    digits = digits * 10 + static_cast<Wide>(c - '0');
    ++places;
    if (has_point) {
      ++decimals;
      whole *= 10;
    }
    if (digits > whole) return refuse();
  }
  if (places == 0 || (has_point && decimals == 0)) return refuse();
  if (digits == whole) return Share{.threshold = 0, .all = true};
  // digits < whole <= 10^17 < 2^57, so that digits * 2^64 fits 128 bits.
  return Share{.threshold = static_cast<std::uint64_t>((digits << 64U) / whole), .all = false};
}

bool is_kept(const Share& share, std::uint64_t seed, std::uint64_t index) {
  return share.all || mix(mix(seed) ^ index) < share.threshold;
}

SampledSource::SampledSource(std::unique_ptr<TupleSource> source, Share share, std::uint64_t seed)
    : source_(std::move(source)), share_(share), seed_(seed) {}

void SampledSource::take_one(ChunkBuilder& chunk) {
  const std::size_t begin = at_;
  FANMILL_ASSERT(skip_msgpack(read_.bytes, at_, 1));
  --left_;
  if (!is_kept(share_, seed_, index_++)) return;
  chunk.bytes().append(read_.bytes, begin, at_ - begin);
  chunk.tuple_done();
}

Result<Supply> SampledSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  if (share_.all) return source_->fill(chunk, tuples_max);
  if (share_ == Share{}) return Supply::kEnd;
  std::uint64_t passed = 0;
  while (true) {
    if (chunk.full() || chunk.tuples() >= tuples_max) return Supply::kMore;
    if (left_ > 0) {
      take_one(chunk);
      if (++passed == kPassedOverMax) return Supply::kMore;
      continue;
    }
    if (!behind_ || *behind_ != Supply::kMore) {
      return std::exchange(behind_,
                           behind_ && *behind_ == Supply::kNothingNow ? Supply::kMore : behind_);
    }
    behind_ = source_->fill(builder_, limits::kChunkTuplesMax);
    read_ = builder_.take();
    at_ = 0;
    left_ = read_.tuples;
  }
}

std::optional<std::uint64_t> SampledSource::total() const {
  if (share_.all) return source_->total();
  if (share_ == Share{}) return 0;
  return {};
}

}  // namespace fanmill::producer
