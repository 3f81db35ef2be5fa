#include "proto/text_value.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <fanmill/detail/pack.hpp>
#include <system_error>

#include "proto/signature.hpp"
#include "proto/value.hpp"

namespace fanmill {
namespace {

template <class Number>
bool parsed_whole(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && at == end;
}

template <class Integer>
bool prints_as(Integer number, std::string_view text) {
  std::array<char, 24> printed{};
  const char* const end =
      std::to_chars(printed.data(), printed.data() + printed.size(), number).ptr;
  return std::string_view(printed.data(), static_cast<std::size_t>(end - printed.data())) == text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
}

// `+3` is a number where one is wanted.
std::string_view unsigned_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  return plus ? text.substr(1) : text;
}

bool append_integer(std::string& out, std::string_view text) {
  if (std::int64_t whole{}; parsed_whole(text, whole)) {
    pack::integer(out, whole);
    return true;
  }
  if (std::uint64_t large{}; parsed_whole(text, large)) {
    pack::uint(out, large);
    return true;
  }
  return false;
}

// An integer that a double holds exactly stays one, so that it is shown as it was typed.
bool append_float(std::string& out, std::string_view text) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (std::int64_t whole{};
      text != "-0" && parsed_whole(text, whole) && whole <= kExact && whole >= -kExact) {
    pack::integer(out, whole);
    return true;
  }
  double real{};
  if (!parsed_whole(text, real)) return false;
  pack::number(out, real);
  return true;
}

bool append_bool(std::string& out, std::string_view text) {
  const bool yes = text == "true" || text == "True" || text == "TRUE";
  if (!yes && text != "false" && text != "False" && text != "FALSE") return false;
  pack::boolean(out, yes);
  return true;
}

}  // namespace

bool append_text_as(std::string& out, std::string_view text, const Type& type) {
  if (type.or_null && text.empty()) {
    pack::nil(out);
    return true;
  }
  switch (type.kind) {
    case Type::Kind::kAny:
      append_typed(out, text);
      return true;
    case Type::Kind::kNull:
      if (!text.empty() && text != "null") return false;
      pack::nil(out);
      return true;
    case Type::Kind::kBool:
      return append_bool(out, trimmed(text));
    case Type::Kind::kInt:
      return append_integer(out, unsigned_plus(trimmed(text)));
    case Type::Kind::kFloat:
      return append_float(out, unsigned_plus(trimmed(text)));
    case Type::Kind::kStr:
      pack::text(out, text);
      return true;
    case Type::Kind::kBytes:
      append_msgpack(out, Value(Bytes{std::string(text)}));
      return true;
    case Type::Kind::kList:
    case Type::Kind::kMap:
    case Type::Kind::kTuple:
      return false;
  }
  return false;
}

void append_typed(std::string& out, std::string_view text) {
  const bool may_be_number =
      !text.empty() && (text.front() == '-' || (text.front() >= '0' && text.front() <= '9'));
  if (may_be_number) {
    if (std::int64_t whole{}; parsed_whole(text, whole) && prints_as(whole, text)) {
      pack::integer(out, whole);
      return;
    }
    if (std::uint64_t large{}; parsed_whole(text, large) && prints_as(large, text)) {
      pack::uint(out, large);
      return;
    }
    if (double real{}; parsed_whole(text, real)) {
      std::string printed;
      append_json(printed, Value(real));
      if (printed == text) {
        pack::number(out, real);
        return;
      }
    }
  }
  pack::text(out, text);
}

}  // namespace fanmill
