// Reading hostile msgpack: a cursor over bytes that refuses by throwing, and never allocates. Only
// the decoders of proto/ use it; they turn a Refusal into a Result with guarded().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include "proto/error.hpp"

namespace fanmill::wire {

struct Refusal {
  ErrorCode code;
  const char* what;
};
[[noreturn]] void refuse(ErrorCode code, const char* what);

// Runs a decoder; whatever it throws becomes a value. `what` names what was being decoded.
template <class Decode>
auto guarded(const char* what, Decode&& decode) -> Result<decltype(decode())> {
  try {
    if constexpr (std::is_void_v<decltype(decode())>) {
      decode();
      return {};
    } else {
      return decode();
    }
  } catch (const Refusal& refusal) {
    return fail(refusal.code, std::string(what) + ": " + refusal.what);
  } catch (const std::exception& error) {  // no memory
    return fail(ErrorCode::kLimit, std::string(what) + ": " + error.what());
  }
}

// The kinds of msgpack that fanmill speaks; ext types are refused.
enum class Kind : std::uint8_t {
  kNil,
  kFalse,
  kTrue,
  kUint,
  kInt,
  kDouble,
  kStr,
  kBin,
  kArray,
  kMap
};

// One element's head. Of kUint `number` is the value, of kInt (negative) its two's complement, of
// kDouble its bits; else the length.
struct Head {
  Kind kind;
  std::uint64_t number;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  const char* position() const { return at_; }

  // The next element's head. A length that the remaining bytes cannot hold is refused: every
  // element takes at least one byte.
  Head head();
  std::string_view bytes(std::uint64_t size) {  // of a kStr or kBin just read
    const std::string_view view(at_, static_cast<std::size_t>(size));
    at_ += size;
    return view;
  }
  // Passes over whole values, containers nested at most limits::kValueDepthMax deep.
  void skip(std::uint64_t count);

  std::uint64_t uint() {
    // Small numbers are most numbers.
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) {
      return static_cast<unsigned char>(*at_++);
    }
    const Head next = head();
    if (next.kind != Kind::kUint) refuse(ErrorCode::kProtocol, "a number is expected");
    return next.number;
  }
  std::int64_t int64() {
    const Head next = head();
    if (next.kind == Kind::kInt || (next.kind == Kind::kUint && next.number <= INT64_MAX)) {
      return static_cast<std::int64_t>(next.number);
    }
    refuse(ErrorCode::kProtocol, "an integer is expected");
  }
  bool boolean() {
    const Head next = head();
    if (next.kind != Kind::kTrue && next.kind != Kind::kFalse) {
      refuse(ErrorCode::kProtocol, "a boolean is expected");
    }
    return next.kind == Kind::kTrue;
  }
  std::string_view str(std::size_t most) { return text(Kind::kStr, most); }
  std::string_view bin(std::size_t most) { return text(Kind::kBin, most); }
  std::uint64_t array(std::size_t most) {
    const Head next = head();
    if (next.kind != Kind::kArray) refuse(ErrorCode::kProtocol, "an array is expected");
    if (next.number > most) refuse(ErrorCode::kLimit, "an array is too long");
    return next.number;
  }
  bool take_nil() {
    if (at_ == end_ || static_cast<unsigned char>(*at_) != 0xc0) return false;
    ++at_;
    return true;
  }
  void expect_end() const {
    if (at_ != end_) refuse(ErrorCode::kProtocol, "bytes after the end");
  }

 private:
  std::string_view text(Kind kind, std::size_t most) {
    const Head next = head();
    if (next.kind != kind) refuse(ErrorCode::kProtocol, "text or bytes are expected");
    if (next.number > most) refuse(ErrorCode::kLimit, "text or bytes are too long");
    return bytes(next.number);
  }
  std::uint64_t big_endian(unsigned size) {
    if (left() < size) refuse(ErrorCode::kProtocol, "the bytes end too early");
    std::uint64_t number = 0;
    for (unsigned i = 0; i < size; ++i) {
      number = number << 8 | static_cast<unsigned char>(at_[i]);
    }
    at_ += size;
    return number;
  }
  Head sized(Kind kind, std::uint64_t size) const {
    if (size > left()) refuse(ErrorCode::kProtocol, "a length goes past the end");
    return {kind, size};
  }

  const char* at_;
  const char* end_;
};

}  // namespace fanmill::wire
