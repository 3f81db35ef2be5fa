#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "proto/limits.hpp"
#include "proto/value.hpp"
#include "proto/wire.hpp"

namespace fanmill {
namespace {

template <class Integer>
void put_integer(std::string& out, Integer number) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void put_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  // Plain digits where people expect them, exponents outside (as Python's repr does it).
  constexpr double kPlainMin = 1e-4;
  constexpr double kPlainEnd = 1e16;
  const double size = std::fabs(number);
  const bool plain = size == 0 || (size >= kPlainMin && size < kPlainEnd);
  std::array<char, 40> text;
  char* const first = text.data();
  char* const end = std::to_chars(first, first + text.size(), number,
                                  plain ? std::chars_format::fixed : std::chars_format::scientific)
                        .ptr;
  const std::string_view digits(first, static_cast<std::size_t>(end - first));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void put_base64(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [bytes](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    const char quad[4] = {kDigits[group >> 18], kDigits[group >> 12 & 63],
                          i + 1 < bytes.size() ? kDigits[group >> 6 & 63] : '=',
                          i + 2 < bytes.size() ? kDigits[group & 63] : '='};
    out.append(quad, sizeof quad);
  }
  out += '"';
}

// What a byte of text needs: nothing (0), an escape of two characters (that letter), \u00XX (1), or
// a look at the UTF-8 sequence it begins (2).
constexpr auto kTreatment = [] {
  std::array<char, 256> table{};
  for (std::size_t i = 0; i < 0x20; ++i) table[i] = 1;
  for (std::size_t i = 0x80; i < 256; ++i) table[i] = 2;
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

struct Sequence {
  std::size_t bytes;
  bool valid;
};
// The UTF-8 sequence that begins at text[at] (Unicode 15, table 3-7). Of an invalid one the longest
// front that could have become a character, so that each such front is replaced once.
Sequence sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned lead = byte(at);
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned next = byte(at + i);
    if (next < low || next > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

void put_text(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // where the run that is copied as it stands begins
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const char treatment = kTreatment[byte];
    if (treatment == 0) {
      ++at;
      continue;
    }
    if (treatment == 2) {
      const Sequence sequence = sequence_at(text, at);
      if (!sequence.valid) {
        out.append(text, plain, at - plain).append("\xef\xbf\xbd");
        plain = at + sequence.bytes;
      }
      at += sequence.bytes;
      continue;
    }
    out.append(text, plain, at - plain);
    if (treatment == 1) {
      const char escape[6] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15U]};
      out.append(escape, sizeof escape);
    } else {
      const char escape[2] = {'\\', treatment};
      out.append(escape, sizeof escape);
    }
    plain = ++at;
  }
  out.append(text, plain, at - plain);
  out += '"';
}

// A key of a JSON object is text: what was put behind `start` stays if it is, else it becomes the
// text of its own JSON.
void key_to_text(std::string& out, std::size_t start) {
  if (out[start] == '"') return;
  const std::string key = out.substr(start);
  out.resize(start);
  put_text(out, key);
}

struct ValueToJson {
  std::string& out;

  void put(const Value& value) { std::visit(*this, value.variant()); }
  void operator()(std::nullptr_t) { out += "null"; }
  void operator()(bool flag) { out += flag ? "true" : "false"; }
  void operator()(std::int64_t number) { put_integer(out, number); }
  void operator()(std::uint64_t number) { put_integer(out, number); }
  void operator()(double number) { put_double(out, number); }
  void operator()(const std::string& text) { put_text(out, text); }
  void operator()(const Bytes& bytes) { put_base64(out, bytes.data); }
  void operator()(const Array& array) {
    out += '[';
    bool first = true;
    for (const Value& element : array) {
      if (!first) out += ',';
      first = false;
      put(element);
    }
    out += ']';
  }
  void operator()(const Map& map) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : map) {
      if (!first) out += ',';
      first = false;
      const std::size_t start = out.size();
      put(key);
      key_to_text(out, start);
      out += ':';
      put(value);
    }
    out += '}';
  }
};

void put_next(std::string& out, wire::Reader& reader, std::uint32_t depth_left);

void put_container(std::string& out, wire::Reader& reader, const wire::Head& head,
                   std::uint32_t depth_left) {
  if (depth_left == 0) wire::refuse(ErrorCode::kLimit, "values are nested too deeply");
  const bool is_map = head.kind == wire::Kind::kMap;
  out += is_map ? '{' : '[';
  for (std::uint64_t i = 0; i < head.number; ++i) {
    if (i > 0) out += ',';
    if (is_map) {
      const std::size_t start = out.size();
      put_next(out, reader, depth_left - 1);
      key_to_text(out, start);
      out += ':';
    }
    put_next(out, reader, depth_left - 1);
  }
  out += is_map ? '}' : ']';
}

void put_next(std::string& out, wire::Reader& reader, std::uint32_t depth_left) {
  const wire::Head head = reader.head();
  switch (head.kind) {
    case wire::Kind::kNil:
      out += "null";
      return;
    case wire::Kind::kFalse:
      out += "false";
      return;
    case wire::Kind::kTrue:
      out += "true";
      return;
    case wire::Kind::kUint:
      put_integer(out, head.number);
      return;
    case wire::Kind::kInt:
      put_integer(out, static_cast<std::int64_t>(head.number));
      return;
    case wire::Kind::kDouble:
      put_double(out, std::bit_cast<double>(head.number));
      return;
    case wire::Kind::kStr:
    case wire::Kind::kBin:
      if (head.number > limits::kValueBytesMax) {
        wire::refuse(ErrorCode::kLimit, "a value is too long");
      }
      head.kind == wire::Kind::kStr ? put_text(out, reader.bytes(head.number))
                                    : put_base64(out, reader.bytes(head.number));
      return;
    case wire::Kind::kArray:
    case wire::Kind::kMap:
      put_container(out, reader, head, depth_left);
      return;
  }
}

}  // namespace

void append_json(std::string& out, const Value& value) { ValueToJson{out}.put(value); }

Result<void> append_json_from_msgpack(std::string& out, std::string_view bytes, std::size_t& at) {
  if (at > bytes.size()) return fail(ErrorCode::kProtocol, "value: begins behind the end");
  return wire::guarded("value", [&] {
    wire::Reader reader(bytes.substr(at));
    put_next(out, reader, limits::kValueDepthMax);
    at = bytes.size() - reader.left();
  });
}

}  // namespace fanmill
