#include "worker/functions/command_line.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "proto/value.hpp"
#include "worker/functions/arguments.hpp"

namespace fanmill::worker {
namespace {

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) != 0 || c == '_' || c == '-' || byte >= 0x80;
  });
}

// The parts of paths are those of GNU parallel 20221122, which computes them in Perl; the
// expressions are its own.

// s:\.[^/.]*$:: The leading dot of a hidden file begins an extension too.
std::string_view without_extension(std::string_view path) {
  const std::size_t last = path.find_last_of("./");
  return last == std::string_view::npos || path[last] == '/' ? path : path.substr(0, last);
}

// s:.*/:: The dot matches no newline, so this cuts in the first line that has a slash.
std::string base_name(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::string(path);
  const std::size_t begin = path.rfind('\n', slash) + 1;  // 0 if there is none
  const std::size_t last = path.rfind('/', path.find('\n', slash));
  return std::string(path.substr(0, begin)).append(path.substr(last + 1));
}

std::string_view without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// File::Basename::dirname
std::string_view directory(std::string_view path) {
  const bool ends_in_slash = path.ends_with('/');
  path = without_trailing_slashes(path);
  if (ends_in_slash && path == "/") return path;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return without_trailing_slashes(path.substr(0, slash + 1));
}

}  // namespace

CommandLine::CommandLine(const JobSpec& spec) : names_(spec.names) {
  for (const std::string& argument : spec.argv) template_.push_back(parse(argument));
}

CommandLine::Argument CommandLine::parse(std::string_view text) {
  Argument argument;
  std::string literal;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::size_t close =
        open == std::string_view::npos ? open : text.find_first_of("{}", open + 1);
    if (close == std::string_view::npos) {
      literal += text;
      break;
    }
    Placeholder placeholder;
    if (text[close] == '}' &&
        parse_placeholder(text.substr(open + 1, close - open - 1), placeholder)) {
      literal += text.substr(0, open);
      if (!literal.empty()) argument.emplace_back(std::exchange(literal, {}));
      argument.emplace_back(std::move(placeholder));
      text.remove_prefix(close + 1);
    } else {
      literal += text.substr(0, open + 1);
      text.remove_prefix(open + 1);
    }
  }
  if (!literal.empty() || argument.empty()) argument.emplace_back(std::move(literal));
  return argument;
}

bool CommandLine::parse_placeholder(std::string_view inside, Placeholder& placeholder) {
  placeholder.text.append("{").append(inside).append("}");
  if (inside.ends_with("/.")) {
    placeholder.part = Part::kBareName;
    inside.remove_suffix(2);
  } else if (inside.ends_with("//")) {
    placeholder.part = Part::kDirectory;
    inside.remove_suffix(2);
  } else if (inside.ends_with("/")) {
    placeholder.part = Part::kBaseName;
    inside.remove_suffix(1);
  } else if (inside.ends_with(".")) {
    placeholder.part = Part::kNoExtension;
    inside.remove_suffix(1);
  }
  if (inside.empty()) {
    placeholder.what = Every{};
    return true;
  }
  if (inside == "#") {
    placeholder.what = Number{};
    return placeholder.part == Part::kWhole;
  }
  if (inside == "%") {
    placeholder.what = Slot{};
    return placeholder.part == Part::kWhole;
  }
  int number = 0;
  const char* end = inside.data() + inside.size();
  const auto [stopped, error] = std::from_chars(inside.data(), end, number);
  if (error == std::errc() && stopped == end) {
    placeholder.what = Position{number};
    return number != 0;
  }
  placeholder.what = Name{std::string(inside)};
  return is_name(inside);
}

std::string CommandLine::part_of(std::string_view text, Part part) {
  switch (part) {
    case Part::kWhole:
      return std::string(text);
    case Part::kNoExtension:
      return std::string(without_extension(text));
    case Part::kBaseName:
      return base_name(text);
    case Part::kDirectory:
      return std::string(directory(text));
    case Part::kBareName:
      return std::string(without_extension(base_name(text)));
  }
  return std::string(text);
}

auto CommandLine::range_of(const Placeholder& placeholder, std::size_t count,
                           const std::vector<std::string>& names) -> Result<std::optional<Range>> {
  if (const auto* position = std::get_if<Position>(&placeholder.what)) {
    const auto size = static_cast<std::int64_t>(count);
    const std::int64_t from_zero =
        position->number > 0 ? std::int64_t{position->number} - 1 : size + position->number;
    if (from_zero < 0 || from_zero >= size) {
      return fail(ErrorCode::kBadArguments, "the command uses " + placeholder.text +
                                                ", but the tuple has " + std::to_string(count) +
                                                (count == 1 ? " element" : " elements"));
    }
    const auto where = static_cast<std::size_t>(from_zero);
    return Range{where, where + 1};
  }
  if (const auto* name = std::get_if<Name>(&placeholder.what)) {
    const auto found = std::find(names.begin(), names.end(), name->name);
    const auto where = static_cast<std::size_t>(found - names.begin());
    if (found == names.end() || where >= count) return std::nullopt;
    return Range{where, where + 1};
  }
  return Range{0, count};
}

Result<std::vector<std::string>> CommandLine::arguments(const TupleView& tuple, TaskIndex index,
                                                        std::uint32_t slot) const {
  if (template_.empty()) return fail(ErrorCode::kBadArguments, "the command is empty");
  std::vector<std::string> elements;
  for (const std::string_view raw : tuple.elements()) {
    std::size_t at = 0;
    auto value = decode_msgpack(raw, at);
    if (!value) return tl::make_unexpected(std::move(value.error()));
    elements.push_back(text_of(*value));
  }
  const std::vector<std::string> own_names = tuple.names();
  const std::vector<std::string>& names = tuple.named ? own_names : names_;

  bool replaced = false;
  std::vector<std::string> arguments;
  arguments.reserve(template_.size() + elements.size());
  for (const Argument& argument : template_) {
    std::string text;
    for (const Piece& piece : argument) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        text += *literal;
        continue;
      }
      const auto& placeholder = std::get<Placeholder>(piece);
      if (std::holds_alternative<Number>(placeholder.what)) {
        text += std::to_string(index.value + 1);
        replaced = true;
        continue;
      }
      if (std::holds_alternative<Slot>(placeholder.what)) {
        text += std::to_string(slot);
        replaced = true;
        continue;
      }
      const auto range = range_of(placeholder, elements.size(), names);
      if (!range) return tl::make_unexpected(range.error());
      if (!*range) {
        text += placeholder.text;
        continue;
      }
      replaced = true;
      for (std::size_t i = (*range)->begin; i < (*range)->end; ++i) {
        if (i > (*range)->begin) arguments.push_back(std::exchange(text, {}));
        text += part_of(elements[i], placeholder.part);
      }
    }
    arguments.push_back(std::move(text));
  }
  if (!replaced) {
    for (std::string& element : elements) arguments.push_back(std::move(element));
  }
  for (const std::string& argument : arguments) {
    if (argument.find('\0') != std::string::npos) {
      return fail(ErrorCode::kBadArguments, "an argument of a command cannot hold a zero byte");
    }
  }
  return arguments;
}

}  // namespace fanmill::worker
