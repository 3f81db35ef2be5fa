#include "producer/journal/tuple_hash.hpp"

// A header is enough of the library here.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

namespace fanmill::producer {
namespace {

void append_big_endian(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(number >> shift & 0xffU));
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

}  // namespace

TupleHash hash_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

void append_hash(std::string& out, const TupleHash& hash) {
  append_big_endian(out, hash.high);
  append_big_endian(out, hash.low);
}

TupleHash read_hash(std::string_view bytes) {
  return {read_big_endian(bytes), read_big_endian(bytes.substr(8))};
}

std::int64_t checksum_of(std::uint64_t place, std::string_view head, std::string_view bytes) {
  const XXH64_hash_t front = XXH3_64bits_withSeed(head.data(), head.size(), place);
  return std::bit_cast<std::int64_t>(
      std::uint64_t{XXH3_64bits_withSeed(bytes.data(), bytes.size(), front)});
}

}  // namespace fanmill::producer
