#include "worker/functions/command_line.hpp"

#include <algorithm>
#include <charconv>

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

std::string_view CommandLine::part_of(std::string_view text, Part part) {
  const std::size_t slash = text.rfind('/');
  const auto without_extension = [](std::string_view name) {
    const std::size_t last = name.rfind('/');
    const std::size_t begin = last == std::string_view::npos ? 0 : last + 1;
    const std::size_t dot = name.rfind('.');
    // A leading dot hides a file; it is no extension.
    return dot == std::string_view::npos || dot <= begin ? name : name.substr(0, dot);
  };
  switch (part) {
    case Part::kWhole:
      return text;
    case Part::kNoExtension:
      return without_extension(text);
    case Part::kBaseName:
      return slash == std::string_view::npos ? text : text.substr(slash + 1);
    case Part::kDirectory:
      if (slash == std::string_view::npos) return ".";
      return slash == 0 ? "/" : text.substr(0, slash);
    case Part::kBareName:
      return without_extension(slash == std::string_view::npos ? text : text.substr(slash + 1));
  }
  return text;
}

Result<std::vector<std::string>> CommandLine::arguments(const TupleView& tuple,
                                                        TaskIndex index) const {
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
  std::string scratch;

  // False: a name that means nothing here, so the text stays.
  const auto text_for = [&](const Placeholder& placeholder) -> Result<const std::string*> {
    if (std::holds_alternative<Every>(placeholder.what)) {
      scratch.clear();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        if (i > 0) scratch += ' ';
        scratch += part_of(elements[i], placeholder.part);
      }
      return &scratch;
    }
    if (std::holds_alternative<Number>(placeholder.what)) {
      scratch = std::to_string(index.value + 1);
      return &scratch;
    }
    std::size_t where = elements.size();
    if (const auto* position = std::get_if<Position>(&placeholder.what)) {
      const auto count = static_cast<std::int64_t>(elements.size());
      const std::int64_t from_zero =
          position->number > 0 ? std::int64_t{position->number} - 1 : count + position->number;
      if (from_zero < 0 || from_zero >= count) {
        return fail(ErrorCode::kBadArguments, "the command uses " + placeholder.text +
                                                  ", but the tuple has " + std::to_string(count) +
                                                  (count == 1 ? " element" : " elements"));
      }
      where = static_cast<std::size_t>(from_zero);
    } else {
      const auto found =
          std::find(names.begin(), names.end(), std::get<Name>(placeholder.what).name);
      where = static_cast<std::size_t>(found - names.begin());
      if (found == names.end() || where >= elements.size()) return nullptr;
    }
    scratch = part_of(elements[where], placeholder.part);
    return &scratch;
  };

  for (const Argument& argument : template_) {
    std::string text;
    for (const Piece& piece : argument) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        text += *literal;
        continue;
      }
      const auto& placeholder = std::get<Placeholder>(piece);
      const auto value = text_for(placeholder);
      if (!value) return tl::make_unexpected(value.error());
      replaced = replaced || *value != nullptr;
      text += *value != nullptr ? **value : placeholder.text;
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
