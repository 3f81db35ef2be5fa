// msgpack as C++ values. read() says whether the bytes at the cursor are a T; where they are not,
// the cursor is somewhere behind its beginning. Bytes are not trusted.
//
//   bool · integers (any msgpack integer that fits) · float, double (also integers)
//   std::string (str, bin) · Bytes (bin, str) · Value (anything) · std::optional (or nil)
//   vectors and their like, std::array, std::pair, std::tuple (arrays) · maps (maps)
//   FANMILL_FIELDS structs (maps by name, arrays by position)
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fanmill/fields.hpp>
#include <fanmill/value.hpp>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fanmill::client {

struct Cursor {
  const unsigned char* at = nullptr;
  const unsigned char* end = nullptr;

  Cursor() = default;
  explicit Cursor(std::string_view bytes)
      : at(reinterpret_cast<const unsigned char*>(bytes.data())), end(at + bytes.size()) {}
  std::size_t left() const { return static_cast<std::size_t>(end - at); }
  std::string_view view() const { return {reinterpret_cast<const char*>(at), left()}; }
};

// Compiled parts.
bool skip_value(Cursor& cursor);            // false: what is there is no whole value
bool read_any(Cursor& cursor, Value& out);  // within the limits on nesting and size
std::string describe_value(Cursor cursor);  // `str "abc"`, `int 7`, `null`; cut where long

template <class Word>
Word take_be(const unsigned char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof word == 2) word = __builtin_bswap16(word);
    if constexpr (sizeof word == 4) word = __builtin_bswap32(word);
    if constexpr (sizeof word == 8) word = __builtin_bswap64(word);
  }
  return word;
}

template <class Word, class Wide>
bool take_number(Cursor& cursor, Wide& out) {
  if (cursor.left() < 1 + sizeof(Word)) return false;
  using Unsigned = std::make_unsigned_t<Word>;
  out = static_cast<Wide>(static_cast<Word>(take_be<Unsigned>(cursor.at + 1)));
  cursor.at += 1 + sizeof(Word);
  return true;
}

// An integer as two's complement in 64 bits, and whether it is below zero.
inline bool read_integer(Cursor& cursor, std::uint64_t& bits, bool& negative) {
  if (cursor.at == cursor.end) return false;
  const unsigned head = *cursor.at;
  negative = false;
  if (head < 0x80) {
    bits = head;
    ++cursor.at;
    return true;
  }
  std::int64_t wide = 0;
  bool ok = true;
  switch (head) {
    case 0xcc:
      return take_number<std::uint8_t>(cursor, bits);
    case 0xcd:
      return take_number<std::uint16_t>(cursor, bits);
    case 0xce:
      return take_number<std::uint32_t>(cursor, bits);
    case 0xcf:
      return take_number<std::uint64_t>(cursor, bits);
    case 0xd0:
      ok = take_number<std::int8_t>(cursor, wide);
      break;
    case 0xd1:
      ok = take_number<std::int16_t>(cursor, wide);
      break;
    case 0xd2:
      ok = take_number<std::int32_t>(cursor, wide);
      break;
    case 0xd3:
      ok = take_number<std::int64_t>(cursor, wide);
      break;
    default:
      if (head < 0xe0) return false;
      wide = static_cast<std::int8_t>(head);
      ++cursor.at;
  }
  bits = static_cast<std::uint64_t>(wide);
  negative = wide < 0;
  return ok;
}

inline bool read_real(Cursor& cursor, double& out) {
  if (cursor.at == cursor.end) return false;
  if (*cursor.at == 0xcb && cursor.left() >= 9) {
    out = std::bit_cast<double>(take_be<std::uint64_t>(cursor.at + 1));
    cursor.at += 9;
    return true;
  }
  if (*cursor.at == 0xca && cursor.left() >= 5) {
    out = static_cast<double>(std::bit_cast<float>(take_be<std::uint32_t>(cursor.at + 1)));
    cursor.at += 5;
    return true;
  }
  std::uint64_t bits = 0;
  bool negative = false;
  if (!read_integer(cursor, bits, negative)) return false;
  out = negative ? static_cast<double>(static_cast<std::int64_t>(bits)) : static_cast<double>(bits);
  return true;
}

// The length behind a head: short forms `fix` … `fix | mask`, then 8 bits (0: there is no such
// form), 16 and 32 bits.
inline bool read_length(Cursor& cursor, unsigned fix, unsigned mask, unsigned in8, unsigned in16,
                        unsigned in32, std::size_t& out) {
  if (cursor.at == cursor.end) return false;
  const unsigned head = *cursor.at;
  if (mask != 0 && (head & ~mask) == fix) {
    out = head & mask;
    ++cursor.at;
    return true;
  }
  if (in8 != 0 && head == in8) return take_number<std::uint8_t>(cursor, out);
  if (head == in16) return take_number<std::uint16_t>(cursor, out);
  if (head == in32) return take_number<std::uint32_t>(cursor, out);
  return false;
}
// A length is a claim until its elements were read: each takes a byte at least.
inline bool read_array_head(Cursor& cursor, std::size_t& length) {
  return read_length(cursor, 0x90, 0x0f, 0, 0xdc, 0xdd, length) && length <= cursor.left();
}
inline bool read_map_head(Cursor& cursor, std::size_t& entries) {
  return read_length(cursor, 0x80, 0x0f, 0, 0xde, 0xdf, entries) && entries <= cursor.left() / 2;
}
inline bool read_text(Cursor& cursor, std::string_view& out) {
  std::size_t length = 0;
  if (!read_length(cursor, 0xa0, 0x1f, 0xd9, 0xda, 0xdb, length) &&
      !read_length(cursor, 0, 0, 0xc4, 0xc5, 0xc6, length)) {
    return false;
  }
  if (length > cursor.left()) return false;
  out = cursor.view().substr(0, length);
  cursor.at += length;
  return true;
}

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsStdArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsStdArray<std::array<T, N>> = true;
template <class T>
concept ReadTuple = requires { std::tuple_size<T>::value; };
template <class T>
concept ReadMap = requires(T map, typename T::key_type key, typename T::mapped_type value) {
  map.emplace(std::move(key), std::move(value));
};
template <class T>
concept ReadList = !ReadMap<T> && requires(T list, typename T::value_type element) {
  list.clear();
  list.insert(list.end(), std::move(element));
};

template <class T>
bool read(Cursor& cursor, T& out);

template <WithFields T>
bool read_fields(Cursor& cursor, T& out) {
  std::size_t length = 0;
  const Cursor start = cursor;
  if (read_array_head(cursor, length)) {
    bool ok = length == kFields<T>;
    for_each_field<T>([&](const char*, auto member) { ok = ok && read(cursor, out.*member); });
    return ok;
  }
  cursor = start;
  if (!read_map_head(cursor, length)) return false;
  std::array<bool, kFields<T>> seen{};
  for (std::size_t i = 0; i < length; ++i) {
    std::string_view key;
    if (!read_text(cursor, key)) return false;
    bool known = false;
    bool ok = true;
    std::size_t number = 0;
    for_each_field<T>([&](const char* name, auto member) {
      if (!known && key == name) {
        known = seen[number] = true;
        ok = read(cursor, out.*member);
      }
      ++number;
    });
    if (!ok || (!known && !skip_value(cursor))) return false;
  }
  bool complete = true;
  std::size_t number = 0;
  for_each_field<T>([&](const char*, auto member) {
    using Field = std::remove_cvref_t<decltype(out.*member)>;
    if constexpr (!kIsOptional<Field>) complete = complete && seen[number];
    ++number;
  });
  return complete;
}

template <class T>
bool read(Cursor& cursor, T& out) {
  if constexpr (std::same_as<T, bool>) {
    if (cursor.at == cursor.end || (*cursor.at != 0xc2 && *cursor.at != 0xc3)) return false;
    out = *cursor.at++ == 0xc3;
    return true;
  } else if constexpr (std::integral<T>) {
    std::uint64_t bits = 0;
    bool negative = false;
    if (!read_integer(cursor, bits, negative)) return false;
    if (negative) {
      const auto value = static_cast<std::int64_t>(bits);
      if (!std::in_range<T>(value)) return false;
      out = static_cast<T>(value);
    } else {
      if (!std::in_range<T>(bits)) return false;
      out = static_cast<T>(bits);
    }
    return true;
  } else if constexpr (std::floating_point<T>) {
    double value = 0;
    if (!read_real(cursor, value)) return false;
    out = static_cast<T>(value);
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> value{};
    if (!read(cursor, value)) return false;
    out = static_cast<T>(value);
    return true;
  } else if constexpr (std::same_as<T, std::string>) {
    std::string_view text;
    if (!read_text(cursor, text)) return false;
    out.assign(text);
    return true;
  } else if constexpr (std::same_as<T, Bytes>) {
    std::string_view text;
    if (!read_text(cursor, text)) return false;
    out.data.assign(text);
    return true;
  } else if constexpr (std::same_as<T, Value>) {
    return read_any(cursor, out);
  } else if constexpr (std::same_as<T, std::monostate>) {
    if (cursor.at == cursor.end || *cursor.at != 0xc0) return false;
    ++cursor.at;
    return true;
  } else if constexpr (kIsOptional<T>) {
    if (cursor.at != cursor.end && *cursor.at == 0xc0) {
      ++cursor.at;
      out.reset();
      return true;
    }
    return read(cursor, out.emplace());
  } else if constexpr (WithFields<T>) {
    return read_fields(cursor, out);
  } else if constexpr (ReadTuple<T>) {
    std::size_t length = 0;
    if (!read_array_head(cursor, length) || length != std::tuple_size_v<T>) return false;
    return std::apply([&](auto&... element) { return (read(cursor, element) && ...); }, out);
  } else if constexpr (ReadMap<T>) {
    std::size_t entries = 0;
    if (!read_map_head(cursor, entries)) return false;
    out.clear();
    for (std::size_t i = 0; i < entries; ++i) {
      typename T::key_type key{};
      typename T::mapped_type value{};
      if (!read(cursor, key) || !read(cursor, value)) return false;
      out.emplace(std::move(key), std::move(value));
    }
    return true;
  } else if constexpr (ReadList<T>) {
    std::size_t length = 0;
    if (!read_array_head(cursor, length)) return false;
    out.clear();
    for (std::size_t i = 0; i < length; ++i) {
      typename T::value_type element{};
      if (!read(cursor, element)) return false;
      out.insert(out.end(), std::move(element));
    }
    return true;
  } else {
    static_assert(std::is_void_v<T>,
                  "a result cannot be read as this type; for a struct of your own, see "
                  "FANMILL_FIELDS; views of text would dangle, use std::string");
    return false;
  }
}

// The name of T in the language of signatures: "int", "float?", "list[str]".
template <class T>
std::string type_name() {
  if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::integral<T>) {
    std::string name = "int";
    if constexpr (!std::same_as<T, std::int64_t>) {
      name += " from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
              std::to_string(std::numeric_limits<T>::max());
    }
    return name;
  } else if constexpr (std::is_enum_v<T>) {
    return "int";
  } else if constexpr (std::floating_point<T>) {
    return "float";
  } else if constexpr (std::same_as<T, std::string>) {
    return "str";
  } else if constexpr (std::same_as<T, Bytes>) {
    return "bytes";
  } else if constexpr (std::same_as<T, Value>) {
    return "any";
  } else if constexpr (std::same_as<T, std::monostate>) {
    return "null";
  } else if constexpr (kIsOptional<T>) {
    return type_name<typename T::value_type>() + "?";
  } else if constexpr (WithFields<T>) {
    std::string names;
    for_each_field<T>([&](const char* name, auto member) {
      if (!names.empty()) names += ", ";
      names += name;
      names += ": " + type_name<std::remove_cvref_t<decltype(std::declval<T&>().*member)>>();
    });
    return "{" + names + "}";
  } else if constexpr (ReadTuple<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      std::string names;
      ((names += (I == 0 ? "" : ", ") + type_name<std::tuple_element_t<I, T>>()), ...);
      return "tuple[" + names + "]";
    }(std::make_index_sequence<std::tuple_size_v<T>>{});
  } else if constexpr (ReadMap<T>) {
    return "map[" + type_name<typename T::mapped_type>() + "]";
  } else {
    return "list[" + type_name<typename T::value_type>() + "]";
  }
}

}  // namespace fanmill::client
