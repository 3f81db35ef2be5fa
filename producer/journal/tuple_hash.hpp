// What a tuple is known by in a journal: XXH3 with 128 bits over its msgpack bytes, so that two
// tuples of a billion are alike by chance once in 10^20 journals.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace fanmill::producer {

struct TupleHash {
  std::uint64_t high{};
  std::uint64_t low{};
  friend auto operator<=>(const TupleHash&, const TupleHash&) = default;
};

inline constexpr std::size_t kTupleHashBytes = 16;

TupleHash hash_of(std::string_view bytes);
void append_hash(std::string& out, const TupleHash& hash);  // kTupleHashBytes, big-endian
TupleHash read_hash(std::string_view bytes);                // of at least as many

// Of a row of the journal: by where it lies too, so that one row does not pass for another.
std::int64_t checksum_of(std::uint64_t place, std::string_view head, std::string_view bytes);

}  // namespace fanmill::producer
