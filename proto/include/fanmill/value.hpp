// Values: what a function takes and gives. A tuple's element or a result is one Value; on the wire
// it is msgpack.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fanmill {

class Value;
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};
using Array = std::vector<Value>;
using Map =
    std::vector<std::pair<Value, Value>>;  // in the order given; keys are not checked for repeats

class Value {
 public:
  // An integer that fits int64 is int64; uint64 holds only what does not fit.
  using Variant = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double,
                               std::string, Bytes, Array, Map>;

  Value() : data_(nullptr) {}
  Value(std::nullptr_t) : data_(nullptr) {}
  Value(bool v) : data_(v) {}
  Value(int v) : data_(std::int64_t{v}) {}
  Value(std::int64_t v) : data_(v) {}
  Value(std::uint64_t v) {
    if (v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      data_ = static_cast<std::int64_t>(v);
    } else {
      data_ = v;
    }
  }
  Value(double v) : data_(v) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(Bytes v) : data_(std::move(v)) {}
  Value(Array v) : data_(std::move(v)) {}
  Value(Map v) : data_(std::move(v)) {}

  const Variant& variant() const { return data_; }
  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  // The value itself if it is a T of Variant, else nullptr.
  template <class T>
  const T* as() const {
    return std::get_if<T>(&data_);
  }
  friend bool operator==(const Value&, const Value&) = default;

 private:
  Variant data_;
};

// Appends the msgpack encoding. Strings must be UTF-8 only in so far as the reader expects it; it
// is not checked.
void append_msgpack(std::string& out, const Value& value);

// Compact JSON on one line: bytes as base64 text, NaN and infinities as null, doubles as the
// shortest text that reads back identically (with ".0" where it would look like an integer),
// invalid UTF-8 replaced.
void append_json(std::string& out, const Value& value);

}  // namespace fanmill
