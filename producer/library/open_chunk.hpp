// The chunk that a user's range is packed into, tuple by tuple, by the thread that iterates over
// the job. While that thread waits for the range's next tuple, the I/O thread may take what is
// packed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/asymmetric_fence.hpp"
#include "proto/chunk.hpp"
#include "proto/clock.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

class OpenChunk {
 public:
  // A chunk leaves once its tuples took so long to come, full or not.
  static constexpr std::chrono::milliseconds kTimeMax{1};

  // ---- the packing thread's ----

  // At most `target` tuples are wanted, with those of a chunk that an exception kept from its
  // end().
  void begin(std::uint64_t target);
  // Where the next tuple goes. From here to tuple_done() nothing is taken.
  std::string& begin_tuple() {
    shut();
    return builder_.bytes();
  }
  // False: enough for now, and nothing is taken any more.
  bool tuple_done();
  // The I/O thread asked to hear of a tuple that it may take.
  bool is_wanted() const { return wants_.load(std::memory_order_relaxed) != Wants::kNothing; }

  struct Ended {
    ChunkBuilder::Chunk chunk;      // what is left of it
    std::uint64_t tuples = 0;       // with those that were taken
    std::chrono::nanoseconds took;  // since begin()
    bool too_long = false;          // its last tuple is, and was left out
  };
  Ended end();

  // ---- the I/O thread's ----

  // What is packed, if the packing thread is with the range; otherwise that thread will see
  // is_wanted() when it next is.
  std::optional<ChunkBuilder::Chunk> take();
  // Since take() there is a tuple that may be taken.
  bool is_offered() const {
    return wants_.load(std::memory_order_relaxed) == Wants::kToHear &&
           open_.load(std::memory_order_relaxed);
  }
  void want_nothing() { wants_.store(Wants::kNothing, std::memory_order_relaxed); }

 private:
  enum class Wants : std::uint8_t { kNothing, kToHear, kToTake };

  // The fence makes sure that this thread sees that the other one takes, or that one that this one
  // packs: see take().
  void shut() {
    open_.store(false, std::memory_order_relaxed);
    asymmetric::light_fence();
    if (wants_.load(std::memory_order_acquire) == Wants::kToTake) [[unlikely]] {
      wants_.wait(Wants::kToTake, std::memory_order_acquire);
    }
  }
  bool look(std::uint64_t tuples);

  // What follows is the packing thread's while open_ is false.
  ChunkBuilder builder_;
  std::uint64_t target_ = 1;
  std::uint64_t taken_ = 0;  // tuples, of this chunk
  std::size_t end_ = 0;      // of the tuple before
  MonoTime began_{};
  MonoTime looked_at_{};
  std::uint64_t look_every_ = 1;
  std::uint64_t next_look_ = 1;
  bool too_long_ = false;

  std::atomic<bool> open_{false};
  alignas(64) std::atomic<Wants> wants_{Wants::kNothing};  // the I/O thread's
};

inline bool OpenChunk::tuple_done() {
  const std::size_t size = builder_.bytes().size();
  if (size - end_ > limits::kTupleBytesMax) [[unlikely]] {
    builder_.bytes().resize(end_);
    too_long_ = true;
    return false;
  }
  end_ = size;
  builder_.tuple_done();
  const std::uint64_t tuples = builder_.tuples();
  if (tuples >= target_ || builder_.full()) return false;
  if (tuples >= next_look_ && !look(tuples)) return false;
  open_.store(true, std::memory_order_release);
  asymmetric::light_fence();
  return true;
}

}  // namespace fanmill::producer
