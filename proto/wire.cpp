#include "proto/wire.hpp"

#include <array>
#include <bit>

#include "proto/limits.hpp"

namespace fanmill::wire {

void refuse(ErrorCode code, const char* what) { throw Refusal{code, what}; }

Head Reader::head() {
  if (at_ == end_) refuse(ErrorCode::kProtocol, "the bytes end too early");
  const auto lead = static_cast<unsigned char>(*at_++);
  if (lead < 0x80) return {Kind::kUint, lead};
  if (lead >= 0xe0) {
    return {Kind::kInt, static_cast<std::uint64_t>(std::int64_t{static_cast<std::int8_t>(lead)})};
  }
  if (lead < 0x90) {
    const std::uint64_t pairs = lead & 0x0fU;
    sized(Kind::kMap, 2 * pairs);
    return {Kind::kMap, pairs};
  }
  if (lead < 0xa0) return sized(Kind::kArray, lead & 0x0fU);
  if (lead < 0xc0) return sized(Kind::kStr, lead & 0x1fU);
  const auto negative = [](std::int64_t number) -> Head {
    return {number < 0 ? Kind::kInt : Kind::kUint, static_cast<std::uint64_t>(number)};
  };
  switch (lead) {
    case 0xc0:
      return {Kind::kNil, 0};
    case 0xc2:
      return {Kind::kFalse, 0};
    case 0xc3:
      return {Kind::kTrue, 0};
    case 0xc4:
      return sized(Kind::kBin, big_endian(1));
    case 0xc5:
      return sized(Kind::kBin, big_endian(2));
    case 0xc6:
      return sized(Kind::kBin, big_endian(4));
    case 0xca: {
      const auto bits = static_cast<std::uint32_t>(big_endian(4));
      return {Kind::kDouble, std::bit_cast<std::uint64_t>(double{std::bit_cast<float>(bits)})};
    }
    case 0xcb:
      return {Kind::kDouble, big_endian(8)};
    case 0xcc:
      return {Kind::kUint, big_endian(1)};
    case 0xcd:
      return {Kind::kUint, big_endian(2)};
    case 0xce:
      return {Kind::kUint, big_endian(4)};
    case 0xcf:
      return {Kind::kUint, big_endian(8)};
    case 0xd0:
      return negative(static_cast<std::int8_t>(big_endian(1)));
    case 0xd1:
      return negative(static_cast<std::int16_t>(big_endian(2)));
    case 0xd2:
      return negative(static_cast<std::int32_t>(big_endian(4)));
    case 0xd3:
      return negative(static_cast<std::int64_t>(big_endian(8)));
    case 0xd9:
      return sized(Kind::kStr, big_endian(1));
    case 0xda:
      return sized(Kind::kStr, big_endian(2));
    case 0xdb:
      return sized(Kind::kStr, big_endian(4));
    case 0xdc:
      return sized(Kind::kArray, big_endian(2));
    case 0xdd:
      return sized(Kind::kArray, big_endian(4));
    case 0xde:
    case 0xdf: {
      const std::uint64_t pairs = big_endian(lead == 0xde ? 2 : 4);
      sized(Kind::kMap, 2 * pairs);
      return {Kind::kMap, pairs};
    }
    default:
      refuse(ErrorCode::kProtocol, "an ext type or the unused byte c1");
  }
}

void Reader::skip(std::uint64_t count) {
  std::array<std::uint64_t, limits::kValueDepthMax> outer{};  // what remains around each container
  std::size_t depth = 0;
  for (;;) {
    while (count == 0) {
      if (depth == 0) return;
      count = outer[--depth];
    }
    --count;
    // Scalars of one byte need no head.
    if (at_ != end_) {
      const auto lead = static_cast<unsigned char>(*at_);
      if (lead < 0x80 || lead >= 0xe0) {
        ++at_;
        continue;
      }
    }
    const Head next = head();
    switch (next.kind) {
      case Kind::kStr:
      case Kind::kBin:
        if (next.number > limits::kValueBytesMax) refuse(ErrorCode::kLimit, "a value is too long");
        at_ += next.number;
        break;
      case Kind::kArray:
      case Kind::kMap:
        if (depth == outer.size()) refuse(ErrorCode::kLimit, "values are nested too deeply");
        outer[depth++] = count;
        count = next.kind == Kind::kMap ? 2 * next.number : next.number;
        break;
      case Kind::kNil:
      case Kind::kFalse:
      case Kind::kTrue:
      case Kind::kUint:
      case Kind::kInt:
      case Kind::kDouble:
        break;
    }
  }
}

}  // namespace fanmill::wire
