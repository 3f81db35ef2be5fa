// A set of task indexes that stays small while its members come in runs: CRoaring bitmaps, one per
// high 32-bit word. Every operation costs about the number of 65536-wide containers it touches,
// never the number of members.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "proto/ids.hpp"

struct roaring_bitmap_s;

namespace fanmill::broker {

class IndexSet {
 public:
  void add(IndexRange range);
  void remove(IndexRange range);
  void clear();

  bool contains(TaskIndex index) const;
  bool contains(IndexRange range) const { return count(range) == range.count; }
  std::uint64_t count() const { return count_; }
  std::uint64_t count(IndexRange range) const;  // of the members within it
  bool empty() const { return count_ == 0; }

  // The first member at or after `from` and its successors without a gap, at most `longest`
  // indexes; empty if there is no such member.
  IndexRange next_run(TaskIndex from, std::uint64_t longest) const;
  // The first index at or after `from` that is not a member.
  TaskIndex next_absent(TaskIndex from) const;
  // What lies within `range`, and what of `range` is not in the set; both in order.
  std::vector<IndexRange> present(IndexRange range) const;
  std::vector<IndexRange> absent(IndexRange range) const;

 private:
  struct Free {
    void operator()(roaring_bitmap_s* bitmap) const;
  };
  using Bitmap = std::unique_ptr<roaring_bitmap_s, Free>;

  std::map<std::uint32_t, Bitmap> words_;  // by the high 32 bits; no empty bitmap stays
  std::uint64_t count_ = 0;
};

}  // namespace fanmill::broker
