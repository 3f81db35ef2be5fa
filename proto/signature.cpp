#include "proto/signature.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill {
namespace {

struct TypeName {
  Type::Kind kind;
  std::string_view name;
};
constexpr std::array<TypeName, 10> kTypeNames{{{Type::Kind::kAny, "any"},
                                               {Type::Kind::kNull, "null"},
                                               {Type::Kind::kBool, "bool"},
                                               {Type::Kind::kInt, "int"},
                                               {Type::Kind::kFloat, "float"},
                                               {Type::Kind::kStr, "str"},
                                               {Type::Kind::kBytes, "bytes"},
                                               {Type::Kind::kList, "list"},
                                               {Type::Kind::kMap, "map"},
                                               {Type::Kind::kTuple, "tuple"}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;  // names in other scripts
}

struct Refused {
  std::string why;
  std::size_t at;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Signature signature() {
    Signature out;
    expect("(");
    if (!take(")")) {
      do {
        if (take("...")) {
          out.takes_more = true;
          break;
        }
        add(out, parameter());
      } while (take(","));
      expect(")");
    }
    if (take("->")) out.result = type(limits::kTypeDepthMax);
    end();
    return out;
  }

  Type whole_type() {
    Type out = type(limits::kTypeDepthMax);
    end();
    return out;
  }

 private:
  [[noreturn]] void refuse(std::string why) const { throw Refused{std::move(why), at_}; }
  [[noreturn]] void refuse_at(std::size_t at, std::string why) const {
    throw Refused{std::move(why), at};
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(std::string_view word) {
    if (!take(word)) refuse("`" + std::string(word) + "` is expected");
  }
  void end() {
    blanks();
    if (at_ != text_.size()) refuse("nothing more is expected");
  }
  std::string_view word() {
    blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  void add(Signature& out, Parameter parameter) {
    if (out.parameters.size() == limits::kSignatureParametersMax) {
      refuse("more than " + std::to_string(limits::kSignatureParametersMax) + " parameters");
    }
    for (const Parameter& before : out.parameters) {
      if (before.name == parameter.name) {
        refuse("two parameters are called `" + parameter.name + "`");
      }
    }
    if (parameter.is_required() && !out.parameters.empty() &&
        !out.parameters.back().is_required()) {
      refuse("`" + parameter.name + "` needs a default, as the parameter before it has one");
    }
    out.parameters.push_back(std::move(parameter));
  }

  Parameter parameter() {
    blanks();
    const std::size_t begin = at_;
    Parameter out;
    out.name = word();
    if (out.name.empty() || is_digit(out.name.front())) {
      refuse_at(begin, "the name of a parameter is expected");
    }
    if (out.name.size() > limits::kNameBytesMax) {
      refuse_at(begin, "the name of a parameter is too long");
    }
    if (take(":")) out.type = type(limits::kTypeDepthMax);
    if (take("=")) {
      blanks();
      const std::size_t value = at_;
      json(limits::kValueDepthMax);
      out.default_json = text_.substr(value, at_ - value);
    }
    return out;
  }

  Type type(std::uint32_t depth_left) {
    blanks();
    const std::size_t begin = at_;
    if (depth_left == 0) refuse("types are nested too deeply");
    const std::string_view name = word();
    const auto* const known = std::find_if(kTypeNames.begin(), kTypeNames.end(),
                                           [&](const TypeName& each) { return each.name == name; });
    if (known == kTypeNames.end()) {
      refuse_at(begin,
                "a type is expected: any, null, bool, int, float, str, bytes, list[T], map[T] or "
                "tuple[T, U], with a ? behind it if it may be null");
    }
    Type out{.kind = known->kind};
    const bool one = out.kind == Type::Kind::kList || out.kind == Type::Kind::kMap;
    if (out.kind == Type::Kind::kTuple) {
      expect("[");
      if (!take("]")) {
        do {
          out.of.push_back(type(depth_left - 1));
        } while (take(","));
        expect("]");
      }
    } else if (one && take("[")) {
      out.of.push_back(type(depth_left - 1));
      expect("]");
    }
    out.or_null = take("?");
    return out;
  }

  // Passes over one JSON value.
  void json(std::uint32_t depth_left) {
    blanks();
    const std::size_t begin = at_;
    if (take("[") || take("{")) {
      if (depth_left == 0) refuse_at(begin, "the default is nested too deeply");
      const bool is_object = text_[begin] == '{';
      const char* const close = is_object ? "}" : "]";
      if (take(close)) return;
      do {
        if (is_object) {
          expect("\"");
          json_text();
          expect(":");
        }
        json(depth_left - 1);
      } while (take(","));
      expect(close);
    } else if (take("\"")) {
      json_text();
    } else if (take("-") || (at_ < text_.size() && is_digit(text_[at_]))) {
      json_number();
    } else {
      const std::string_view literal = word();
      if (literal != "true" && literal != "false" && literal != "null") {
        refuse_at(begin, "a default as JSON is expected");
      }
    }
  }
  void json_text() {  // behind its first quote
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) refuse("a control character in a text");
      if (c != '\\') continue;
      ++at_;
      if (at_ == text_.size()) break;
      if (std::string_view("\"\\/bfnrtu").find(text_[at_]) == std::string_view::npos) {
        refuse("a bad escape in a text");
      }
    }
    if (at_ >= text_.size()) refuse_at(text_.size(), "a text that does not end");
    ++at_;
  }
  void json_number() {  // behind its sign
    const auto digits = [&] {
      const std::size_t begin = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == begin) refuse("a digit is expected");
      return at_ - begin;
    };
    const std::size_t begin = at_;
    if (digits() > 1 && text_[begin] == '0') refuse_at(begin, "a number with a leading zero");
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      digits();
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      digits();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <class Parse>
auto guarded(std::string_view what, std::string_view text, Parse&& parse)
    -> Result<decltype(parse())> {
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kUsage, std::string(what) + " " + why);
  };
  if (text.size() > limits::kSignatureBytesMax) {
    return refuse("of more than " + std::to_string(limits::kSignatureBytesMax) + " bytes");
  }
  try {
    return parse();
  } catch (const Refused& refused) {
    return refuse("`" + std::string(text) + "`: " + refused.why + " at character " +
                  std::to_string(refused.at + 1));
  }
}

void print(std::string& out, const Type& type) {
  const auto* const named =
      std::find_if(kTypeNames.begin(), kTypeNames.end(),
                   [&](const TypeName& each) { return each.kind == type.kind; });
  out += named->name;
  if (!type.of.empty() || type.kind == Type::Kind::kTuple) {
    out += '[';
    for (std::size_t i = 0; i < type.of.size(); ++i) {
      if (i > 0) out += ", ";
      print(out, type.of[i]);
    }
    out += ']';
  }
  if (type.or_null) out += '?';
}

}  // namespace

Result<Signature> parse_signature(std::string_view text) {
  return guarded("the signature", text, [&] { return Parser(text).signature(); });
}

Result<Type> parse_type(std::string_view text) {
  return guarded("the type", text, [&] { return Parser(text).whole_type(); });
}

std::string to_string(const Type& type) {
  std::string out;
  print(out, type);
  return out;
}

std::string to_string(const Signature& signature) {
  std::string out = "(";
  for (const Parameter& parameter : signature.parameters) {
    if (out.size() > 1) out += ", ";
    out += parameter.name;
    if (parameter.type != Type{}) {
      out += ": ";
      print(out, parameter.type);
    }
    if (parameter.default_json) out += " = " + *parameter.default_json;
  }
  if (signature.takes_more) out += out.size() > 1 ? ", ..." : "...";
  out += ") -> ";
  print(out, signature.result);
  return out;
}

bool is_trivial(const Signature& signature) {
  return signature.takes_more && signature.parameters.empty();
}

}  // namespace fanmill
