#include "producer/visible_text.hpp"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

namespace fanmill::producer {
namespace {

constexpr char32_t kInvalid = 0xfffd;

// The character at `at`, which is moved behind it; bytes that are none are kInvalid, one at a time.
char32_t take_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) -> char32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const char32_t lead = byte(at);
  std::size_t more = 0;
  char32_t code = lead;
  char32_t least = 0;
  if (lead >= 0xc0 && lead < 0xe0) {
    more = 1, code = lead & 0x1fU, least = 0x80;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    more = 2, code = lead & 0x0fU, least = 0x800;
  } else if (lead >= 0xf0 && lead < 0xf8) {
    more = 3, code = lead & 0x07U, least = 0x10000;
  } else if (lead >= 0x80) {
    ++at;
    return kInvalid;
  }
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(at + i) & 0xc0U) != 0x80) {
      ++at;
      return kInvalid;
    }
    code = code << 6U | (byte(at + i) & 0x3fU);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    ++at;
    return kInvalid;
  }
  at += more + 1;
  return code;
}

bool is_steering(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0)          // C0, DEL, C1
         || code == 0x61c || code == 0x200e || code == 0x200f  // marks of direction
         || (code >= 0x2028 && code <= 0x202e)                 // separators, embeddings, overrides
         || (code >= 0x2066 && code <= 0x2069)                 // isolates
         || code == 0xfeff;
}

std::size_t columns_of_character(char32_t code) {
  // The program itself stays in the C locale.
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr || code < 0x80) return 1;
  const locale_t before = uselocale(utf8);
  const int columns = wcwidth(static_cast<wchar_t>(code));
  uselocale(before);
  return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

}  // namespace

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t code = take_character(text, at);
    if (is_steering(code)) {
      const auto number = static_cast<std::uint32_t>(code);
      out += number < 0x100 ? fmt::format("\\x{:02x}", number) : fmt::format("\\u{:04x}", number);
    } else if (code == kInvalid) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    columns += columns_of_character(take_character(text, at));
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 0;
  std::size_t at = 0;
  while (true) {
    std::size_t next = at;
    used += columns_of_character(take_character(text, next));
    if (used > columns - 1) break;
    at = next;
  }
  return std::string(text.substr(0, at)) + "…";
}

}  // namespace fanmill::producer
