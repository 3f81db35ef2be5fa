#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "proto/signature.hpp"
#include "proto/value.hpp"

namespace fanmill {
namespace {

Signature parsed(std::string_view text) {
  auto signature = parse_signature(text);
  EXPECT_TRUE(signature) << signature.error().message;
  return signature.value_or(Signature{});
}
std::string packed(const Value& value) {
  std::string out;
  append_msgpack(out, value);
  return out;
}
std::string fault(std::string_view signature, const Value& tuple,
                  std::vector<std::size_t> columns = {}) {
  const auto found = TupleCheck(parsed(signature), std::move(columns))(packed(tuple));
  return found ? found->message : "";
}
bool is_a(const Value& value, std::string_view type) {
  return fits(packed(value), *parse_type(type));
}

constexpr const char* kNorm = "(x: float, y: float, label: str = \"a\") -> float";

TEST(TupleCheckPositional, TakesWhatFits) {
  EXPECT_EQ(fault(kNorm, Array{1, 2.5}), "");
  EXPECT_EQ(fault(kNorm, Array{1, 2.5, "b"}), "");
  EXPECT_EQ(fault("(...)", Array{}), "");
  EXPECT_EQ(fault("(...)", Array{1, "x", nullptr}), "");
  EXPECT_EQ(fault("(x, ...)", Array{1, "x", nullptr}), "");
  EXPECT_EQ(fault("()", Array{}), "");
}

TEST(TupleCheckPositional, NamesParameterTypeAndWhatWasFound) {
  const auto found = TupleCheck(parsed(kNorm))(packed(Array{1, "abc"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->parameter, "y");
  EXPECT_EQ(found->element, 1U);
  EXPECT_EQ(found->expected, "float");
  EXPECT_EQ(found->found, "\"abc\"");
  EXPECT_EQ(found->message, "y should be a float, not \"abc\"");
  EXPECT_EQ(fault("(n: int?)", Array{1.5}), "n should be an int or null, not 1.5");
  EXPECT_EQ(fault("(t: tuple[int, str])", Array{Array{1, 2}}),
            "t should be a tuple[int, str], not [1,2]");
}

TEST(TupleCheckPositional, CutsALongValueBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "é";
  const std::string said = fault("(n: int)", Array{text});
  EXPECT_LT(said.size(), 100U);
  EXPECT_TRUE(said.ends_with("éé…")) << said;
}

TEST(TupleCheckPositional, RefusesTooManyAndTooFewWithTheSignature) {
  EXPECT_EQ(fault("(seconds: float) -> null", Array{}),
            "0 parameters, but 1 is taken; the function takes (seconds: float) -> null");
  EXPECT_EQ(fault("(a, b)", Array{1, 2, 3}),
            "3 parameters, but 2 are taken; the function takes (a, b) -> any");
  EXPECT_NE(fault(kNorm, Array{1}).find("1 parameter, but 2 to 3 are taken"), std::string::npos);
  EXPECT_NE(fault("(a, ...)", Array{}).find("0 parameters, but at least 1 is taken"),
            std::string::npos);
}

TEST(TupleCheckNamed, MatchesByNameInAnyOrder) {
  EXPECT_EQ(fault(kNorm, Map{{"y", 1}, {"x", 2}}), "");
  EXPECT_EQ(fault(kNorm, Map{{"label", "b"}, {"y", 1}, {"x", 2}}), "");
  EXPECT_EQ(fault("(x, ...)", Map{{"other", 1}, {"x", 2}}), "");
  EXPECT_EQ(fault(kNorm, Map{{"y", "no"}, {"x", 2}}), "y should be a float, not \"no\"");
}

TEST(TupleCheckNamed, NamesWhatIsMissingUnknownOrTwice) {
  EXPECT_EQ(fault("(a, b, c, d = 1)", Map{{"b", 1}}),
            "the parameters `a`, `c` are missing; the function takes (a, b, c, d = 1) -> any");
  EXPECT_EQ(fault("(seconds: float)", Map{{"secnods", 1}}),
            "there is no parameter `secnods`; did you mean `seconds`? The function takes (seconds: "
            "float) -> any");
  EXPECT_EQ(fault("(a)", Map{{"zzz", 1}}),
            "there is no parameter `zzz`; the function takes (a) -> any");
  EXPECT_EQ(fault("(a)", Map{{"a", 1}, {"a", 2}}), "the parameter `a` is given twice");
}

TEST(TupleCheckNamed, CountsTheLastOfManyParameters) {
  std::string text;
  Map all;
  for (std::size_t i = 0; i < limits::kSignatureParametersMax; ++i) {
    const std::string name = "p" + std::to_string(i);
    text += (i > 0 ? "," : "(") + name + ": int";
    all.emplace_back(name, 1);
  }
  text += ")";
  EXPECT_EQ(fault(text, all), "");
  all.back().second = "x";
  EXPECT_EQ(fault(text, all), "p255 should be an int, not \"x\"");
  all.pop_back();
  EXPECT_NE(fault(text, all).find("the parameter `p255` is missing"), std::string::npos);
}

TEST(TupleCheckColumns, CheckElementsAgainstTheParametersOfTheirNames) {
  const Signature signature = parsed("(n: int, s: str)");
  const std::vector<std::string> names{"s", "n"};
  const auto columns = bind_elements(signature, 2, names);
  ASSERT_TRUE(columns);
  EXPECT_EQ(*columns, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(fault("(n: int, s: str)", Array{"text", 1}, *columns), "");
  EXPECT_EQ(fault("(n: int, s: str)", Array{1, "text"}, *columns), "s should be a str, not 1");
  EXPECT_NE(fault("(n: int, s: str)", Array{1}, *columns), "");
}

TEST(TupleCheckBytes, RefusesWhatIsNoTuple) {
  EXPECT_TRUE(TupleCheck(parsed("(x)"))(packed(7)));
  EXPECT_TRUE(TupleCheck(parsed("(x)"))(""));
  EXPECT_TRUE(TupleCheck(parsed("(x)"))("\x91"));
  EXPECT_TRUE(TupleCheck(parsed("(x: str)"))("\x91\xa5xx"));
  EXPECT_TRUE(TupleCheck(parsed("(x)"))(packed(Map{{1, 2}})));
}

TEST(TypeOfAValue, IsTakenAsTheTableSays) {
  const Value all[] = {nullptr, true, 1, 1.5, "s", Bytes{"b"}, Array{1}, Map{{"k", 1}}};
  const struct {
    const char* type;
    const char* taken;
  } table[] = {{"any", "11111111"},    {"null", "10000000"},  {"bool", "01000000"},
               {"int", "00100000"},    {"float", "00110000"}, {"str", "00001000"},
               {"bytes", "00001100"},  {"list", "00000010"},  {"map", "00000001"},
               {"int?", "10100000"},   {"any?", "11111111"},  {"tuple[int]", "00000010"},
               {"tuple[]", "00000000"}};
  for (const auto& row : table) {
    std::string taken;
    for (const Value& value : all) taken += is_a(value, row.type) ? '1' : '0';
    EXPECT_EQ(taken, row.taken) << row.type;
  }
}

TEST(TypeOfAValue, LooksIntoContainers) {
  EXPECT_TRUE(is_a(Array{1, 2}, "list[int]"));
  EXPECT_FALSE(is_a(Array{1, "x"}, "list[int]"));
  EXPECT_TRUE(is_a(Array{1, nullptr}, "list[int?]"));
  EXPECT_TRUE(is_a(Array{}, "list[int]"));
  EXPECT_TRUE(is_a(Map{{"a", Array{1.5}}}, "map[list[float]]"));
  EXPECT_FALSE(is_a(Map{{"a", Array{"x"}}}, "map[list[float]]"));
  EXPECT_FALSE(is_a(Map{{1, 2}}, "map[int]"));
  EXPECT_TRUE(is_a(Map{{1, 2}}, "map"));
  EXPECT_TRUE(is_a(Array{1, "x"}, "tuple[int, str]"));
  EXPECT_FALSE(is_a(Array{1, "x", 2}, "tuple[int, str]"));
  EXPECT_TRUE(is_a(std::uint64_t{UINT64_MAX}, "int"));
  EXPECT_TRUE(is_a(-7, "int"));
}

std::string bound(std::string_view signature, const std::vector<std::string>& names,
                  std::size_t count) {
  const auto columns = bind_elements(parsed(signature), count, names);
  if (!columns) {
    EXPECT_EQ(columns.error().code, ErrorCode::kBadArguments);
    return columns.error().message;
  }
  std::string out;
  for (const std::size_t column : *columns) {
    out += column == kNoParameter ? "-" : std::to_string(column);
  }
  return out;
}
std::string bound(std::string_view signature, const std::vector<std::string>& names) {
  return bound(signature, names, names.size());
}

TEST(BindElements, GoesByNameWhereOneIsAParameters) {
  EXPECT_EQ(bound(kNorm, {"y", "x"}), "10");
  EXPECT_EQ(bound(kNorm, {"label", "y", "x"}), "210");
  EXPECT_EQ(bound("(x, ...)", {"other", "x"}), "-0");
}

TEST(BindElements, GoesByPositionWhereNoNameIsAParameters) {
  EXPECT_EQ(bound(kNorm, {"a", "b"}), "01");
  EXPECT_EQ(bound(kNorm, {}, 3), "012");
  EXPECT_EQ(bound("(x, ...)", {}, 3), "0--");
  EXPECT_EQ(bound("(...)", {}, 2), "--");
  EXPECT_NE(bound(kNorm, {"a"}).find("1 parameter, but 2 to 3 are taken"), std::string::npos);
  EXPECT_NE(bound(kNorm, {}, 4).find("4 parameters, but 2 to 3 are taken"), std::string::npos);
}

TEST(BindElements, GivesElementsWithoutANameWhatIsLeft) {
  EXPECT_EQ(bound(kNorm, {"y", "arg2", ""}), "102");
  EXPECT_EQ(bound("(a, b)", {"arg1", "a"}), "10");
  EXPECT_NE(bound("(a, b)", {"a", "arg2", "arg3"}).find("3 parameters, but 2 are taken"),
            std::string::npos);
  EXPECT_EQ(bound("(a, ...)", {"a", "arg2"}), "0-");
}

TEST(BindElements, NamesWhatIsMissingAndUnknown) {
  EXPECT_EQ(bound("(a, b, c = 1)", {"a", "c"}),
            "the parameter `b` is missing; the function takes (a, b, c = 1) -> any");
  EXPECT_NE(bound("(alpha, beta)", {"alpha", "betta"}).find("did you mean `beta`?"),
            std::string::npos);
  EXPECT_NE(bound("(a, b)", {"a", "arg7"}).find("there is no parameter `arg7`"), std::string::npos);
}

}  // namespace
}  // namespace fanmill
