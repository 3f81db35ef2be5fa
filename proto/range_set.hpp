// A small set of task indexes as sorted, disjoint, non-adjacent ranges: what is left of a lease.
// Every change is linear in the number of ranges, so it is for sets with few of them; a job's own
// sets are broker/core/index_set.hpp.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/ids.hpp"

namespace fanmill {

class RangeSet {
 public:
  RangeSet() = default;
  explicit RangeSet(IndexRange range) { add(range); }

  void add(IndexRange range);
  void remove(IndexRange range);
  bool contains(TaskIndex index) const;
  bool contains(IndexRange range) const;  // all of it
  // The part of `range` that is in the set, in order.
  std::vector<IndexRange> intersection(IndexRange range) const;
  std::uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  const std::vector<IndexRange>& ranges() const { return ranges_; }
  friend bool operator==(const RangeSet& a, const RangeSet& b) { return a.ranges_ == b.ranges_; }

 private:
  std::vector<IndexRange> ranges_;
  std::uint64_t count_ = 0;
};

}  // namespace fanmill
