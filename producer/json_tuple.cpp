#include "producer/json_tuple.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "producer/pack.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

static_assert(JsonTupleParser::kPadding >= simdjson::SIMDJSON_PADDING);
using namespace simdjson;

namespace {

const char* const kTooDeep = "nested too deeply: at most 8 levels, the row itself being the first";
static_assert(limits::kValueDepthMax == 8);
const char* const kTooLong = "too many elements: an array or object has 65536 at most";
static_assert(limits::kTupleElementsMax == 65536);

struct Malformed {
  error_code code = SUCCESS;
  const char* reason = nullptr;  // ours, else simdjson's
};

// An array's or map's head is written once its length is known: room for the short form is left at
// its front, and widened where that does not do.
void put_container_head(std::string& out, std::size_t at, std::size_t length, bool is_map) {
  const std::size_t short_max = 16;
  if (length < short_max) {
    out[at] = static_cast<char>((is_map ? 0x80U : 0x90U) | length);
    return;
  }
  std::string head;
  is_map ? pack::map_head(head, length) : pack::array_head(head, length);
  out.replace(at, 1, head);
}

void put(std::string& out, ondemand::value value, std::uint32_t depth_left);

void put_number(std::string& out, simdjson_result<ondemand::number> parsed, std::string_view raw) {
  ondemand::number number;
  if (const error_code error = std::move(parsed).get(number); error != SUCCESS) {
    const bool integer = raw.find_first_of(".eE") == std::string_view::npos && raw.size() > 18;
    throw Malformed{
        error, integer ? "an integer beyond 64 bits; write it as text, or with a .0" : nullptr};
  }
  switch (number.get_number_type()) {
    case ondemand::number_type::signed_integer:
      pack::integer(out, number.get_int64());
      break;
    case ondemand::number_type::unsigned_integer:
      pack::uint(out, number.get_uint64());
      break;
    case ondemand::number_type::floating_point_number:
      pack::number(out, number.get_double());
      break;
  }
}

template <class Json>  // a value or the document
void put_array(std::string& out, Json& json, std::uint32_t depth_left) {
  if (depth_left == 0) throw Malformed{SUCCESS, kTooDeep};
  const std::size_t head_at = out.size();
  out.push_back(0);
  std::size_t length = 0;
  for (auto element : json.get_array()) {
    put(out, element.value(), depth_left - 1);
    ++length;
  }
  if (length > limits::kTupleElementsMax) throw Malformed{SUCCESS, kTooLong};
  put_container_head(out, head_at, length, false);
}

template <class Json>
void put_object(std::string& out, Json& json, std::uint32_t depth_left) {
  if (depth_left == 0) throw Malformed{SUCCESS, kTooDeep};
  const std::size_t head_at = out.size();
  out.push_back(0);
  std::size_t length = 0;
  for (auto field : json.get_object()) {
    pack::text(out, field.unescaped_key().value());
    put(out, field.value().value(), depth_left - 1);
    ++length;
  }
  if (length > limits::kTupleElementsMax) throw Malformed{SUCCESS, kTooLong};
  put_container_head(out, head_at, length, true);
}

template <class Json>
void put_scalar(std::string& out, Json& json, ondemand::json_type type, std::string_view raw) {
  switch (type) {
    case ondemand::json_type::number:
      put_number(out, json.get_number(), raw);
      break;
    case ondemand::json_type::string:
      pack::text(out, std::string_view(json.get_string()));
      break;
    case ondemand::json_type::boolean:
      pack::boolean(out, bool(json.get_bool()));
      break;
    case ondemand::json_type::null:
      if (!bool(json.is_null())) throw Malformed{N_ATOM_ERROR};
      pack::nil(out);
      break;
    case ondemand::json_type::array:
    case ondemand::json_type::object:
      break;
  }
}

void put(std::string& out, ondemand::value value, std::uint32_t depth_left) {
  const ondemand::json_type type = value.type();
  if (type == ondemand::json_type::array) {
    put_array(out, value, depth_left);
  } else if (type == ondemand::json_type::object) {
    put_object(out, value, depth_left);
  } else {
    put_scalar(out, value, type,
               type == ondemand::json_type::number ? value.raw_json_token() : std::string_view());
  }
}

// A bare integer of at most 18 digits: the commonest line of all (`seq 1000000 | …`).
bool put_bare_integer(std::string& out, std::string_view line) {
  const bool negative = !line.empty() && line.front() == '-';
  const std::string_view digits = negative ? line.substr(1) : line;
  if (digits.empty() || digits.size() > 18 || (digits.front() == '0' && line.size() > 1)) {
    return false;
  }
  std::int64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + (c - '0');
  }
  pack::array_head(out, 1);
  pack::integer(out, negative ? -number : number);
  return true;
}

// Where the brackets or quotes of `line` go wrong, if they do: simdjson looks at the two ends
// alone, and names the first column.
std::optional<JsonTupleParser::Fault> unclosed(std::string_view line) {
  std::vector<std::size_t> open;
  std::size_t quote = 0;
  bool in_text = false;
  const auto kind = [&](std::size_t at) { return line[at] == '[' ? "array" : "object"; };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
      quote = i;
    } else if (c == '[' || c == '{') {
      open.push_back(i);
    } else if (c == ']' || c == '}') {
      if (open.empty()) return {};
      if ((c == ']') != (line[open.back()] == '[')) {
        return JsonTupleParser::Fault{
            .column = i + 1,
            .reason = fmt::format("a `{}`, but the {} that begins in column {} is to be closed", c,
                                  kind(open.back()), open.back() + 1)};
      }
      open.pop_back();
    }
  }
  if (in_text) {
    return JsonTupleParser::Fault{.column = quote + 1, .reason = "a string that does not end"};
  }
  if (open.empty()) return {};
  return JsonTupleParser::Fault{
      .column = line.size() + 1,
      .reason = fmt::format("the {} that begins in column {} is not closed", kind(open.back()),
                            open.back() + 1)};
}

std::string describe(const Malformed& what) {
  if (what.reason != nullptr) return what.reason;
  switch (what.code) {
    case N_ATOM_ERROR:
    case T_ATOM_ERROR:
    case F_ATOM_ERROR:
    case TAPE_ERROR:
    case INCORRECT_TYPE:
      return "not JSON here (text needs double quotes)";
    case NUMBER_ERROR:
      return "not a JSON number (leading zeros, or beyond a double?)";
    case UTF8_ERROR:
      return "bytes that are not UTF-8";
    case UNCLOSED_STRING:
      return "a string that does not end";
    case STRING_ERROR:
      return "a bad escape in a string";
    case INCOMPLETE_ARRAY_OR_OBJECT:
      return "the array or object is not closed";
    case TRAILING_CONTENT:
      return "more than one JSON value on the line";
    case DEPTH_ERROR:
      return kTooDeep;
    default:
      return error_message(what.code);
  }
}

}  // namespace

struct JsonTupleParser::State {
  ondemand::parser parser;

  void parse(std::string& out, std::string_view line, const char*& stopped_at) {
    ondemand::document document;
    const padded_string_view padded(line.data(), line.size(), line.size() + kPadding);
    if (const error_code error = parser.iterate(padded).get(document); error != SUCCESS) {
      throw Malformed{error};
    }
    try {
      const ondemand::json_type type = document.type();
      if (type == ondemand::json_type::array) {
        put_array(out, document, limits::kValueDepthMax);
      } else if (type == ondemand::json_type::object) {
        put_object(out, document, limits::kValueDepthMax);
      } else {
        pack::array_head(out, 1);
        put_scalar(out, document, type, line);
      }
      if (document.current_location().error() != OUT_OF_BOUNDS) throw Malformed{TRAILING_CONTENT};
    } catch (...) {
      if (document.current_location().get(stopped_at) != SUCCESS) {
        stopped_at = line.data() + line.size();
      }
      throw;
    }
  }
};

JsonTupleParser::JsonTupleParser() : state_(std::make_unique<State>()) {}
JsonTupleParser::JsonTupleParser(JsonTupleParser&&) noexcept = default;
JsonTupleParser::~JsonTupleParser() = default;

std::optional<JsonTupleParser::Fault> JsonTupleParser::append(std::string& out,
                                                              std::string_view line) {
  const std::size_t before = out.size();
  if (put_bare_integer(out, line)) return {};
  const char* stopped_at = line.data();
  Malformed what;
  try {
    state_->parse(out, line, stopped_at);
    if (out.size() - before <= limits::kTupleBytesMax) return {};
    what = {SUCCESS, "the row is too long"};
  } catch (const Malformed& malformed) {
    what = malformed;
  } catch (const simdjson_error& error) {
    what = {error.error()};
  }
  out.resize(before);
  if (what.code == INCOMPLETE_ARRAY_OR_OBJECT || what.code == UNCLOSED_STRING) {
    if (auto fault = unclosed(line)) return fault;
  }
  const auto at = std::clamp<std::ptrdiff_t>(stopped_at - line.data(), 0,
                                             static_cast<std::ptrdiff_t>(line.size()));
  return Fault{.column = static_cast<std::uint64_t>(at) + 1, .reason = describe(what)};
}

}  // namespace fanmill::producer
