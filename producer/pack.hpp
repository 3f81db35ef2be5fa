// C++ values and tuples as msgpack straight into a chunk's bytes.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "proto/pack.hpp"
#include "proto/value.hpp"

namespace fanmill::producer::pack {

using namespace fanmill::pack;

// One C++ value as one element.
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
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    text(out, v);
  } else {
    append_msgpack(out, Value(v));
  }
}

// One C++ value as the tuple of a task: a std::tuple or std::pair gives its elements, anything else
// is a 1-tuple.
template <class T>
void tuple(std::string& out, const T& v) {
  if constexpr (requires { std::tuple_size<T>::value; }) {
    array_head(out, std::tuple_size_v<T>);
    std::apply([&](const auto&... e) { (element(out, e), ...); }, v);
  } else {
    array_head(out, 1);
    element(out, v);
  }
}

}  // namespace fanmill::producer::pack
