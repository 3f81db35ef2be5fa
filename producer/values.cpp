#include "producer/values.hpp"

#include <utility>

#include "producer/pack.hpp"
#include "proto/limits.hpp"
#include "proto/text_value.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kBufferBytes = 64 * limits::kKiB;

}  // namespace

ListedValues::ListedValues(const std::vector<std::string>& texts) {
  values_.reserve(texts.size());
  for (const std::string& text : texts) append_typed(values_.emplace_back(), text);
}

Result<Supply> ListedValues::at(std::uint64_t i, std::string& out) {
  if (i >= values_.size()) return Supply::kEnd;
  out += values_[i];
  return Supply::kMore;
}

Result<Supply> RangeValues::at(std::uint64_t i, std::string& out) {
  if (i >= range_.count) return Supply::kEnd;
  // It lies between first and last, so it fits, though the product alone might not: modulo 2^64.
  const auto whole = static_cast<std::int64_t>(static_cast<std::uint64_t>(range_.first) +
                                               i * static_cast<std::uint64_t>(range_.step));
  if (range_.decimal) {
    pack::number(out, static_cast<double>(whole) / static_cast<double>(range_.divisor));
  } else {
    pack::integer(out, whole);
  }
  return Supply::kMore;
}

LineValues::LineValues(InputFd input, As as) : reader_(std::move(input), kBufferBytes), as_(as) {}

Result<Supply> LineValues::at(std::uint64_t i, std::string& out) {
  if (i >= read_) {
    if (at_end_) return Supply::kEnd;
    std::string_view line;
    const auto got = reader_.next(line);
    if (!got) return got;
    if (*got != Supply::kMore) {
      at_end_ = *got == Supply::kEnd;
      return got;
    }
    if (remember_all_ || kept_.empty()) kept_.emplace_back();
    std::string& value = kept_.back();
    value.clear();
    if (as_ == As::kText) {
      pack::text(value, line);
    } else {
      append_typed(value, line);
    }
    ++read_;
  }
  out += remember_all_ ? kept_[i] : kept_.back();
  return Supply::kMore;
}

}  // namespace fanmill::producer
