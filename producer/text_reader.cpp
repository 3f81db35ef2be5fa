#include "producer/text_reader.hpp"

#include <fanmill/detail/pack.hpp>
#include <utility>

#include "proto/text_value.hpp"

namespace fanmill::producer {

void TextReader::set_parameter(Parameter parameter) {
  if (parameter.type == Type{}) return;
  parameter_ = std::move(parameter);
}

bool TextReader::append(std::string& out, std::string_view text) {
  const bool is_any = !parameter_ || parameter_->type.kind == Type::Kind::kAny;
  const bool is_null = parameter_ && parameter_->type.or_null && text.empty();
  if (!is_null && is_any && untyped_ == Untyped::kText) {
    pack::text(out, text);
    return true;
  }
  if (parameter_) {
    return append_text_as(out, text, parameter_->type) || append_json_text(out, text);
  }
  append_typed(out, text);
  return true;
}

bool TextReader::append_json_text(std::string& out, std::string_view text) {
  const Type::Kind kind = parameter_->type.kind;
  if (kind != Type::Kind::kList && kind != Type::Kind::kMap && kind != Type::Kind::kTuple) {
    return false;
  }
  // As a row of JSON lines these are their own tuple; a scalar would be wrapped in one.
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (text[first] != '[' && text[first] != '{')) return false;
  if (!json_) json_ = std::make_unique<JsonTupleParser>();
  std::string padded(text);
  padded.append(JsonTupleParser::kPadding, ' ');
  const std::size_t before = out.size();
  if (json_->append(out, std::string_view(padded).substr(0, text.size()))) return false;
  if (fits(std::string_view(out).substr(before), parameter_->type)) return true;
  out.resize(before);
  return false;
}

std::string TextReader::fault(std::string_view text) const {
  return text_fault(parameter_.value_or(Parameter{}), 0, text).message;
}

}  // namespace fanmill::producer
