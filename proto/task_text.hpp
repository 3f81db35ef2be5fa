// The values of one task as the texts that commands get.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/tuple_view.hpp"
#include "proto/value.hpp"

namespace fanmill {

// Text and bytes as they are, nothing for null, anything else as JSON.
std::string text_of(const Value& value);

struct TaskText {
  std::vector<std::string> values;
  std::vector<std::string> names;  // of the values, as far as they have any
  std::uint64_t number = 1;        // {#}
  std::uint32_t slot = 1;          // {%}; 0: not known, {%} stays as it is

  // `column_names` are those of positional tuples.
  static Result<TaskText> of(const TupleView& tuple, const std::vector<std::string>& column_names,
                             TaskIndex index, std::uint32_t slot);
};

}  // namespace fanmill
