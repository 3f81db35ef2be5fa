// Values as bytes of a peer: decoding that refuses what is hostile. What a Value is:
// proto/include/fanmill/value.hpp, which is also the installed header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/error.hpp"
#include "proto/include/fanmill/value.hpp"

namespace fanmill {

// Decodes one value that starts at `at`, and moves `at` behind it. Refused (kProtocol, kLimit):
// truncated bytes, containers nested more than kValueDepthMax deep (a tuple's own array counts),
// ext types, sizes over the limits. Never allocates more than the input could fill.
Result<Value> decode_msgpack(std::string_view bytes, std::size_t& at);

// Moves `at` behind `count` values without building anything; the same checks.
Result<void> skip_msgpack(std::string_view bytes, std::size_t& at, std::uint64_t count);

// JSON straight from msgpack, without building a Value: the path of a million results.
Result<void> append_json_from_msgpack(std::string& out, std::string_view bytes, std::size_t& at);

}  // namespace fanmill
