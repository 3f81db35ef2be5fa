#include "proto/curve_keys.hpp"

#include <zmq.h>

#include <array>
#include <cstdint>
#include <string>

namespace fanmill {
namespace {

constexpr std::size_t kTextBytes = 40;
constexpr std::size_t kKeyBytes = 32;
using KeyText = std::array<char, kTextBytes + 1>;  // and the zero that libzmq appends

}  // namespace

CurveKeys make_curve_keys() {
  KeyText public_key{};
  KeyText secret_key{};
  // Fails only for a libzmq that was built without CURVE.
  FANMILL_ASSERT(zmq_curve_keypair(public_key.data(), secret_key.data()) == 0);
  return {public_key.data(), secret_key.data()};
}

bool is_curve_key(std::string_view text) {
  if (text.size() != kTextBytes) return false;
  std::array<std::uint8_t, kKeyBytes> bytes{};
  return zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

Result<CurveKeys> keys_of_secret(const std::string& secret_key) {
  KeyText public_key{};
  if (!is_curve_key(secret_key) || zmq_curve_public(public_key.data(), secret_key.c_str()) != 0) {
    return fail(ErrorCode::kMalformedInput, "a key has 40 characters of Z85, and this is none");
  }
  return CurveKeys{public_key.data(), secret_key};
}

}  // namespace fanmill
