#include "producer/library/open_chunk.hpp"

#include <algorithm>
#include <utility>

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

// The clock is looked at after so many tuples at most; after each one while they are slow to come.
constexpr std::uint64_t kTuplesPerLookMax = 64;
constexpr auto kQuickLook = 50us;

bool fence() {
  return asymmetric::heavy_fence_for_own_threads() ||
         (asymmetric::register_for_own_threads() && asymmetric::heavy_fence_for_own_threads());
}

}  // namespace

void OpenChunk::begin(std::uint64_t target) {
  shut();
  target_ = target;
  builder_.bytes().resize(end_);  // a tuple whose packing threw
  began_ = looked_at_ = mono_now();
  next_look_ = look_every_;
  too_long_ = false;
}

// False: the chunk has taken its time.
bool OpenChunk::look(std::uint64_t tuples) {
  const MonoTime now = mono_now();
  const auto gap = now - std::exchange(looked_at_, now);
  look_every_ = gap < kQuickLook ? std::min(look_every_ * 2, kTuplesPerLookMax) : 1;
  next_look_ = tuples + look_every_;
  return now - began_ < kTimeMax;
}

OpenChunk::Ended OpenChunk::end() {
  shut();
  end_ = 0;
  const std::uint64_t tuples = builder_.tuples();
  return {.chunk = tuples > 0 ? builder_.take() : ChunkBuilder::Chunk{},
          .tuples = tuples + std::exchange(taken_, 0),
          .took = mono_now() - began_,
          .too_long = too_long_};
}

std::optional<ChunkBuilder::Chunk> OpenChunk::take() {
  wants_.store(Wants::kToTake, std::memory_order_relaxed);
  if (!fence()) {
    // Without it the chunk leaves when the range comes back.
    wants_.store(Wants::kNothing, std::memory_order_release);
    wants_.notify_one();
    return {};
  }
  // Behind the fence either this is false, or the packing thread waits before it packs.
  std::optional<ChunkBuilder::Chunk> chunk;
  if (open_.load(std::memory_order_acquire)) {
    chunk = builder_.take();
    target_ -= chunk->tuples;
    taken_ += chunk->tuples;
    end_ = 0;
    next_look_ = 1;
    open_.store(false, std::memory_order_relaxed);
  }
  wants_.store(Wants::kToHear, std::memory_order_release);
  wants_.notify_one();
  return chunk;
}

}  // namespace fanmill::producer
