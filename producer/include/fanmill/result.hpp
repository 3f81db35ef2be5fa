// Result<T>: a value, or the Failure in its place. In the manner of std::expected.
#pragma once

#include <fanmill/detail/read.hpp>
#include <fanmill/failure.hpp>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace fanmill {

// Thrown by value() where there is none, and by error() where there is none: a mistake of the
// calling program, which did not look. what() is the failure's text.
class BadAccess : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

template <class T = Value>
class [[nodiscard]] Result {
  using Held = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  using Boxed = std::shared_ptr<const Failure>;

 public:
  Result() : held_(std::in_place_index<0>) {}
  Result(Held value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure)
      : held_(std::in_place_index<1>, std::make_shared<const Failure>(std::move(failure))) {}
  Result(Boxed failure) : held_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }

  std::add_lvalue_reference_t<T> value() & {
    check();
    if constexpr (!std::is_void_v<T>) return *std::get_if<0>(&held_);
  }
  std::add_lvalue_reference_t<const T> value() const& {
    check();
    if constexpr (!std::is_void_v<T>) return *std::get_if<0>(&held_);
  }
  T value() && {
    check();
    if constexpr (!std::is_void_v<T>) return std::move(*std::get_if<0>(&held_));
  }
  template <class U>
  T value_or(U&& other) const
    requires(!std::is_void_v<T>)
  {
    return ok() ? *std::get_if<0>(&held_) : static_cast<T>(std::forward<U>(other));
  }
  // As value(), but it must be there.
  std::add_lvalue_reference_t<T> operator*() { return value(); }
  std::add_lvalue_reference_t<const T> operator*() const { return value(); }
  auto operator->() { return &value(); }
  auto operator->() const { return &value(); }

  const Failure& error() const {
    if (ok()) throw BadAccess("fanmill: error() of a result that is a value");
    return **std::get_if<1>(&held_);
  }

  // For what fills it again and again: the value to write into, which is there afterwards.
  Held& emplace() {
    if (Held* held = std::get_if<0>(&held_)) return *held;
    return held_.template emplace<0>();
  }

 private:
  void check() const {
    if (!ok()) throw BadAccess("fanmill: " + error().text());
  }
  std::variant<Held, Boxed> held_;
};

namespace client {

template <class T>
Failure wrong_type(std::uint64_t index, std::uint32_t attempt, Cursor found) {
  Failure failure;
  failure.cause = Cause::kWrongType;
  failure.index = index;
  failure.attempt = attempt;
  failure.message = "expected " + type_name<T>() + ", found " + describe_value(found);
  return failure;
}

}  // namespace client
}  // namespace fanmill
