#include "broker/core/index_set.hpp"

#include <roaring/roaring.h>

#include <algorithm>

namespace fanmill::broker {
namespace {

constexpr std::uint64_t kWord = std::uint64_t{1} << 32;
// Up to so many indexes one by one are cheaper than a range, whose cost is that of its container.
constexpr std::uint64_t kSingles = 4;

std::uint32_t high(std::uint64_t index) { return static_cast<std::uint32_t>(index >> 32); }
std::uint32_t low(std::uint64_t index) { return static_cast<std::uint32_t>(index); }

// Calls visit(word, begin, end) with the part of `range` in each high word, as low halves; `end` is
// exclusive and up to 2^32.
template <class Visit>
void each_word(IndexRange range, Visit visit) {
  std::uint64_t at = range.first.value;
  const std::uint64_t end = range.end().value;
  while (at < end) {
    const std::uint64_t word_end = (at / kWord + 1) * kWord;
    const std::uint64_t stop = std::min(end, word_end);
    visit(high(at), std::uint64_t{low(at)}, std::uint64_t{low(at)} + (stop - at));
    at = stop;
  }
}

}  // namespace

void IndexSet::Free::operator()(roaring_bitmap_s* bitmap) const { roaring_bitmap_free(bitmap); }

void IndexSet::add(IndexRange range) {
  if (range.empty()) return;
  if (range.count <= kSingles) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      Bitmap& bitmap = words_[high(at.value)];
      if (!bitmap) bitmap.reset(roaring_bitmap_create());
      if (roaring_bitmap_add_checked(bitmap.get(), low(at.value))) ++count_;
    }
    return;
  }
  count_ += range.count - count(range);
  each_word(range, [this](std::uint32_t word, std::uint64_t begin, std::uint64_t end) {
    Bitmap& bitmap = words_[word];
    if (!bitmap) bitmap.reset(roaring_bitmap_create());
    roaring_bitmap_add_range_closed(bitmap.get(), low(begin), low(end - 1));
  });
}

void IndexSet::remove(IndexRange range) {
  if (range.empty() || count_ == 0) return;
  if (range.count <= kSingles) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      const auto it = words_.find(high(at.value));
      if (it == words_.end() || !roaring_bitmap_remove_checked(it->second.get(), low(at.value)))
        continue;
      --count_;
      if (roaring_bitmap_is_empty(it->second.get())) words_.erase(it);
    }
    return;
  }
  count_ -= count(range);
  each_word(range, [this](std::uint32_t word, std::uint64_t begin, std::uint64_t end) {
    const auto it = words_.find(word);
    if (it == words_.end()) return;
    roaring_bitmap_remove_range_closed(it->second.get(), low(begin), low(end - 1));
    if (roaring_bitmap_is_empty(it->second.get())) words_.erase(it);
  });
}

void IndexSet::clear() {
  words_.clear();
  count_ = 0;
}

bool IndexSet::contains(TaskIndex index) const {
  const auto it = words_.find(high(index.value));
  return it != words_.end() && roaring_bitmap_contains(it->second.get(), low(index.value));
}

std::uint64_t IndexSet::count(IndexRange range) const {
  std::uint64_t sum = 0;
  if (words_.empty()) return 0;
  if (range.count <= kSingles) {
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) sum += contains(at) ? 1U : 0U;
    return sum;
  }
  each_word(range, [this, &sum](std::uint32_t word, std::uint64_t begin, std::uint64_t end) {
    const auto it = words_.find(word);
    if (it != words_.end()) sum += roaring_bitmap_range_cardinality(it->second.get(), begin, end);
  });
  return sum;
}

IndexRange IndexSet::next_run(TaskIndex from, std::uint64_t longest) const {
  for (auto it = words_.lower_bound(high(from.value)); it != words_.end(); ++it) {
    roaring_uint32_iterator_t at;
    roaring_init_iterator(it->second.get(), &at);
    if (it->first == high(from.value) &&
        !roaring_move_uint32_iterator_equalorlarger(&at, low(from.value)))
      continue;
    if (!at.has_value) continue;
    const TaskIndex first{std::uint64_t{it->first} * kWord + at.current_value};
    // Galloping, then halving, keeps this logarithmic in the length of the run.
    std::uint64_t sure = 1;
    std::uint64_t step = 1;
    while (sure < longest) {
      const std::uint64_t more = std::min(step, longest - sure);
      if (!contains(IndexRange{first + sure, more})) break;
      sure += more;
      step *= 2;
    }
    if (sure < longest) {
      std::uint64_t beyond = std::min(step, longest - sure);  // not all of the next `beyond` belong
      while (beyond > 1) {
        const std::uint64_t half = beyond / 2;
        if (contains(IndexRange{first + sure, half})) {
          sure += half;
          beyond -= half;
        } else {
          beyond = half;
        }
      }
    }
    return {first, std::min(sure, longest)};
  }
  return {};
}

TaskIndex IndexSet::next_absent(TaskIndex from) const {
  if (!contains(from)) return from;
  return next_run(from, ~std::uint64_t{0} - from.value).end();
}

std::vector<IndexRange> IndexSet::present(IndexRange range) const {
  std::vector<IndexRange> runs;
  const std::uint64_t end = range.end().value;
  for (TaskIndex at = range.first; at.value < end;) {
    const IndexRange run = next_run(at, end - at.value);
    if (run.empty() || run.first.value >= end) break;
    runs.push_back({run.first, std::min(run.count, end - run.first.value)});
    at = runs.back().end();
  }
  return runs;
}

std::vector<IndexRange> IndexSet::absent(IndexRange range) const {
  if (range.empty()) return {};
  const std::uint64_t members = count(range);
  if (members == 0) return {range};
  if (members == range.count) return {};
  std::vector<IndexRange> gaps;
  TaskIndex at = range.first;
  for (const IndexRange& run : present(range)) {
    if (run.first > at) gaps.push_back({at, run.first - at});
    at = run.end();
  }
  if (at < range.end()) gaps.push_back({at, range.end() - at});
  return gaps;
}

}  // namespace fanmill::broker
