// Texts with placeholders, as GNU parallel has them.
//
//   {}  every value       {name}  the value of that name
//   {1} {2} …  by position      {-1} …  from the end      {#}  the task's number, from 1
//   {%}  the worker's slot that runs it, from 1
//   {.}  without extension   {/}  base name   {//}  directory   {/.}  base name without extension
//   {1.} {1/} {1//} {1/.} {name.} …  the same of one value
//
// Other text in braces stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fanmill {

enum class PathPart : std::uint8_t { kWhole, kNoExtension, kBaseName, kDirectory, kBareName };

struct EveryValue {};
struct TaskNumber {};
struct SlotNumber {};
struct ValuePosition {
  int number;  // from 1, or from -1 backwards
};
struct ValueName {
  std::string name;
};

struct Placeholder {
  std::variant<EveryValue, TaskNumber, SlotNumber, ValuePosition, ValueName> what;
  PathPart part = PathPart::kWhole;
  std::string text;  // as written

  bool is_every() const { return std::holds_alternative<EveryValue>(what); }
};

using TemplatePiece = std::variant<std::string, Placeholder>;
using TemplateText = std::vector<TemplatePiece>;

// At least one piece.
TemplateText parse_template(std::string_view text);

std::string part_of(std::string_view path, PathPart part);

}  // namespace fanmill
