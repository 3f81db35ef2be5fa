#include "proto/tuple_digest.hpp"

// A header is enough of the library here.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fanmill {

struct TupleDigest::State {
  XXH3_state_t xxh3;
};

TupleDigest::TupleDigest() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh3); }
TupleDigest::TupleDigest(TupleDigest&&) noexcept = default;
TupleDigest& TupleDigest::operator=(TupleDigest&&) noexcept = default;
TupleDigest::~TupleDigest() = default;

void TupleDigest::update(std::string_view bytes) {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

std::uint64_t TupleDigest::value() const { return XXH3_64bits_digest(&state_->xxh3); }

}  // namespace fanmill
