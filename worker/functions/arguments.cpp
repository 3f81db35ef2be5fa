#include "worker/functions/arguments.hpp"

#include <algorithm>
#include <cmath>

#include "proto/signature.hpp"

namespace fanmill::worker {
namespace {

// Shown in messages, so cut to a readable length.
std::string shown(const Value& value) {
  constexpr std::size_t kShownMax = 60;
  std::string text;
  append_json(text, value);
  if (text.size() > kShownMax) {
    text.resize(kShownMax);
    text += "…";
  }
  return text;
}

}  // namespace

Failure bad_arguments(std::string_view function, std::string_view signature,
                      std::string_view what) {
  Failure failure;
  failure.code = ErrorCode::kBadArguments;
  failure.message.append(function).append(signature).append(": ").append(what);
  return failure;
}

Arguments::Arguments(std::string function, std::string_view signature,
                     const std::vector<std::string>& column_names)
    : function_(std::move(function)) {
  const auto parsed = parse_signature(signature);
  FANMILL_ASSERT(parsed);
  signature_ = "(";
  for (const Parameter& parameter : parsed->parameters) {
    if (signature_.size() > 1) signature_ += ", ";
    signature_ += parameter.name;
    parameters_.push_back(parameter.name);
  }
  signature_ += ")";

  columns_count_ = parameters_.size();
  for (std::size_t i = 0; i < parameters_.size(); ++i) columns_.push_back(i);
  if (column_names.empty()) return;
  const auto bound = bind_elements(*parsed, column_names.size(), column_names);
  if (!bound) {
    unfit_ = bound.error().message;
    return;
  }
  for (std::size_t i = 0; i < bound->size(); ++i) columns_[(*bound)[i]] = i;
}

Failure Arguments::bad(std::string_view what) const {
  return bad_arguments(function_, signature_, what);
}

tl::expected<Array, Failure> Arguments::take(const TupleView& tuple) const {
  if (!tuple.named && !unfit_.empty()) return tl::make_unexpected(bad(unfit_));
  const auto elements = tuple.elements();
  const auto names = tuple.names();
  if (elements.size() != (tuple.named ? parameters_.size() : columns_count_)) {
    return tl::make_unexpected(bad("the tuple has " + std::to_string(elements.size()) +
                                   (elements.size() == 1 ? " element" : " elements") + " where " +
                                   std::to_string(parameters_.size()) +
                                   (parameters_.size() == 1 ? " is" : " are") + " taken"));
  }
  Array values;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    std::size_t where = columns_[i];
    if (tuple.named) {
      const auto found = std::find(names.begin(), names.end(), parameters_[i]);
      if (found == names.end()) {
        return tl::make_unexpected(bad("the tuple has no element named '" + parameters_[i] + "'"));
      }
      where = static_cast<std::size_t>(found - names.begin());
    }
    std::size_t at = 0;
    auto value = decode_msgpack(elements[where], at);
    if (!value) return tl::make_unexpected(bad(value.error().message));
    values.push_back(std::move(*value));
  }
  return values;
}

tl::expected<double, Failure> Arguments::duration(const Array& values,
                                                  std::size_t parameter) const {
  constexpr double kLongest = 1e9;  // some thirty years; beyond it the clock's arithmetic overflows
  const Value& value = values[parameter];
  double number = 0;
  if (const auto* integer = value.as<std::int64_t>()) {
    number = static_cast<double>(*integer);
  } else if (const auto* large = value.as<std::uint64_t>()) {
    number = static_cast<double>(*large);
  } else if (const auto* real = value.as<double>()) {
    number = *real;
  } else {
    return tl::make_unexpected(
        bad(parameters_[parameter] + " is to be a number, not " + shown(value)));
  }
  if (!std::isfinite(number) || number < 0 || number > kLongest) {
    return tl::make_unexpected(
        bad(parameters_[parameter] + " is to be between 0 and 1000000000, not " + shown(value)));
  }
  return number;
}

}  // namespace fanmill::worker
