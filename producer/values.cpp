#include "producer/values.hpp"

#include <fmt/format.h>

#include <fanmill/detail/pack.hpp>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kBufferBytes = 64 * limits::kKiB;

}  // namespace

Result<void> ListedValues::set_parameter(const Parameter& parameter) {
  TextReader reader(TextReader::Untyped::kGuessed);
  reader.set_parameter(parameter);
  return pack_with(reader);
}

Result<void> ListedValues::pack_with(TextReader& reader) {
  packed_ = true;
  std::string packed;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    packed.clear();
    if (!reader.append(packed, values_[i])) {
      return fail(ErrorCode::kMalformedInput,
                  fmt::format("{} (value {} behind its `:::`)", reader.fault(values_[i]), i + 1));
    }
    values_[i] = packed;
  }
  return {};
}

Result<Supply> ListedValues::at(std::uint64_t i, std::string& out) {
  if (!packed_) {
    TextReader reader(TextReader::Untyped::kGuessed);
    if (auto packed = pack_with(reader); !packed) return tl::make_unexpected(packed.error());
  }
  if (i >= values_.size()) return Supply::kEnd;
  out += values_[i];
  return Supply::kMore;
}

Result<void> RangeValues::set_parameter(const Parameter& parameter) {
  std::string packed;
  range_.decimal ? pack::number(packed, 0.5) : pack::integer(packed, range_.first);
  if (fits(packed, parameter.type)) return {};
  return fail(ErrorCode::kMalformedInput,
              fmt::format("--range {}=...: {}", range_.name,
                          misfit(parameter, range_.decimal ? "a range gives decimals"
                                                           : "a range gives integers")));
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

LineValues::LineValues(InputFd input, TextReader::Untyped untyped, char line_end)
    : reader_(std::move(input), kBufferBytes, line_end), text_(untyped) {}

Result<void> LineValues::set_parameter(const Parameter& parameter) {
  text_.set_parameter(parameter);
  return {};
}

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
    if (!text_.append(value, line)) {
      return tl::make_unexpected(
          row_error(reader_.input().name(), reader_.line(), 0, text_.fault(line)));
    }
    ++read_;
  }
  out += remember_all_ ? kept_[i] : kept_.back();
  return Supply::kMore;
}

}  // namespace fanmill::producer
