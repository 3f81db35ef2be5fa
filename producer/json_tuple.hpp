// One line of JSON as the msgpack of one tuple: an array is positional, an object is named, any
// other value is a 1-tuple.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fanmill::producer {

class JsonTupleParser {
 public:
  // Bytes behind a line that must be readable, whatever they hold.
  static constexpr std::size_t kPadding = 64;

  JsonTupleParser();
  JsonTupleParser(JsonTupleParser&&) noexcept;
  ~JsonTupleParser();

  struct Fault {
    std::uint64_t column;  // from 1, in bytes
    std::string reason;
  };
  // Appends the tuple to `out`, which is left as it was if the line is malformed. kPadding bytes
  // behind `line` must be readable. Refused besides bad JSON: an integer beyond 64 bits, a number
  // beyond a double, nesting and element counts over proto/limits.hpp.
  std::optional<Fault> append(std::string& out, std::string_view line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::producer
