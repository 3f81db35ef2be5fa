// The compiled parts of fanmill/detail/read.hpp.
#include <fanmill/detail/read.hpp>
#include <utility>

#include "proto/value.hpp"

namespace fanmill::client {
namespace {

std::string_view kind_of(const Value& value) {
  struct Kind {
    std::string_view operator()(std::nullptr_t) const { return ""; }
    std::string_view operator()(bool) const { return "bool "; }
    std::string_view operator()(std::int64_t) const { return "int "; }
    std::string_view operator()(std::uint64_t) const { return "int "; }
    std::string_view operator()(double) const { return "float "; }
    std::string_view operator()(const std::string&) const { return "str "; }
    std::string_view operator()(const Bytes&) const { return "bytes "; }
    std::string_view operator()(const Array&) const { return "list "; }
    std::string_view operator()(const Map&) const { return "map "; }
  };
  return std::visit(Kind(), value.variant());
}

}  // namespace

bool skip_value(Cursor& cursor) {
  std::size_t at = 0;
  if (!skip_msgpack(cursor.view(), at, 1)) {
    cursor.at = cursor.end;
    return false;
  }
  cursor.at += at;
  return true;
}

bool read_any(Cursor& cursor, Value& out) {
  std::size_t at = 0;
  auto value = decode_msgpack(cursor.view(), at);
  if (!value) return false;
  out = std::move(*value);
  cursor.at += at;
  return true;
}

std::string describe_value(Cursor cursor) {
  constexpr std::size_t kShownMax = 60;
  Value value;
  if (!read_any(cursor, value)) return "bytes that are no value";
  std::string text(kind_of(value));
  append_json(text, value);
  if (text.size() > kShownMax) {
    std::size_t cut = kShownMax;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80) --cut;
    text.resize(cut);
    text += "…";
  }
  return text;
}

}  // namespace fanmill::client
