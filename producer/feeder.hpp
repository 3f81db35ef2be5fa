// Pulls a source into chunks, a few at a turn, as fast as a broker takes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "producer/source.hpp"
#include "proto/chunk.hpp"
#include "proto/error.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

class Feeder {
 public:
  // Chunks of a steady cut hold the same tuples at every run over the same input, however slowly it
  // comes; else they grow from few tuples, and go when nothing more is there.
  enum class Cut : std::uint8_t { kEager, kSteady };

  Feeder(std::unique_ptr<TupleSource> source, Cut cut) : source_(std::move(source)), cut_(cut) {
    if (cut == Cut::kSteady) tuples_ = limits::kChunkTuplesMax;
  }

  using MayTake = std::function<bool()>;
  using Take = std::function<void(ChunkBuilder::Chunk)>;
  // An error of the source ends it; what came before it was handed over.
  Result<void> turn(const MayTake& may_take, const Take& take) {
    for (int i = 0; !ended_ && !waits_ && i < kChunksPerTurn && may_take(); ++i) {
      const auto supply = source_->fill(chunk_, tuples_);
      const bool nothing_more = !supply || *supply == Supply::kEnd;
      const bool whole = cut_ == Cut::kEager || chunk_.full() || chunk_.tuples() >= tuples_;
      if (!chunk_.empty() && (whole || nothing_more)) take(chunk_.take());
      if (nothing_more) ended_ = true;
      if (!supply) return tl::make_unexpected(supply.error());
      if (*supply == Supply::kNothingNow) waits_ = true;
      if (*supply == Supply::kMore)
        tuples_ = std::min<std::uint64_t>(tuples_ * 2, limits::kChunkTuplesMax);
    }
    return {};
  }

  void stop() { ended_ = true; }
  bool ended() const { return ended_; }
  // Of what it waits for; -1: for nothing.
  int wait_fd() const { return ended_ || !waits_ ? -1 : source_->wait_fd(); }
  void woken() { waits_ = false; }
  // The source checks and converts its tuples by it. One that does not read is of a worker that has
  // its own ways: nothing is checked here.
  void expect(const std::string& signature) {
    const auto read = parse_signature(signature);
    if (read && !is_trivial(*read)) source_->set_signature(*read);
  }
  std::optional<std::uint64_t> total() const { return source_->total(); }

 private:
  static constexpr int kChunksPerTurn = 4;
  static constexpr std::uint64_t kFirstChunkTuples = 64;

  std::unique_ptr<TupleSource> source_;
  const Cut cut_;
  ChunkBuilder chunk_;
  std::uint64_t tuples_ = kFirstChunkTuples;
  bool ended_ = false;
  bool waits_ = false;
};

// Of a job that is opened without tuples.
class NoTuples final : public TupleSource {
 public:
  Result<Supply> fill(ChunkBuilder& /*chunk*/, std::uint64_t /*tuples_max*/) override {
    return Supply::kEnd;
  }
  bool is_bounded() const override { return true; }
  std::optional<std::uint64_t> total() const override { return 0; }
};

}  // namespace fanmill::producer
