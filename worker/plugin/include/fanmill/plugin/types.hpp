// What each C++ type is as a value: its name in the signature, how it is read and written.
//
//   bool · integers · float, double          bool · int · float (which also takes integers)
//   std::string, std::string_view            str; const char* as a result
//   std::vector<std::byte>, std::span<const std::byte>   bytes (which also takes text)
//   std::vector<T>                           list[T]
//   std::map, std::unordered_map<std::string, T>         map[T]
//   std::pair, std::tuple                    tuple[T, U, …]
//   std::optional<T>                         T?
//   std::nullptr_t, std::monostate           null
//   fanmill::Packed                          any: the value's msgpack as it is
//
// Views point into the tuple and are valid during the call.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "fanmill/plugin/msgpack.hpp"

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {

// Any value, as msgpack.
struct Packed {
  std::string_view bytes;
};

namespace detail {

// Where reading stopped, if what stands there is not what the C++ type holds.
struct Misfit {
  const char* at = nullptr;
  std::string (*wanted)(bool is_int) = nullptr;  // "an int"; of an integer "an int from 0 to 255"
};

template <class T>
struct Codec {
  static_assert(sizeof(T) == 0,
                "fanmill has no such parameter or result type; see <fanmill/plugin/types.hpp>");
};

template <class T>
std::string type_text() {
  std::string out;
  Codec<T>::type(out);
  return out;
}
template <class T>
std::string wanted_text(bool is_int) {
  if constexpr (requires { Codec<T>::range(); }) {
    if (is_int) return Codec<T>::range();
  }
  const std::string type = type_text<T>();
  return (type.front() == 'i' || type.front() == 'a' ? "an " : "a ") + type;
}

// One element into `out`; false where it is none, and `misfit` says where and why.
template <class T>
bool read(Cursor& cursor, T& out, Misfit& misfit) {
  const char* const begin = cursor.at();
  if (Codec<T>::read(cursor, out, misfit)) return true;
  if (misfit.at == nullptr) misfit = {begin, &wanted_text<T>};
  return false;
}

inline bool expect(Cursor& cursor, Kind kind, std::uint64_t& number) {
  Head head;
  if (!cursor.head(head) || head.kind != kind) return false;
  number = head.number;
  return true;
}

template <>
struct Codec<bool> {
  static void type(std::string& out) { out += "bool"; }
  static bool read(Cursor& cursor, bool& out, Misfit&) {
    std::uint64_t number = 0;
    if (!expect(cursor, Kind::kBool, number)) return false;
    out = number != 0;
    return true;
  }
  static void write(Packer& packer, bool v) { packer.boolean(v); }
};

template <class T>
concept Character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !Character<T>;

template <Integer T>
struct Codec<T> {
  static void type(std::string& out) { out += "int"; }
  static std::string range() {
    return "an int from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  }
  static bool read(Cursor& cursor, T& out, Misfit&) {
    Head head;
    if (!cursor.head(head)) return false;
    if (head.kind == Kind::kUint) {
      if (!std::in_range<T>(head.number)) return false;
      out = static_cast<T>(head.number);
      return true;
    }
    const auto negative = static_cast<std::int64_t>(head.number);
    if (head.kind != Kind::kInt || !std::in_range<T>(negative)) return false;
    out = static_cast<T>(negative);
    return true;
  }
  static void write(Packer& packer, T v) {
    if constexpr (std::is_signed_v<T>) {
      packer.integer(v);
    } else {
      packer.uint(v);
    }
  }
};

template <std::floating_point T>
struct Codec<T> {
  static void type(std::string& out) { out += "float"; }
  static bool read(Cursor& cursor, T& out, Misfit&) {
    Head head;
    if (!cursor.head(head)) return false;
    if (head.kind == Kind::kFloat) {
      const auto number = std::bit_cast<double>(head.number);
      out = static_cast<T>(number);
      return std::isfinite(out) || !std::isfinite(number);
    }
    if (head.kind == Kind::kUint) {
      out = static_cast<T>(head.number);
    } else if (head.kind == Kind::kInt) {
      out = static_cast<T>(static_cast<std::int64_t>(head.number));
    } else {
      return false;
    }
    return true;
  }
  static void write(Packer& packer, T v) { packer.number(static_cast<double>(v)); }
};

inline bool read_text(Cursor& cursor, std::string_view& out) {
  std::uint64_t length = 0;
  return expect(cursor, Kind::kStr, length) && cursor.bytes(length, out);
}
template <>
struct Codec<std::string_view> {
  static void type(std::string& out) { out += "str"; }
  static bool read(Cursor& cursor, std::string_view& out, Misfit&) {
    return read_text(cursor, out);
  }
  static void write(Packer& packer, std::string_view v) { packer.text(v); }
};
template <>
struct Codec<std::string> {
  static void type(std::string& out) { out += "str"; }
  static bool read(Cursor& cursor, std::string& out, Misfit&) {
    std::string_view text;
    if (!read_text(cursor, text)) return false;
    out = text;
    return true;
  }
  static void write(Packer& packer, const std::string& v) { packer.text(v); }
};
template <>
struct Codec<const char*> {  // a result alone
  static void type(std::string& out) { out += "str"; }
  static void write(Packer& packer, const char* v) { packer.text(v); }
};

inline bool read_bytes(Cursor& cursor, std::span<const std::byte>& out) {
  Head head;
  std::string_view body;
  if (!cursor.head(head) || (head.kind != Kind::kBin && head.kind != Kind::kStr)) return false;
  if (!cursor.bytes(head.number, body)) return false;
  out = std::as_bytes(std::span(body.data(), body.size()));
  return true;
}
template <>
struct Codec<std::span<const std::byte>> {
  static void type(std::string& out) { out += "bytes"; }
  static bool read(Cursor& cursor, std::span<const std::byte>& out, Misfit&) {
    return read_bytes(cursor, out);
  }
  static void write(Packer& packer, std::span<const std::byte> v) {
    packer.binary({reinterpret_cast<const char*>(v.data()), v.size()});
  }
};
template <>
struct Codec<std::vector<std::byte>> {
  static void type(std::string& out) { out += "bytes"; }
  static bool read(Cursor& cursor, std::vector<std::byte>& out, Misfit&) {
    std::span<const std::byte> bytes;
    if (!read_bytes(cursor, bytes)) return false;
    out.assign(bytes.begin(), bytes.end());
    return true;
  }
  static void write(Packer& packer, const std::vector<std::byte>& v) {
    Codec<std::span<const std::byte>>::write(packer, v);
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void type(std::string& out) { out += "list[" + type_text<T>() + "]"; }
  static bool read(Cursor& cursor, std::vector<T>& out, Misfit& misfit) {
    std::uint64_t count = 0;
    if (!expect(cursor, Kind::kArray, count)) return false;
    if (count > cursor.left()) return false;  // an element has at least one byte
    out.clear();
    out.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
      T element{};
      if (!detail::read(cursor, element, misfit)) return false;
      out.push_back(std::move(element));
    }
    return true;
  }
  static void write(Packer& packer, const std::vector<T>& v) {
    packer.array(v.size());
    for (const auto& element : v) Codec<T>::write(packer, static_cast<const T&>(element));
  }
};

template <class Map>
struct MapCodec {
  using Key = typename Map::key_type;
  using T = typename Map::mapped_type;
  static_assert(std::is_same_v<Key, std::string>, "the keys of a map are std::string");
  static void type(std::string& out) { out += "map[" + type_text<T>() + "]"; }
  static bool read(Cursor& cursor, Map& out, Misfit& misfit) {
    std::uint64_t count = 0;
    if (!expect(cursor, Kind::kMap, count)) return false;
    out.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      Key key;
      T element{};
      if (!detail::read(cursor, key, misfit) || !detail::read(cursor, element, misfit)) {
        return false;
      }
      out.insert_or_assign(std::move(key), std::move(element));
    }
    return true;
  }
  static void write(Packer& packer, const Map& v) {
    packer.map(v.size());
    for (const auto& [key, element] : v) {
      packer.text(key);
      Codec<T>::write(packer, element);
    }
  }
};
template <class T, class... Rest>
struct Codec<std::map<std::string, T, Rest...>> : MapCodec<std::map<std::string, T, Rest...>> {};
template <class T, class... Rest>
struct Codec<std::unordered_map<std::string, T, Rest...>>
    : MapCodec<std::unordered_map<std::string, T, Rest...>> {};

template <class Tuple>
struct TupleCodec {
  static constexpr std::size_t kCount = std::tuple_size_v<Tuple>;
  static void type(std::string& out) {
    out += "tuple[";
    std::size_t i = 0;
    each_type([&]<class T>(std::type_identity<T>) {
      if (i++ > 0) out += ", ";
      Codec<T>::type(out);
    });
    out += "]";
  }
  static bool read(Cursor& cursor, Tuple& out, Misfit& misfit) {
    std::uint64_t count = 0;
    if (!expect(cursor, Kind::kArray, count) || count != kCount) return false;
    return std::apply(
        [&](auto&... elements) { return (detail::read(cursor, elements, misfit) && ...); }, out);
  }
  static void write(Packer& packer, const Tuple& v) {
    packer.array(kCount);
    std::apply(
        [&](const auto&... elements) {
          (Codec<std::remove_cvref_t<decltype(elements)>>::write(packer, elements), ...);
        },
        v);
  }

 private:
  template <class F>
  static void each_type(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::type_identity<std::tuple_element_t<I, Tuple>>{}), ...);
    }(std::make_index_sequence<kCount>{});
  }
};
template <class... T>
struct Codec<std::tuple<T...>> : TupleCodec<std::tuple<T...>> {};
template <class T, class U>
struct Codec<std::pair<T, U>> : TupleCodec<std::pair<T, U>> {};

template <class T>
struct Codec<std::optional<T>> {
  static void type(std::string& out) {
    Codec<T>::type(out);
    if (out.back() != '?') out += '?';
  }
  static bool read(Cursor& cursor, std::optional<T>& out, Misfit& misfit) {
    const char* const begin = cursor.at();
    Head head;
    if (!cursor.head(head)) return false;
    if (head.kind == Kind::kNil) {
      out.reset();
      return true;
    }
    cursor.back_to(begin);
    if (!out) out.emplace();
    return detail::read(cursor, *out, misfit);
  }
  static void write(Packer& packer, const std::optional<T>& v) {
    if (v) {
      Codec<T>::write(packer, *v);
    } else {
      packer.nil();
    }
  }
};

template <class T>
struct NullCodec {
  static void type(std::string& out) { out += "null"; }
  static bool read(Cursor& cursor, T&, Misfit&) {
    std::uint64_t number = 0;
    return expect(cursor, Kind::kNil, number);
  }
  static void write(Packer& packer, T) { packer.nil(); }
};
template <>
struct Codec<std::nullptr_t> : NullCodec<std::nullptr_t> {};
template <>
struct Codec<std::monostate> : NullCodec<std::monostate> {};

template <>
struct Codec<Packed> {
  static void type(std::string& out) { out += "any"; }
  static bool read(Cursor& cursor, Packed& out, Misfit&) {
    const char* const begin = cursor.at();
    if (!cursor.skip()) return false;
    out.bytes = {begin, static_cast<std::size_t>(cursor.at() - begin)};
    return true;
  }
  static void write(Packer& packer, const Packed& v) { packer.raw(v.bytes); }
};

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
