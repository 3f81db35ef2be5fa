#include "proto/shell_quote.hpp"

#include <algorithm>

namespace fanmill {
namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.+/").find(c) != std::string_view::npos;
}

}  // namespace

// In single quotes, each of its own in double ones; an empty pair at either end is left out.
void append_shell_quoted(std::string& out, std::string_view word) {
  if (word.empty()) {
    out += "''";
    return;
  }
  if (std::all_of(word.begin(), word.end(), is_bare)) {
    out += word;
    return;
  }
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += R"('"'"')";
    } else {
      quoted += c;
    }
  }
  quoted += '\'';
  std::string_view trimmed = quoted;
  if (trimmed.starts_with("''")) trimmed.remove_prefix(2);
  if (trimmed.ends_with("''")) trimmed.remove_suffix(2);
  out += trimmed;
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    append_shell_quoted(line, word);
  }
  return line;
}

}  // namespace fanmill
