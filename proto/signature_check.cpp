#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "proto/nearest.hpp"
#include "proto/signature.hpp"
#include "proto/value.hpp"
#include "proto/wire.hpp"

namespace fanmill {
namespace {

constexpr std::size_t kShownMax = 60;

void cut_to_show(std::string& text) {
  if (text.size() <= kShownMax) return;
  text.resize(kShownMax);
  // Not in the middle of a character.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80)
    text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.pop_back();
  text += "…";
}

std::string with_article(const std::string& type) {
  const char first = type.front();
  return (first == 'a' || first == 'i' ? "an " : "a ") + type;
}

std::string expected(const Type& type) {
  Type plain = type;
  plain.or_null = false;
  if (plain.kind == Type::Kind::kNull) return "null";
  return with_article(to_string(plain)) + (type.or_null ? " or null" : "");
}

TupleFault fault_of(const Parameter& parameter, std::size_t element, std::string found) {
  TupleFault fault{.parameter = parameter.name,
                   .element = element,
                   .expected = to_string(parameter.type),
                   .found = std::move(found),
                   .message = {}};
  cut_to_show(fault.found);
  fault.message =
      parameter.name + " should be " + expected(parameter.type) + ", not " + fault.found;
  return fault;
}

bool takes(wire::Reader& reader, const Type& type, std::uint32_t depth_left);

bool takes_all(wire::Reader& reader, std::uint64_t count, const Type& type,
               std::uint32_t depth_left) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!takes(reader, type, depth_left)) return false;
  }
  return true;
}

// Reads one value, or stops inside of one that is not of the type.
bool takes(wire::Reader& reader, const Type& type, std::uint32_t depth_left) {
  if (type.kind == Type::Kind::kAny) {
    reader.skip(1);
    return true;
  }
  if (type.or_null && reader.take_nil()) return true;
  if (depth_left == 0) wire::refuse(ErrorCode::kLimit, "values are nested too deeply");
  const wire::Head head = reader.head();
  const auto is_text = [&](bool yes) {
    if (yes) reader.bytes(head.number);
    return yes;
  };
  switch (type.kind) {
    case Type::Kind::kAny:
      return true;
    case Type::Kind::kNull:
      return head.kind == wire::Kind::kNil;
    case Type::Kind::kBool:
      return head.kind == wire::Kind::kTrue || head.kind == wire::Kind::kFalse;
    case Type::Kind::kInt:
      return head.kind == wire::Kind::kUint || head.kind == wire::Kind::kInt;
    case Type::Kind::kFloat:
      return head.kind == wire::Kind::kDouble || head.kind == wire::Kind::kUint ||
             head.kind == wire::Kind::kInt;
    case Type::Kind::kStr:
      return is_text(head.kind == wire::Kind::kStr);
    case Type::Kind::kBytes:
      return is_text(head.kind == wire::Kind::kStr || head.kind == wire::Kind::kBin);
    case Type::Kind::kList:
      if (head.kind != wire::Kind::kArray) return false;
      return takes_all(reader, head.number, type.of.empty() ? Type{} : type.of.front(),
                       depth_left - 1);
    case Type::Kind::kMap: {
      if (head.kind != wire::Kind::kMap) return false;
      static const Type key{.kind = Type::Kind::kStr};
      for (std::uint64_t i = 0; i < head.number; ++i) {
        if (type.of.empty()) {
          reader.skip(2);
        } else if (!takes(reader, key, depth_left - 1) ||
                   !takes(reader, type.of.front(), depth_left - 1)) {
          return false;
        }
      }
      return true;
    }
    case Type::Kind::kTuple:
      if (head.kind != wire::Kind::kArray || head.number != type.of.size()) return false;
      for (const Type& each : type.of) {
        if (!takes(reader, each, depth_left - 1)) return false;
      }
      return true;
  }
  return false;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "`" : ", `") + name + "`";
  return out;
}

std::string takes_text(const Signature& signature) {
  return "; the function takes " + to_string(signature);
}

std::size_t required_of(const Signature& signature) {
  return static_cast<std::size_t>(std::ranges::count_if(
      signature.parameters, [](const Parameter& each) { return each.is_required(); }));
}

std::string wrong_count_text(const Signature& signature, std::uint64_t count) {
  const std::size_t least = required_of(signature);
  const std::size_t most = signature.parameters.size();
  std::string out = std::to_string(count) + (count == 1 ? " parameter" : " parameters") + ", but ";
  if (signature.takes_more) {
    out += "at least " + std::to_string(least);
  } else if (least == most) {
    out += std::to_string(least);
  } else {
    out += std::to_string(least) + " to " + std::to_string(most);
  }
  const bool one = least == 1 && (signature.takes_more || most == 1);
  return out + (one ? " is" : " are") + " taken" + takes_text(signature);
}

bool is_right_count(const Signature& signature, std::size_t required, std::uint64_t count) {
  return count >= required && (signature.takes_more || count <= signature.parameters.size());
}

std::size_t parameter_called(const Signature& signature, std::string_view name) {
  for (std::size_t i = 0; i < signature.parameters.size(); ++i) {
    if (signature.parameters[i].name == name) return i;
  }
  return kNoParameter;
}

std::string unknown_text(const Signature& signature, std::string_view name) {
  std::vector<std::string> known;
  for (const Parameter& parameter : signature.parameters) known.push_back(parameter.name);
  std::string shown(name);
  cut_to_show(shown);
  std::string out = "there is no parameter `" + shown + "`";
  if (const auto nearest = nearest_name(name, known)) out += "; did you mean `" + *nearest + "`?";
  std::string taken = takes_text(signature);
  if (out.back() == '?') taken = " The" + taken.substr(5);
  return out + taken;
}

std::string missing_text(const Signature& signature, const std::vector<bool>& given) {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i] && signature.parameters[i].is_required()) {
      missing.push_back(signature.parameters[i].name);
    }
  }
  if (missing.empty()) return {};
  return (missing.size() == 1 ? "the parameter " : "the parameters ") + quoted_list(missing) +
         (missing.size() == 1 ? " is" : " are") + " missing" + takes_text(signature);
}

}  // namespace

Result<std::vector<std::size_t>> bind_elements(const Signature& signature, std::size_t count,
                                               std::span<const std::string> names) {
  const auto by_position = [&](std::size_t i) {
    return i < signature.parameters.size() ? i : kNoParameter;
  };
  std::vector<std::size_t> columns(count, kNoParameter);
  std::vector<bool> given(signature.parameters.size());
  bool any = false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    columns[i] = parameter_called(signature, names[i]);
    if (columns[i] == kNoParameter) continue;
    any = true;
    given[columns[i]] = true;
  }
  if (!any) {
    if (!is_right_count(signature, required_of(signature), count)) {
      return fail(ErrorCode::kBadArguments, wrong_count_text(signature, count));
    }
    for (std::size_t i = 0; i < count; ++i) columns[i] = by_position(i);
    return columns;
  }
  std::size_t left = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (columns[i] != kNoParameter) continue;
    const bool unnamed = names[i].empty() || names[i] == "arg" + std::to_string(i + 1);
    if (unnamed) {
      while (left < given.size() && given[left]) ++left;
      columns[i] = by_position(left);
      if (columns[i] != kNoParameter) given[left] = true;
    }
    if (columns[i] != kNoParameter || signature.takes_more) continue;
    return fail(ErrorCode::kBadArguments,
                unnamed ? wrong_count_text(signature, count) : unknown_text(signature, names[i]));
  }
  if (std::string missing = missing_text(signature, given); !missing.empty()) {
    return fail(ErrorCode::kBadArguments, std::move(missing));
  }
  return columns;
}

TupleFault text_fault(const Parameter& parameter, std::size_t element, std::string_view text) {
  std::string shown;
  // A part is enough to see: of a long text only so much is escaped.
  append_json(shown, Value(text.substr(0, 4 * kShownMax)));
  return fault_of(parameter, element, std::move(shown));
}

TupleFault value_fault(const Parameter& parameter, std::size_t element, std::string_view packed) {
  std::string shown;
  std::size_t at = 0;
  if (!append_json_from_msgpack(shown, packed, at)) shown = "bytes that are no value";
  return fault_of(parameter, element, std::move(shown));
}

bool fits(std::string_view packed, const Type& type) {
  return wire::guarded("value",
                       [&] {
                         wire::Reader reader(packed);
                         return takes(reader, type, limits::kValueDepthMax) && reader.left() == 0;
                       })
      .value_or(false);
}

TupleCheck::TupleCheck(Signature signature, std::vector<std::size_t> columns)
    : signature_(std::move(signature)), columns_(std::move(columns)) {
  required_ = required_of(signature_);
}

std::optional<TupleFault> TupleCheck::wrong_count(std::uint64_t count) const {
  TupleFault fault;
  fault.expected = to_string(signature_);
  fault.found = std::to_string(count);
  fault.message = wrong_count_text(signature_, count);
  return fault;
}

std::optional<TupleFault> TupleCheck::positional(std::string_view elements,
                                                 std::uint64_t count) const {
  const bool is_bound = !columns_.empty();
  if (is_bound ? count != columns_.size() : !is_right_count(signature_, required_, count)) {
    return wrong_count(count);
  }
  const std::size_t known = is_bound ? columns_.size() : signature_.parameters.size();
  wire::Reader reader(elements);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t parameter = i >= known ? kNoParameter : is_bound ? columns_[i] : i;
    if (parameter == kNoParameter) {
      reader.skip(1);
      continue;
    }
    const std::size_t begin = elements.size() - reader.left();
    if (!takes(reader, signature_.parameters[parameter].type, limits::kValueDepthMax - 1)) {
      return value_fault(signature_.parameters[parameter], i, elements.substr(begin));
    }
  }
  return {};
}

std::optional<TupleFault> TupleCheck::named(std::string_view entries, std::uint64_t count) const {
  std::uint64_t given[limits::kSignatureParametersMax / 64] = {};
  std::size_t required_left = required_;
  wire::Reader reader(entries);
  const auto whole = [&](std::string message, std::string_view found) {
    return TupleFault{.parameter = {},
                      .element = 0,
                      .expected = to_string(signature_),
                      .found = std::string(found),
                      .message = std::move(message)};
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = reader.str(limits::kValueBytesMax);
    // Most rows have them in order.
    std::size_t parameter = i;
    if (i >= signature_.parameters.size() || signature_.parameters[i].name != name) {
      parameter = parameter_called(signature_, name);
    }
    if (parameter == kNoParameter) {
      if (!signature_.takes_more) return whole(unknown_text(signature_, name), name);
      reader.skip(1);
      continue;
    }
    const std::uint64_t bit = std::uint64_t{1} << (parameter % 64);
    if ((given[parameter / 64] & bit) != 0) {
      return whole("the parameter `" + std::string(name) + "` is given twice", name);
    }
    given[parameter / 64] |= bit;
    if (signature_.parameters[parameter].is_required()) --required_left;
    const std::size_t begin = entries.size() - reader.left();
    if (!takes(reader, signature_.parameters[parameter].type, limits::kValueDepthMax - 1)) {
      return value_fault(signature_.parameters[parameter], i, entries.substr(begin));
    }
  }
  if (required_left == 0) return {};
  std::vector<bool> seen(signature_.parameters.size());
  for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = (given[i / 64] >> (i % 64) & 1U) != 0;
  return whole(missing_text(signature_, seen), {});
}

std::optional<TupleFault> TupleCheck::operator()(std::string_view tuple) const {
  auto found = wire::guarded("tuple", [&]() -> std::optional<TupleFault> {
    wire::Reader reader(tuple);
    const wire::Head head = reader.head();
    const std::string_view rest = tuple.substr(tuple.size() - reader.left());
    if (head.kind == wire::Kind::kArray) return positional(rest, head.number);
    if (head.kind == wire::Kind::kMap) return named(rest, head.number);
    wire::refuse(ErrorCode::kProtocol, "neither an array nor a map");
  });
  if (found) return std::move(*found);
  TupleFault fault;
  fault.expected = to_string(signature_);
  fault.message = found.error().message;
  return fault;
}

}  // namespace fanmill
