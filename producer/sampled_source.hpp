// A random part of another source: each of its tuples is kept with the same probability. What is
// kept is numbered from 0, as any source's tuples are.
//
// Which ones: tuple i (of the whole source, from 0) is kept if
//   mix(mix(seed) ^ i) < probability * 2^64,
// where mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014) behind the addition of its
// gamma. The same seed and probability keep the same places on every machine, and a larger
// probability keeps these and more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "producer/source.hpp"

namespace fanmill::producer {

// What is kept: a place whose hash is below `threshold`, or all of them.
struct Share {
  std::uint64_t threshold = 0;
  bool all = false;
  friend bool operator==(const Share&, const Share&) = default;
};

// Of `10%`, `0.1%`; from 0% to 100%, with up to 15 decimals. kUsage.
Result<Share> parse_share(std::string_view text);

bool is_kept(const Share& share, std::uint64_t seed, std::uint64_t index);

class SampledSource : public TupleSource {
 public:
  SampledSource(std::unique_ptr<TupleSource> source, Share share, std::uint64_t seed);
  void set_signature(const Signature& signature) override { source_->set_signature(signature); }
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  int wait_fd() const override { return source_->wait_fd(); }
  bool is_bounded() const override { return source_->is_bounded(); }
  std::vector<std::string> names() const override { return source_->names(); }
  std::optional<std::uint64_t> total() const override;

 private:
  // Moves the next tuple of what was read into `chunk` if it is kept.
  void take_one(ChunkBuilder& chunk);

  const std::unique_ptr<TupleSource> source_;
  const Share share_;
  const std::uint64_t seed_;
  ChunkBuilder builder_;
  ChunkBuilder::Chunk read_;               // of the whole source
  std::size_t at_ = 0;                     // in its bytes
  std::uint64_t left_ = 0;                 // of its tuples
  std::uint64_t index_ = 0;                // of the next one
  Result<Supply> behind_ = Supply::kMore;  // what comes once they are through
};

}  // namespace fanmill::producer
