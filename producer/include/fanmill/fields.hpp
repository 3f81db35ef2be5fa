// FANMILL_FIELDS(Type, field, …): Type is a tuple of named parameters, and a result may be one.
// Beside the struct, in its own namespace:
//
//   struct Point { double x, y; };
//   FANMILL_FIELDS(Point, x, y)
//
// As a parameter tuple, or as one value inside of another, it is the map {"x": …, "y": …}. As a
// result it reads such a map (further keys are passed over; only a std::optional field may be
// missing) or an array of as many elements. Up to 16 fields.
#pragma once

#include <cstddef>
#include <tuple>

namespace fanmill::client {

template <class T>
struct TypeTag {};

template <class T>
concept WithFields = requires { fanmill_fields(TypeTag<T>{}); };

// Calls visit(name, pointer to member) for each field of T.
template <class T, class Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field.first, field.second), ...); },
             fanmill_fields(TypeTag<T>{}));
}
template <class T>
inline constexpr std::size_t kFields = std::tuple_size_v<decltype(fanmill_fields(TypeTag<T>{}))>;

}  // namespace fanmill::client

#define FANMILL_FIELD(type, name) ::std::pair(#name, &type::name)
#define FANMILL_EACH_1(t, a) FANMILL_FIELD(t, a)
#define FANMILL_EACH_2(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_1(t, __VA_ARGS__)
#define FANMILL_EACH_3(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_2(t, __VA_ARGS__)
#define FANMILL_EACH_4(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_3(t, __VA_ARGS__)
#define FANMILL_EACH_5(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_4(t, __VA_ARGS__)
#define FANMILL_EACH_6(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_5(t, __VA_ARGS__)
#define FANMILL_EACH_7(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_6(t, __VA_ARGS__)
#define FANMILL_EACH_8(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_7(t, __VA_ARGS__)
#define FANMILL_EACH_9(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_8(t, __VA_ARGS__)
#define FANMILL_EACH_10(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_9(t, __VA_ARGS__)
#define FANMILL_EACH_11(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_10(t, __VA_ARGS__)
#define FANMILL_EACH_12(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_11(t, __VA_ARGS__)
#define FANMILL_EACH_13(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_12(t, __VA_ARGS__)
#define FANMILL_EACH_14(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_13(t, __VA_ARGS__)
#define FANMILL_EACH_15(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_14(t, __VA_ARGS__)
#define FANMILL_EACH_16(t, a, ...) FANMILL_FIELD(t, a), FANMILL_EACH_15(t, __VA_ARGS__)
#define FANMILL_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, each, \
                     ...)                                                                         \
  each
#define FANMILL_FIELDS(type, ...)                                                          \
  [[maybe_unused]] constexpr auto fanmill_fields(::fanmill::client::TypeTag<type>) {       \
    return ::std::tuple(FANMILL_PICK(                                                      \
        __VA_ARGS__, FANMILL_EACH_16, FANMILL_EACH_15, FANMILL_EACH_14, FANMILL_EACH_13,   \
        FANMILL_EACH_12, FANMILL_EACH_11, FANMILL_EACH_10, FANMILL_EACH_9, FANMILL_EACH_8, \
        FANMILL_EACH_7, FANMILL_EACH_6, FANMILL_EACH_5, FANMILL_EACH_4, FANMILL_EACH_3,    \
        FANMILL_EACH_2, FANMILL_EACH_1, )(type, __VA_ARGS__));                             \
  }                                                                                        \
  static_assert(true)
