// C++ values as msgpack: which type becomes what.
//
//   bool, integers, floating point, enums   themselves       std::optional, nullptr   value or nil
//   std::string, string_view, const char*, paths   str       Bytes, spans of std::byte   bin
//   Value   itself      tuples, pairs, std::array, ranges    array
//   std::map and its like, FANMILL_FIELDS structs            map
#pragma once

#include <concepts>
#include <cstddef>
#include <fanmill/detail/pack.hpp>
#include <fanmill/fields.hpp>
#include <fanmill/value.hpp>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

namespace fanmill::pack {

namespace detail {

template <class T>
concept Text = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;
template <class T>
concept Path = !Text<T> && requires(const T& v) {
  { v.string() } -> std::same_as<std::string>;
  v.native();
};
template <class T>
concept ByteRange = std::ranges::contiguous_range<const T> && std::ranges::sized_range<const T> &&
                    std::same_as<std::remove_cv_t<std::ranges::range_value_t<const T>>, std::byte>;
template <class T>
concept TupleLike = requires { std::tuple_size<T>::value; };
template <class T>
concept MapLike = std::ranges::input_range<const T> && requires { typename T::mapped_type; };
template <class T>
concept Listed =
    std::ranges::forward_range<const T> && !Text<T> && !Path<T> && !ByteRange<T> && !MapLike<T>;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

}  // namespace detail

// One C++ value as one element.
template <class T>
void element(std::string& out, const T& v);

namespace detail {

template <class T>
std::size_t length_of(const T& range) {
  return static_cast<std::size_t>(std::ranges::distance(range));
}

template <class T>
void map_of(std::string& out, const T& v) {
  if constexpr (::fanmill::client::WithFields<T>) {
    map_head(out, ::fanmill::client::kFields<T>);
    ::fanmill::client::for_each_field<T>([&](const char* name, auto member) {
      text(out, name);
      element(out, v.*member);
    });
  } else {
    map_head(out, length_of(v));
    for (const auto& [key, value] : v) {
      element(out, key);
      element(out, value);
    }
  }
}

template <class T>
void array_of(std::string& out, const T& v) {
  if constexpr (TupleLike<T>) {
    array_head(out, std::tuple_size_v<T>);
    std::apply([&](const auto&... e) { (element(out, e), ...); }, v);
  } else {
    array_head(out, length_of(v));
    for (const auto& e : v) element(out, static_cast<const std::ranges::range_value_t<T>&>(e));
  }
}

}  // namespace detail

template <class T>
void element(std::string& out, const T& v) {
  if constexpr (std::same_as<T, bool>) {
    boolean(out, v);
  } else if constexpr (std::signed_integral<T>) {
    integer(out, v);
  } else if constexpr (std::unsigned_integral<T>) {
    uint(out, v);
  } else if constexpr (std::floating_point<T>) {
    number(out, static_cast<double>(v));
  } else if constexpr (std::is_enum_v<T>) {
    element(out, static_cast<std::underlying_type_t<T>>(v));
  } else if constexpr (std::same_as<T, Value>) {
    append_msgpack(out, v);
  } else if constexpr (std::same_as<T, Array> || std::same_as<T, Map>) {
    append_msgpack(out, Value(v));
  } else if constexpr (std::same_as<T, Bytes>) {
    bytes(out, v.data);
  } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> ||
                       std::same_as<T, std::monostate>) {
    nil(out);
  } else if constexpr (detail::kIsOptional<T>) {
    v ? element(out, *v) : nil(out);
  } else if constexpr (detail::Text<T>) {
    text(out, v);
  } else if constexpr (detail::Path<T>) {
    text(out, v.string());
  } else if constexpr (detail::ByteRange<T>) {
    bytes(out, {reinterpret_cast<const char*>(std::ranges::data(v)), std::ranges::size(v)});
  } else if constexpr (::fanmill::client::WithFields<T> || detail::MapLike<T>) {
    detail::map_of(out, v);
  } else if constexpr (detail::TupleLike<T> || detail::Listed<T>) {
    detail::array_of(out, v);
  } else {
    static_assert(std::constructible_from<Value, const T&>,
                  "this type cannot travel to a function; for a struct of your own, see "
                  "FANMILL_FIELDS");
    append_msgpack(out, Value(v));
  }
}

// One C++ value as the one parameter of a task.
template <class T>
void single(std::string& out, const T& v) {
  array_head(out, 1);
  element(out, v);
}

// One C++ value as the tuple of a task: tuples, pairs, arrays and other ranges give their elements,
// maps and FANMILL_FIELDS structs named parameters, a Value that is an Array or a Map likewise;
// anything else is a 1-tuple.
template <class T>
void tuple(std::string& out, const T& v) {
  if constexpr (::fanmill::client::WithFields<T> || detail::MapLike<T>) {
    detail::map_of(out, v);
  } else if constexpr (std::same_as<T, Value>) {
    if (v.template as<Array>() != nullptr || v.template as<Map>() != nullptr) {
      append_msgpack(out, v);
    } else {
      single(out, v);
    }
  } else if constexpr (std::same_as<T, Array> || std::same_as<T, Map>) {
    append_msgpack(out, Value(v));
  } else if constexpr (detail::TupleLike<T> || (detail::Listed<T> && !detail::ByteRange<T>)) {
    detail::array_of(out, v);
  } else {
    single(out, v);
  }
}

}  // namespace fanmill::pack
