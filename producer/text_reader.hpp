// The text of one column, list or file of lines as the values of one parameter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "producer/json_tuple.hpp"
#include "proto/signature.hpp"

namespace fanmill::producer {

class TextReader {
 public:
  enum class Untyped : unsigned char {
    kGuessed,  // a number if it prints back identically, else text
    kText,     // text
  };
  explicit TextReader(Untyped untyped) : untyped_(untyped) {}

  // From here on text becomes what the parameter takes; of lists, maps and tuples it is JSON.
  void set_parameter(Parameter parameter);

  // Appends the value; false, and `out` as it was, where the text does not read as one.
  bool append(std::string& out, std::string_view text);

  // Why `text` was refused: "x should be a float, not \"abc\"".
  std::string fault(std::string_view text) const;

 private:
  bool append_json_text(std::string& out, std::string_view text);

  Untyped untyped_;
  std::optional<Parameter> parameter_;  // only where its type matters
  std::unique_ptr<JsonTupleParser> json_;
};

}  // namespace fanmill::producer
