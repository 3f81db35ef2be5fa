// The columns of a row, one description for jsonl and csv: which there are and which were chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"

namespace fanmill::producer {

enum class RowFact : std::uint8_t {
  kIndex,
  kParams,  // all parameters: one value in jsonl, a column each in csv
  kParam,   // a single one
  kValue,
  kStatus,
  kCause,
  kError,
  kAttempt,
  kWorker,
  kStart,
  kRunTime,
  kExitCode,
  kSignal,
  kStdout,
  kStderr
};

struct Column {
  RowFact fact{};
  std::string name;                     // the key in jsonl, the header in csv
  std::string parameter;                // kParam: its name in tuples that are maps
  std::optional<std::size_t> position;  // kParam: its place in the others
};

// Every column, in the order in which they are printed unless others are chosen.
const std::vector<Column>& all_columns();

// "index,seed,value": the names of all_columns(), and parameters by the `names` that the input
// gives them; arg1, arg2 … where it gives none. params.NAME is a parameter whatever else has that
// name, and the only way to one that only the lines of the input name. Refused (kUsage): a name
// that is not there, a column asked for twice.
Result<std::vector<Column>> parse_columns(std::string_view list,
                                          const std::vector<std::string>& names);

// The columns of parameters "arg1", "arg2" … or of `names`.
Column parameter_column(std::size_t position, const std::vector<std::string>& names);

// What a header calls it: "params.value" of a parameter with the name of another column.
std::string header_of(const Column& column);

// Whether any of them needs the tasks' tuples.
bool show_parameters(const std::vector<Column>& columns);

}  // namespace fanmill::producer
