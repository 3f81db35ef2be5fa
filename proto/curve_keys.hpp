// CURVE keys (ZeroMQ RFC 26, made by libsodium). To be made before threads use other sockets.
#pragma once

#include <string_view>

#include "proto/address.hpp"
#include "proto/error.hpp"

namespace fanmill {

CurveKeys make_curve_keys();

// 40 characters of Z85 that stand for 32 bytes.
bool is_curve_key(std::string_view text);

// The pair that belongs to a secret key; kMalformedInput if the text is none.
Result<CurveKeys> keys_of_secret(const std::string& secret_key);

}  // namespace fanmill
