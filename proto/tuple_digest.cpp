#include "proto/tuple_digest.hpp"

// A header is enough of the library here.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

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

// The parts of the state that are not the same for every beginning. The library is compiled in
// here, and its hosts are little-endian.
std::string TupleDigest::save() const {
  const XXH3_state_t& from = state_->xxh3;
  std::string saved;
  const auto put = [&saved](const auto& part) {
    saved.append(reinterpret_cast<const char*>(&part), sizeof part);
  };
  put(from.acc);
  put(from.buffer);
  put(from.bufferedSize);
  put(static_cast<std::uint64_t>(from.nbStripesSoFar));
  put(from.totalLen);
  return saved;
}

bool TupleDigest::load(std::string_view saved) {
  XXH3_64bits_reset(&state_->xxh3);
  XXH3_state_t to = state_->xxh3;
  std::uint64_t stripes = 0;
  bool whole = true;
  const auto take = [&](auto& part) {
    whole = whole && saved.size() >= sizeof part;
    if (!whole) return;
    std::memcpy(&part, saved.data(), sizeof part);
    saved.remove_prefix(sizeof part);
  };
  take(to.acc);
  take(to.buffer);
  take(to.bufferedSize);
  take(stripes);
  take(to.totalLen);
  if (!whole || !saved.empty() || to.bufferedSize > sizeof to.buffer ||
      stripes >= to.nbStripesPerBlock)
    return false;
  to.nbStripesSoFar = static_cast<std::size_t>(stripes);
  state_->xxh3 = to;
  return true;
}

std::uint64_t TupleDigest::value() const { return XXH3_64bits_digest(&state_->xxh3); }

}  // namespace fanmill
