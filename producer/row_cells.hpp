// What stands in each column of one row, before either format prints it. Only what is asked for is
// looked at.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "producer/row_batch.hpp"
#include "producer/row_columns.hpp"

namespace fanmill::producer {

struct Cell {
  enum class Kind : std::uint8_t {
    kNothing,
    kNumber,  // digits, as they are
    kWord,    // text that no format has to quote or escape
    kText,
    kValue,  // msgpack
  };
  Kind kind = Kind::kNothing;
  std::string_view bytes;
};

class RowCells {
 public:
  // Of a tuple: its elements, or its values with their names. Points into the row's tuple.
  struct Parameter {
    std::string_view name;  // empty in a positional tuple
    std::string_view value;
  };

  // `command`: the row's value is what a command printed.
  explicit RowCells(bool command) : command_(command) {}

  // The row that the calls below are about; both must outlive them.
  void take(const Rows& rows, const Row& row);

  // Valid until the next call. Of kParams: the whole tuple.
  Cell cell(const Column& column);
  const std::vector<Parameter>& parameters();
  bool is_positional();

 private:
  Cell number(std::uint64_t value);
  Cell exit_code();
  Cell start();
  Cell run_time();
  Cell parameter(const Column& column);
  bool ran() const;
  void cut_tuple();

  const bool command_;
  const Rows* rows_ = nullptr;
  const Row* row_ = nullptr;
  bool tuple_cut_ = false;
  bool positional_ = true;
  std::vector<Parameter> parameters_;
  std::string scratch_;
  std::int64_t second_ = -1;  // that second_text_ is the time of
  std::string second_text_;   // 2026-11-22T22:40:01
};

}  // namespace fanmill::producer
