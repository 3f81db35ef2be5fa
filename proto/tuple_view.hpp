// One tuple in its msgpack bytes: elements are looked at in place, and become Values only for a
// function that wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"
#include "proto/value.hpp"

namespace fanmill {

// The bytes of one tuple: a msgpack array (positional) or map (named). Checked when it was cut.
struct TupleView {
  std::string_view bytes;
  std::string_view body;  // the elements, or keys and values in turn
  std::uint32_t count = 0;
  bool named = false;

  // The raw msgpack of each element; of a named tuple, of each value. Pointing into `bytes`.
  std::vector<std::string_view> elements() const;
  // The names of a named tuple, in order; empty for a positional one.
  std::vector<std::string> names() const;
};

// Reads the tuple that starts at `at` and moves `at` behind it. Refused (kProtocol, kLimit): what
// is neither array nor map, and bytes that decode_msgpack would refuse.
Result<void> cut_tuple(std::string_view bytes, std::size_t& at, TupleView& tuple);

}  // namespace fanmill
