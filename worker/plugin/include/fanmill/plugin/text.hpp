// Text for people: a value as JSON in a message or a default, the parameters' names out of the
// function's source, the name of what was thrown.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "fanmill/plugin/msgpack.hpp"
#if __has_include(<cxxabi.h>)
#include <cxxabi.h>

#include <cstdlib>
#endif

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {
namespace detail {

inline void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xfU];
    } else {
      out += c;
    }
  }
  out += '"';
}

// One element as JSON (bytes as text), or as much of it as `limit` bytes show. False: it has no
// JSON.
inline bool append_json(std::string& out, Cursor& cursor, std::size_t limit) {
  Head head;
  if (!cursor.head(head)) return false;
  std::string_view body;
  switch (head.kind) {
    case Kind::kNil:
      out += "null";
      return true;
    case Kind::kBool:
      out += head.number != 0 ? "true" : "false";
      return true;
    case Kind::kUint:
      out += std::to_string(head.number);
      return true;
    case Kind::kInt:
      out += std::to_string(static_cast<std::int64_t>(head.number));
      return true;
    case Kind::kFloat: {
      const auto number = std::bit_cast<double>(head.number);
      std::array<char, 32> digits{};
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
      const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
      out += text;
      if (text.find_first_not_of("-0123456789") == std::string_view::npos) out += ".0";
      return std::isfinite(number);
    }
    case Kind::kStr:
    case Kind::kBin:
    case Kind::kExt:
      if (!cursor.bytes(head.number, body)) return false;
      append_quoted(out, body.substr(0, limit));
      return head.kind != Kind::kExt;
    case Kind::kArray:
    case Kind::kMap:
      break;
  }
  const bool map = head.kind == Kind::kMap;
  out += map ? '{' : '[';
  for (std::uint64_t i = 0; i < head.number && out.size() < limit; ++i) {
    if (i > 0) out += ',';
    if (!append_json(out, cursor, limit)) return false;
    if (!map) continue;
    out += ':';
    if (!append_json(out, cursor, limit)) return false;
  }
  out += map ? '}' : ']';
  return true;
}

// An element in a message.
inline std::string shown(std::string_view bytes) {
  constexpr std::size_t kShownMax = 60;
  std::string out;
  Cursor cursor(bytes);
  append_json(out, cursor, kShownMax);
  if (out.size() > kShownMax) {
    std::size_t end = kShownMax;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80) --end;
    out.resize(end);
    out += "…";
  }
  return out;
}

// The name of the type of the exception that is being handled.
inline std::string thrown_type() {
#if __has_include(<cxxabi.h>)
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "something unknown";
  int status = 0;
  char* const name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string out = status == 0 ? name : type->name();
  std::free(name);
  return out;
#else
  return "something that is no std::exception";
#endif
}

inline bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The name that a parameter's declaration ends with; empty where it has none.
inline std::string_view declared_name(std::string_view declaration) {
  const auto trim = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  declaration = trim(declaration.substr(0, declaration.find('=')));
  std::size_t begin = declaration.size();
  while (begin > 0 && is_word(declaration[begin - 1])) --begin;
  const std::string_view name = declaration.substr(begin);
  const std::string_view type = trim(declaration.substr(0, begin));
  constexpr std::array<std::string_view, 11> kTypeWords = {"bool",     "char",  "short",  "int",
                                                           "long",     "float", "double", "signed",
                                                           "unsigned", "const", "auto"};
  if (name.empty() || type.empty() || type.back() == ':' || type == "const") return {};
  if (name.front() >= '0' && name.front() <= '9') return {};
  for (const std::string_view word : kTypeWords) {
    if (name == word) return {};
  }
  return name;
}

// Of "[capture](double x, const std::string& label) { … }": x and label. Nothing where this is
// not a lambda.
inline std::vector<std::string> parameter_names(std::string_view source) {
  std::vector<std::string> names;
  std::size_t at = source.find_first_not_of(" \t");
  if (at == std::string_view::npos || source[at] != '[') return names;
  int depth = 0;
  for (; at < source.size(); ++at) {
    if (source[at] == '[') ++depth;
    if (source[at] == ']' && --depth == 0) break;
  }
  at = source.find_first_not_of(" \t", at + 1);
  if (at == std::string_view::npos || source[at] != '(') return names;
  const std::size_t open = at;
  std::size_t begin = at + 1;
  for (; at < source.size(); ++at) {
    const char c = source[at];
    if (c == '(' || c == '<' || c == '{' || c == '[') ++depth;
    if (c == '>' || c == '}' || c == ']' || c == ')') --depth;
    const bool end = depth == 0 && c == ')';
    if (!end && !(depth == 1 && c == ',')) continue;
    const std::string_view one = source.substr(begin, at - begin);
    const bool none = end && begin == open + 1 && one.find_first_not_of(" \t") == one.npos;
    if (!none) names.emplace_back(declared_name(one));
    begin = at + 1;
    if (end) break;
  }
  return names;
}

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
