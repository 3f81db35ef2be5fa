// Where a broker is, and what proves who calls.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "proto/error.hpp"

namespace fanmill {

// A CURVE key pair, both halves in Z85: 40 characters. Empty: none.
struct CurveKeys {
  std::string public_key;
  std::string secret_key;
  friend bool operator==(const CurveKeys&, const CurveKeys&) = default;
};

// `endpoint` over TCP needs the other two; inproc and ipc take none.
struct Address {
  std::string endpoint;
  std::string server_key;  // the broker's public key, in Z85
  CurveKeys keys;          // the caller's own

  Address() = default;
  Address(std::string at) : endpoint(std::move(at)) {}
  Address(const char* at) : endpoint(at) {}
  friend bool operator==(const Address&, const Address&) = default;
};

enum class Transport : std::uint8_t { kInproc, kIpc, kTcp };

struct Endpoint {
  Transport transport;
  std::string name;  // or path, or address and port
};

// kUsage: what fanmill cannot listen at or connect to, and what to write instead.
Result<Endpoint> parse_endpoint(const std::string& endpoint);

}  // namespace fanmill
