#include "tests/sim/payload.hpp"

#include <fmt/format.h>

#include <cstring>

namespace fanmill::sim {
namespace {

void append_u64(std::string& out, std::uint64_t value) {
  char bytes[9];
  bytes[0] = '\xcf';
  for (int i = 0; i < 8; ++i) bytes[1 + i] = static_cast<char>(value >> (56 - 8 * i));
  out.append(bytes, sizeof bytes);
}

bool take_u64(std::string_view bytes, std::size_t& at, std::uint64_t& value) {
  if (at + 9 > bytes.size() || bytes[at] != '\xcf') return false;
  value = 0;
  for (std::size_t i = 1; i < 9; ++i)
    value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  at += 9;
  return true;
}

void append_pad(std::string& out, std::uint64_t length) {
  out += '\xda';
  out += static_cast<char>(length >> 8);
  out += static_cast<char>(length & 0xff);
  out.append(length, 'x');
}

bool take_pad(std::string_view bytes, std::size_t& at, std::uint64_t length) {
  if (at + 3 + length > bytes.size() || bytes[at] != '\xda') return false;
  const std::uint64_t said = (std::uint64_t{static_cast<unsigned char>(bytes[at + 1])} << 8) |
                             static_cast<unsigned char>(bytes[at + 2]);
  at += 3 + length;
  return said == length;
}

std::uint64_t pad(std::uint64_t salt, std::uint64_t index, std::uint32_t longest) {
  return longest == 0 ? 0 : mix(salt + index) % (longest + 1);
}

bool take_head(std::string_view bytes, std::size_t& at, char head) {
  if (at >= bytes.size() || bytes[at] != head) return false;
  ++at;
  return true;
}

}  // namespace

void append_tuple(std::string& out, const JobPlan& job, std::uint64_t index) {
  out += '\x93';
  append_u64(out, job.ordinal);
  append_u64(out, index);
  append_pad(out, pad(job.salt, index, job.tuple_pad));
}

bool take_tuple(std::string_view bytes, std::size_t& at, const JobPlan& job, std::uint64_t index) {
  std::uint64_t ordinal = 0;
  std::uint64_t found = 0;
  return take_head(bytes, at, '\x93') && take_u64(bytes, at, ordinal) &&
         take_u64(bytes, at, found) && ordinal == job.ordinal && found == index &&
         take_pad(bytes, at, pad(job.salt, index, job.tuple_pad));
}

std::optional<std::uint64_t> tuple_at(std::string_view bytes, std::size_t at, const JobPlan& job) {
  std::uint64_t ordinal = 0;
  std::uint64_t found = 0;
  if (!take_head(bytes, at, '\x93') || !take_u64(bytes, at, ordinal) ||
      !take_u64(bytes, at, found) || ordinal != job.ordinal || found >= job.tuples)
    return std::nullopt;
  return found;
}

void append_value(std::string& out, const JobPlan& job, std::uint64_t index, ValueFacts facts) {
  out += '\x95';
  append_u64(out, job.ordinal);
  append_u64(out, index);
  append_u64(out, facts.token);
  append_u64(out, facts.execution);
  append_pad(out, pad(~job.salt, index, job.value_pad));
}

std::optional<ValueFacts> take_value(std::string_view bytes, std::size_t& at, const JobPlan& job,
                                     std::uint64_t index) {
  std::uint64_t ordinal = 0;
  std::uint64_t found = 0;
  ValueFacts facts;
  const bool is_it = take_head(bytes, at, '\x95') && take_u64(bytes, at, ordinal) &&
                     take_u64(bytes, at, found) && take_u64(bytes, at, facts.token) &&
                     take_u64(bytes, at, facts.execution) && ordinal == job.ordinal &&
                     found == index && take_pad(bytes, at, pad(~job.salt, index, job.value_pad));
  if (!is_it) return std::nullopt;
  return facts;
}

std::string failure_text(const JobPlan& job, std::uint64_t index, std::uint64_t token) {
  return fmt::format("task {} of {} failed under t{}", index, job.key, token);
}

}  // namespace fanmill::sim
