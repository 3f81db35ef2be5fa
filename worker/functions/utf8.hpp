// Is it UTF-8? (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.)
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace fanmill::worker {

inline bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = at + text.size();
  while (at != end) {
    while (end - at >= 8) {  // eight bytes of ASCII at a time
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      if ((word & 0x8080808080808080U) != 0) break;
      at += 8;
    }
    if (at == end) break;
    if (*at < 0x80) {
      ++at;
      continue;
    }
    int more = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (*at >= 0xc2 && *at <= 0xdf) {
      more = 1;
    } else if (*at >= 0xe0 && *at <= 0xef) {
      more = 2;
      if (*at == 0xe0) low = 0xa0;
      if (*at == 0xed) high = 0x9f;
    } else if (*at >= 0xf0 && *at <= 0xf4) {
      more = 3;
      if (*at == 0xf0) low = 0x90;
      if (*at == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - at <= more) return false;
    ++at;
    for (; more > 0; --more, ++at) {
      if (*at < low || *at > high) return false;
      low = 0x80;
      high = 0xbf;
    }
  }
  return true;
}

}  // namespace fanmill::worker
