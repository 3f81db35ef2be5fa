#include "producer/text_value.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "producer/pack.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
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

}  // namespace

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

}  // namespace fanmill::producer
