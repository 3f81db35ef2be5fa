// msgpack straight into a chunk's bytes, for sources that build millions of tuples: no Value in
// between. Integers take their shortest form. C++ values: detail/pack_types.hpp.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fanmill::pack {

namespace detail {
template <class Word>
void append_be(std::string& out, char head, Word word) {
  char bytes[1 + sizeof(Word)];
  bytes[0] = head;
  for (std::size_t i = 0; i < sizeof(Word); ++i) {
    bytes[1 + i] = static_cast<char>(word >> (8 * (sizeof(Word) - 1 - i)));
  }
  out.append(bytes, sizeof bytes);
}
}  // namespace detail

inline void nil(std::string& out) { out.push_back(static_cast<char>(0xc0)); }
inline void boolean(std::string& out, bool v) { out.push_back(static_cast<char>(v ? 0xc3 : 0xc2)); }

inline void uint(std::string& out, std::uint64_t v) {
  if (v < 0x80) {
    out.push_back(static_cast<char>(v));
  } else if (v <= 0xff) {
    detail::append_be(out, static_cast<char>(0xcc), static_cast<std::uint8_t>(v));
  } else if (v <= 0xffff) {
    detail::append_be(out, static_cast<char>(0xcd), static_cast<std::uint16_t>(v));
  } else if (v <= 0xffffffff) {
    detail::append_be(out, static_cast<char>(0xce), static_cast<std::uint32_t>(v));
  } else {
    detail::append_be(out, static_cast<char>(0xcf), v);
  }
}

inline void integer(std::string& out, std::int64_t v) {
  const auto word = static_cast<std::uint64_t>(v);
  if (v >= 0) {
    uint(out, word);
  } else if (v >= -32) {
    out.push_back(static_cast<char>(word));
  } else if (v >= INT8_MIN) {
    detail::append_be(out, static_cast<char>(0xd0), static_cast<std::uint8_t>(word));
  } else if (v >= INT16_MIN) {
    detail::append_be(out, static_cast<char>(0xd1), static_cast<std::uint16_t>(word));
  } else if (v >= INT32_MIN) {
    detail::append_be(out, static_cast<char>(0xd2), static_cast<std::uint32_t>(word));
  } else {
    detail::append_be(out, static_cast<char>(0xd3), word);
  }
}

inline void number(std::string& out, double v) {
  detail::append_be(out, static_cast<char>(0xcb), std::bit_cast<std::uint64_t>(v));
}

inline void text(std::string& out, std::string_view v) {
  if (v.size() < 32) {
    out.push_back(static_cast<char>(0xa0 | v.size()));
  } else if (v.size() <= 0xff) {
    detail::append_be(out, static_cast<char>(0xd9), static_cast<std::uint8_t>(v.size()));
  } else if (v.size() <= 0xffff) {
    detail::append_be(out, static_cast<char>(0xda), static_cast<std::uint16_t>(v.size()));
  } else {
    detail::append_be(out, static_cast<char>(0xdb), static_cast<std::uint32_t>(v.size()));
  }
  out.append(v);
}

inline void bytes(std::string& out, std::string_view v) {
  if (v.size() <= 0xff) {
    detail::append_be(out, static_cast<char>(0xc4), static_cast<std::uint8_t>(v.size()));
  } else if (v.size() <= 0xffff) {
    detail::append_be(out, static_cast<char>(0xc5), static_cast<std::uint16_t>(v.size()));
  } else {
    detail::append_be(out, static_cast<char>(0xc6), static_cast<std::uint32_t>(v.size()));
  }
  out.append(v);
}

inline void array_head(std::string& out, std::size_t elements) {
  if (elements < 16) {
    out.push_back(static_cast<char>(0x90 | elements));
  } else if (elements <= 0xffff) {
    detail::append_be(out, static_cast<char>(0xdc), static_cast<std::uint16_t>(elements));
  } else {
    detail::append_be(out, static_cast<char>(0xdd), static_cast<std::uint32_t>(elements));
  }
}

inline void map_head(std::string& out, std::size_t entries) {
  if (entries < 16) {
    out.push_back(static_cast<char>(0x80 | entries));
  } else if (entries <= 0xffff) {
    detail::append_be(out, static_cast<char>(0xde), static_cast<std::uint16_t>(entries));
  } else {
    detail::append_be(out, static_cast<char>(0xdf), static_cast<std::uint32_t>(entries));
  }
}

}  // namespace fanmill::pack
