#include "proto/placeholder.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace fanmill {
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

bool parse_placeholder(std::string_view inside, Placeholder& placeholder) {
  placeholder.text.append("{").append(inside).append("}");
  if (inside.ends_with("/.")) {
    placeholder.part = PathPart::kBareName;
    inside.remove_suffix(2);
  } else if (inside.ends_with("//")) {
    placeholder.part = PathPart::kDirectory;
    inside.remove_suffix(2);
  } else if (inside.ends_with("/")) {
    placeholder.part = PathPart::kBaseName;
    inside.remove_suffix(1);
  } else if (inside.ends_with(".")) {
    placeholder.part = PathPart::kNoExtension;
    inside.remove_suffix(1);
  }
  if (inside.empty()) {
    placeholder.what = EveryValue{};
    return true;
  }
  if (inside == "#") {
    placeholder.what = TaskNumber{};
    return placeholder.part == PathPart::kWhole;
  }
  if (inside == "%") {
    placeholder.what = SlotNumber{};
    return placeholder.part == PathPart::kWhole;
  }
  int number = 0;
  const char* end = inside.data() + inside.size();
  const auto [stopped, error] = std::from_chars(inside.data(), end, number);
  if (error == std::errc() && stopped == end) {
    placeholder.what = ValuePosition{number};
    return number != 0;
  }
  placeholder.what = ValueName{std::string(inside)};
  return is_name(inside);
}

}  // namespace

TemplateText parse_template(std::string_view text) {
  TemplateText pieces;
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
      if (!literal.empty()) pieces.emplace_back(std::exchange(literal, {}));
      pieces.emplace_back(std::move(placeholder));
      text.remove_prefix(close + 1);
    } else {
      literal += text.substr(0, open + 1);
      text.remove_prefix(open + 1);
    }
  }
  if (!literal.empty() || pieces.empty()) pieces.emplace_back(std::move(literal));
  return pieces;
}

std::string part_of(std::string_view path, PathPart part) {
  switch (part) {
    case PathPart::kWhole:
      return std::string(path);
    case PathPart::kNoExtension:
      return std::string(without_extension(path));
    case PathPart::kBaseName:
      return base_name(path);
    case PathPart::kDirectory:
      return std::string(directory(path));
    case PathPart::kBareName:
      return std::string(without_extension(base_name(path)));
  }
  return std::string(path);
}

}  // namespace fanmill
