// The argument vector of a command: a template with placeholders, and what a tuple makes of it, as
// GNU parallel with its option -q does.
//
//   {}  every element: the first completes the text before it, the last the text behind it, those
//       between are arguments of their own       {name}  the element of that name
//   {1} {2} …  by position      {-1} …  from the end      {#}  the task's number, from 1
//   {%}  the worker's slot that runs it, from 1
//   {.}  without extension   {/}  base name   {//}  directory   {/.}  base name without extension
//   {1.} {1/} {1//} {1/.} {name.} …  the same of one element
//
// Other text in braces stays as it is. A template without any placeholder gets the elements
// appended, one argument each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/error.hpp"
#include "proto/messages.hpp"
#include "worker/functions/tuple_view.hpp"

namespace fanmill::worker {

class CommandLine {
 public:
  explicit CommandLine(const JobSpec& spec);

  // The arguments of one task. Refused (kBadArguments): a position that the tuple does not have,
  // an argument with a zero byte, an empty template.
  Result<std::vector<std::string>> arguments(const TupleView& tuple, TaskIndex index,
                                             std::uint32_t slot) const;

 private:
  enum class Part : std::uint8_t { kWhole, kNoExtension, kBaseName, kDirectory, kBareName };
  struct Every {};
  struct Number {};  // {#}
  struct Slot {};    // {%}
  struct Position {
    int number;  // from 1, or from -1 backwards
  };
  struct Name {
    std::string name;
  };
  struct Placeholder {
    std::variant<Every, Number, Slot, Position, Name> what;
    Part part = Part::kWhole;
    std::string text;  // as written
  };
  using Piece = std::variant<std::string, Placeholder>;
  using Argument = std::vector<Piece>;

  static Argument parse(std::string_view text);
  static bool parse_placeholder(std::string_view inside, Placeholder& placeholder);
  static std::string part_of(std::string_view text, Part part);

  struct Range {
    std::size_t begin;
    std::size_t end;
  };
  // The elements that a placeholder stands for. Nothing: a name that no element has.
  static Result<std::optional<Range>> range_of(const Placeholder& placeholder, std::size_t count,
                                               const std::vector<std::string>& names);

  std::vector<Argument> template_;
  std::vector<std::string> names_;
};

}  // namespace fanmill::worker
