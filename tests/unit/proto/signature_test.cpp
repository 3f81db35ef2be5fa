#include "proto/signature.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill {
namespace {

using Kind = Type::Kind;

Signature parsed(std::string_view text) {
  auto signature = parse_signature(text);
  EXPECT_TRUE(signature) << signature.error().message;
  return signature.value_or(Signature{});
}
std::string refusal(std::string_view text) {
  const auto signature = parse_signature(text);
  if (signature) return "it was taken as " + to_string(*signature);
  EXPECT_EQ(signature.error().code, ErrorCode::kUsage);
  return signature.error().message;
}
// What the text becomes, as JSON; "" if it does not read as the type.
std::string read_as(std::string_view type, std::string_view text) {
  const auto what = parse_type(type);
  EXPECT_TRUE(what) << type;
  std::string packed = "before";
  if (!append_text_as(packed, text, *what)) {
    EXPECT_EQ(packed, "before");
    return {};
  }
  std::string json;
  std::size_t at = 6;
  EXPECT_TRUE(append_json_from_msgpack(json, packed, at));
  EXPECT_EQ(at, packed.size());
  EXPECT_TRUE(fits(std::string_view(packed).substr(6), *what)) << type << " of " << text;
  return json;
}

TEST(SignatureText, HasNamesTypesAndDefaults) {
  const Signature signature = parsed(R"((x: float, y : float,label: str = "a") -> float)");
  ASSERT_EQ(signature.parameters.size(), 3U);
  EXPECT_EQ(signature.parameters[0], (Parameter{.name = "x", .type = {.kind = Kind::kFloat}}));
  EXPECT_EQ(signature.parameters[1].name, "y");
  EXPECT_EQ(signature.parameters[2].default_json, "\"a\"");
  EXPECT_FALSE(signature.parameters[2].is_required());
  EXPECT_EQ(signature.result.kind, Kind::kFloat);
  EXPECT_FALSE(signature.takes_more);
}

TEST(SignatureText, PrintsBackAsItWasRead) {
  for (const char* const text :
       {"() -> null", "(...) -> any", "(x) -> any", "(x, ...) -> int?", "(x = null) -> any",
        "(a: any?, b: null, c: bool, d: int, e: float, f: str, g: bytes, h: list, i: list[int], "
        "j: map, k: map[float?], l: tuple[int, str?], m: tuple[]) -> list[list[int]?]?",
        R"((x: list = [1, -2.5e-3, {"a": [true, false, null], "b\"\u00e9\\": {}}, []]) -> any)",
        "(größe: float) -> any"}) {
    const Signature signature = parsed(text);
    EXPECT_EQ(to_string(signature), text);
    EXPECT_EQ(parsed(to_string(signature)), signature);
  }
}

TEST(SignatureText, TakesSpacesAnywhereAndNoResult) {
  EXPECT_EQ(to_string(parsed(" ( x:list [ int ] ?= [ ] , ... ) ")),
            "(x: list[int]? = [ ], ...) -> any");
  EXPECT_EQ(to_string(parsed("(value)")), "(value) -> any");
}

TEST(SignatureText, RefusalsNameTheCharacter) {
  EXPECT_EQ(refusal(""), "the signature ``: `(` is expected at character 1");
  EXPECT_EQ(refusal("(x"), "the signature `(x`: `)` is expected at character 3");
  EXPECT_NE(refusal("(x: flaot)").find("a type is expected"), std::string::npos);
  EXPECT_NE(refusal("(x: flaot)").find("at character 5"), std::string::npos);
  EXPECT_NE(refusal("(1x)").find("the name of a parameter is expected at character 2"),
            std::string::npos);
  EXPECT_NE(refusal("(x,)").find("the name of a parameter is expected at character 4"),
            std::string::npos);
  EXPECT_NE(refusal("(x, x)").find("two parameters are called `x`"), std::string::npos);
  EXPECT_NE(refusal("(x = 1, y)").find("`y` needs a default"), std::string::npos);
  EXPECT_NE(refusal("(..., x)").find("`)` is expected at character 5"), std::string::npos);
  EXPECT_NE(refusal("(x: int? ?)").find("at character 10"), std::string::npos);
  EXPECT_NE(refusal("(x: tuple)").find("`[` is expected at character 10"), std::string::npos);
  EXPECT_NE(refusal("(x: list[int, int])").find("`]` is expected"), std::string::npos);
  EXPECT_NE(refusal("(x) -> int more").find("nothing more is expected at character 12"),
            std::string::npos);
  EXPECT_NE(refusal("(x) ->").find("a type is expected"), std::string::npos);
}

TEST(SignatureText, DefaultsAreJson) {
  for (const char* const json :
       {"01", "-", "1.", "1e", "\"open", "'a'", "[1,]", "{1: 2}", "{\"a\" 1}", "nan", "\"\\x\""}) {
    EXPECT_NE(refusal("(x = " + std::string(json) + ")").find("at character"), std::string::npos)
        << json;
  }
}

TEST(SignatureLimits, BoundParametersNestingAndLength) {
  const auto of_parameters = [](std::size_t count) {
    std::string text = "(";
    for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? ",p" : "p") + std::to_string(i);
    return text + ")";
  };
  EXPECT_TRUE(parse_signature(of_parameters(limits::kSignatureParametersMax)));
  EXPECT_NE(refusal(of_parameters(limits::kSignatureParametersMax + 1)).find("more than 256"),
            std::string::npos);

  const auto nested = [](std::size_t depth) {
    std::string type = "int";
    for (std::size_t i = 1; i < depth; ++i) type = "list[" + type + "]";
    return "(x: " + type + ")";
  };
  EXPECT_TRUE(parse_signature(nested(limits::kTypeDepthMax)));
  EXPECT_NE(refusal(nested(limits::kTypeDepthMax + 1)).find("nested too deeply"),
            std::string::npos);
  const auto nested_default = [](std::size_t depth) {
    return "(x = " + std::string(depth, '[') + std::string(depth, ']') + ")";
  };
  EXPECT_TRUE(parse_signature(nested_default(limits::kValueDepthMax)));
  EXPECT_NE(refusal(nested_default(limits::kValueDepthMax + 1)).find("nested too deeply"),
            std::string::npos);

  const std::string text = "(x)";
  const std::string blanks(limits::kSignatureBytesMax - text.size(), ' ');
  EXPECT_TRUE(parse_signature(text + blanks));
  EXPECT_NE(refusal(text + blanks + " ").find("of more than 4096 bytes"), std::string::npos);

  const std::string name(limits::kNameBytesMax, 'n');
  EXPECT_TRUE(parse_signature("(" + name + ")"));
  EXPECT_NE(refusal("(" + name + "n)").find("too long"), std::string::npos);
}

TEST(SignatureTrivial, IsOnlyWhatTakesAnything) {
  EXPECT_TRUE(is_trivial(parsed("(...) -> int")));
  EXPECT_FALSE(is_trivial(parsed("()")));
  EXPECT_FALSE(is_trivial(parsed("(x)")));
  EXPECT_FALSE(is_trivial(parsed("(x, ...)")));
}

TEST(TextOfAType, IsWhatTheTypeSays) {
  EXPECT_EQ(read_as("str", "007"), "\"007\"");
  EXPECT_EQ(read_as("str", "42"), "\"42\"");
  EXPECT_EQ(read_as("str", ""), "\"\"");
  EXPECT_EQ(read_as("int", "007"), "7");
  EXPECT_EQ(read_as("int", " -42 "), "-42");
  EXPECT_EQ(read_as("int", "+5"), "5");
  EXPECT_EQ(read_as("int", "18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(read_as("float", "3"), "3");
  EXPECT_EQ(read_as("float", "1.50"), "1.5");
  EXPECT_EQ(read_as("float", "1e3"), "1000.0");
  EXPECT_EQ(read_as("float", "+.5"), "0.5");
  EXPECT_EQ(read_as("float", "9007199254740993"), "9007199254740992.0");
  EXPECT_EQ(read_as("bool", "true"), "true");
  EXPECT_EQ(read_as("bool", "False"), "false");
  EXPECT_EQ(read_as("null", ""), "null");
  EXPECT_EQ(read_as("null", "null"), "null");
  EXPECT_EQ(read_as("bytes", "ab"), "\"YWI=\"");
  EXPECT_EQ(read_as("any", "007"), "\"007\"");
  EXPECT_EQ(read_as("any", "7"), "7");
  EXPECT_EQ(read_as("any", ""), "\"\"");
}

TEST(TextOfAType, IsNullIfEmptyWhereNullIsTaken) {
  for (const char* const type : {"any?", "bool?", "int?", "float?", "str?", "bytes?", "list?"}) {
    EXPECT_EQ(read_as(type, ""), "null") << type;
  }
  EXPECT_EQ(read_as("int?", "7"), "7");
  EXPECT_EQ(read_as("str?", "null"), "\"null\"");
}

TEST(TextOfAType, IsRefusedWhereItDoesNotReadAsOne) {
  for (const char* const text :
       {"", "x", "1.0", "1e3", "1 2", "0x10", "+-1", "18446744073709551616"}) {
    EXPECT_EQ(read_as("int", text), "") << text;
  }
  for (const char* const text : {"", "x", "1,5", "1.5m", "--1", "+", "1e999"}) {
    EXPECT_EQ(read_as("float", text), "") << text;
  }
  for (const char* const text : {"", "yes", "1", "tRue"}) EXPECT_EQ(read_as("bool", text), "");
  EXPECT_EQ(read_as("null", "x"), "");
  EXPECT_EQ(read_as("list", "[]"), "");
  EXPECT_EQ(read_as("map[int]?", "{}"), "");
  EXPECT_EQ(read_as("tuple[]", "[]"), "");
}

TEST(TextOfAType, FloatTakesInfinityAndNan) {
  EXPECT_EQ(read_as("float", "inf"), "null");  // JSON has neither
  EXPECT_EQ(read_as("float", "-nan"), "null");
}

}  // namespace
}  // namespace fanmill
