#include "proto/range_set.hpp"

#include <algorithm>

namespace fanmill {
namespace {

// The first range that ends at or behind `index`: it holds `index`, touches it, or lies after it.
auto first_ending_at(const std::vector<IndexRange>& ranges, TaskIndex index) {
  return std::partition_point(ranges.begin(), ranges.end(),
                              [index](const IndexRange& r) { return r.end() < index; });
}

// The first range that ends behind `index`: it holds `index` or lies after it.
auto first_ending_behind(const std::vector<IndexRange>& ranges, TaskIndex index) {
  return std::partition_point(ranges.begin(), ranges.end(),
                              [index](const IndexRange& r) { return r.end() <= index; });
}

IndexRange between(TaskIndex first, TaskIndex end) { return {first, end - first}; }

}  // namespace

void RangeSet::add(IndexRange range) {
  if (range.empty()) return;
  const auto from = first_ending_at(ranges_, range.first);
  auto to = from;
  TaskIndex first = range.first;
  TaskIndex end = range.end();
  for (; to != ranges_.end() && to->first <= range.end(); ++to) {
    first = std::min(first, to->first);
    end = std::max(end, to->end());
    count_ -= to->count;
  }
  const IndexRange merged = between(first, end);
  count_ += merged.count;
  if (from == to) {
    ranges_.insert(from, merged);
  } else {
    const auto at = ranges_.erase(from + 1, to) - 1;
    *at = merged;
  }
}

void RangeSet::remove(IndexRange range) {
  if (range.empty()) return;
  const auto from =
      ranges_.begin() + (first_ending_behind(ranges_, range.first) - ranges_.cbegin());
  auto to = from;
  IndexRange left;
  IndexRange right;
  for (; to != ranges_.end() && to->first < range.end(); ++to) {
    if (to->first < range.first) left = between(to->first, range.first);
    if (range.end() < to->end()) right = between(range.end(), to->end());
    count_ -= to->count;
  }
  count_ += left.count + right.count;
  auto at = ranges_.erase(from, to);
  if (!right.empty()) at = ranges_.insert(at, right);
  if (!left.empty()) ranges_.insert(at, left);
}

bool RangeSet::contains(TaskIndex index) const {
  const auto at = first_ending_behind(ranges_, index);
  return at != ranges_.end() && at->contains(index);
}

bool RangeSet::contains(IndexRange range) const {
  if (range.empty()) return true;
  const auto at = first_ending_behind(ranges_, range.first);
  return at != ranges_.end() && at->first <= range.first && range.end() <= at->end();
}

std::vector<IndexRange> RangeSet::intersection(IndexRange range) const {
  std::vector<IndexRange> parts;
  if (range.empty()) return parts;
  for (auto at = first_ending_behind(ranges_, range.first);
       at != ranges_.end() && at->first < range.end(); ++at) {
    parts.push_back(between(std::max(at->first, range.first), std::min(at->end(), range.end())));
  }
  return parts;
}

}  // namespace fanmill
