// What a function takes and gives, as workers offer it and people read it:
//
//   (x: float, y: float, label: str = "a") -> float
//   (path: str, tags: list[str]?, ...) -> any
//
// A parameter is  name[: type][ = default as JSON].  `...` at the end takes further arguments of
// any kind and name; `(...)` takes anything.
//
//   type      takes                                   text becomes
//   any       every value; so does no type at all     a number if it prints back identically, else
//   text null      null                                    null, of `` and `null` bool      true,
//   false                             true, false (also True, TRUE …) int       integers an
//   integer; `007` is 7 float     integers and floats                     a number; `3` stays an
//   integer str       text                                    itself bytes     bytes and text bytes
//   list      arrays; list[T] of T                    nothing: see append_text_as()
//   map       maps; map[T] of T under text            nothing
//   tuple[T, U]  arrays of just these                 nothing
//   T?        T and null                              null, of ``; else as T
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"

namespace fanmill {

struct Type {
  enum class Kind : std::uint8_t {
    kAny,
    kNull,
    kBool,
    kInt,
    kFloat,
    kStr,
    kBytes,
    kList,
    kMap,
    kTuple,
  };
  Kind kind = Kind::kAny;
  bool or_null = false;
  std::vector<Type> of = {};  // list, map: one or none; tuple: one for each element
  friend bool operator==(const Type&, const Type&) = default;
};

struct Parameter {
  std::string name;
  Type type = {};
  std::optional<std::string> default_json = {};
  bool is_required() const { return !default_json; }
  friend bool operator==(const Parameter&, const Parameter&) = default;
};

struct Signature {
  std::vector<Parameter> parameters = {};
  bool takes_more = false;  // ends with `...`
  Type result = {};
  friend bool operator==(const Signature&, const Signature&) = default;
};

// kUsage: what is wrong, and at which character from 1; more text, parameters or nesting than
// proto/limits.hpp allows. Spaces go anywhere between words. A parameter without a default does not
// follow one with a default.
Result<Signature> parse_signature(std::string_view text);
Result<Type> parse_type(std::string_view text);

// As above; parse_signature() reads it back as the same.
std::string to_string(const Signature& signature);
std::string to_string(const Type& type);

// Every tuple fits: `(...)`.
bool is_trivial(const Signature& signature);

// Appends the value that `text` is for a parameter of this type, by the table above; false, and
// `out` as it was, where it does not read as one. Blanks around numbers and bools are passed over.
// Never true for list, map and tuple, whose text is JSON: that is for who has a JSON parser.
bool append_text_as(std::string& out, std::string_view text, const Type& type);

inline constexpr std::size_t kNoParameter = SIZE_MAX;  // an element that `...` takes

// The parameter that each of `count` elements goes to, for tuples that all have the same names.
// `names`: empty or one for each; an empty one, or "argN" at place N, is none. Where one of the
// names is a parameter's, all of them have to be, every parameter without a default is to be there,
// and elements without a name take what is left, in order. Otherwise elements go by position.
// kBadArguments: missing, unknown (with the nearest name) or too many; the signature is shown.
Result<std::vector<std::size_t>> bind_elements(const Signature& signature, std::size_t count,
                                               std::span<const std::string> names);

struct TupleFault {
  std::string parameter;  // its name; empty where the tuple as a whole does not fit
  std::size_t element = 0;
  std::string expected;  // "float"
  std::string found;     // "\"abc\"", as JSON, cut to a readable length
  std::string message;   // a sentence with all of it
};

// "x should be a float, not \"abc\""; with a value of that parameter as text.
TupleFault text_fault(const Parameter& parameter, std::size_t element, std::string_view text);
// The same with one packed value.
TupleFault value_fault(const Parameter& parameter, std::size_t element, std::string_view packed);

// Whether packed tuples fit. One is built per source or job, and asked per tuple; nothing is
// allocated for a tuple that fits.
class TupleCheck {
 public:
  // `columns`: of bind_elements(), if positional tuples have names; else they go by position.
  explicit TupleCheck(Signature signature, std::vector<std::size_t> columns = {});

  // `tuple`: one whole tuple, array or map, well-formed as decode_msgpack() has it (else it is a
  // fault as well).
  std::optional<TupleFault> operator()(std::string_view tuple) const;

  const Signature& signature() const { return signature_; }

 private:
  std::optional<TupleFault> wrong_count(std::uint64_t count) const;
  std::optional<TupleFault> positional(std::string_view elements, std::uint64_t count) const;
  std::optional<TupleFault> named(std::string_view entries, std::uint64_t count) const;

  Signature signature_;
  std::vector<std::size_t> columns_;
  std::size_t required_ = 0;
};

// Whether one packed value is of the type.
bool fits(std::string_view packed, const Type& type);

}  // namespace fanmill
