#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "proto/value.hpp"

namespace fanmill {
namespace {

// Both ways to JSON, which must agree.
std::string json(const Value& value) {
  std::string from_value;
  append_json(from_value, value);
  std::string bytes;
  append_msgpack(bytes, value);
  std::size_t at = 0;
  std::string from_bytes;
  EXPECT_TRUE(append_json_from_msgpack(from_bytes, bytes, at));
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(from_bytes, from_value);
  return from_value;
}

TEST(JsonText, OfScalars) {
  EXPECT_EQ(json(nullptr), "null");
  EXPECT_EQ(json(true), "true");
  EXPECT_EQ(json(false), "false");
  EXPECT_EQ(json(0), "0");
  EXPECT_EQ(json(-17), "-17");
  EXPECT_EQ(json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(json(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(JsonText, OfDoublesIsShortAndNeverLooksLikeAnInteger) {
  EXPECT_EQ(json(0.0), "0.0");
  EXPECT_EQ(json(-0.0), "-0.0");
  EXPECT_EQ(json(1.0), "1.0");
  EXPECT_EQ(json(100000.0), "100000.0");
  EXPECT_EQ(json(0.1), "0.1");
  EXPECT_EQ(json(0.0001), "0.0001");
  EXPECT_EQ(json(-2.5), "-2.5");
  EXPECT_EQ(json(1e16), "1e+16");
  EXPECT_EQ(json(1e300), "1e+300");
  EXPECT_EQ(json(5e-324), "5e-324");
  EXPECT_EQ(json(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(json(std::nan("")), "null");
  EXPECT_EQ(json(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json(-std::numeric_limits<double>::infinity()), "null");
}

TEST(JsonText, OfDoublesReadsBackIdentically) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20000; ++round) {
    const double number = round % 2 == 0 ? std::ldexp(static_cast<double>(random() >> 11), -40)
                                         : std::ldexp(static_cast<double>(random() >> 11),
                                                      static_cast<int>(random() % 2000) - 1050);
    if (!std::isfinite(number)) continue;
    const std::string text = json(number);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), number) << text;
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
  }
}

TEST(JsonText, EscapesWhatJsonDemandsAndNothingElse) {
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("plain"), R"("plain")");
  EXPECT_EQ(json("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json(std::string("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
}

TEST(JsonText, KeepsUtf8) {
  for (const char* text : {"é", "€", "𝄞", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(json(text), "\"" + std::string(text) + "\"");
  }
}

TEST(JsonText, ReplacesEachInvalidFrontOnce) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(json("a\x80z"), "\"a" + r + "z\"");                      // a lone continuation
  EXPECT_EQ(json("\xff\xfe"), "\"" + r + r + "\"");                  // never in UTF-8
  EXPECT_EQ(json("\xc0\xaf"), "\"" + r + r + "\"");                  // overlong slash
  EXPECT_EQ(json("\xe0\x80\xaf"), "\"" + r + r + r + "\"");          // overlong
  EXPECT_EQ(json("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // a surrogate
  EXPECT_EQ(json("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // beyond U+10FFFF
  EXPECT_EQ(json("\xe2\x82"), "\"" + r + "\"");                      // cut at the end
  EXPECT_EQ(json("\xe2\x82z"), "\"" + r + "z\"");                    // cut in the middle
  EXPECT_EQ(json("\xf0\x9f\x98\n"), "\"" + r + "\\n\"");
}

TEST(JsonText, OfBytesIsBase64) {
  EXPECT_EQ(json(Bytes{""}), R"("")");
  EXPECT_EQ(json(Bytes{"f"}), R"("Zg==")");
  EXPECT_EQ(json(Bytes{"fo"}), R"("Zm8=")");
  EXPECT_EQ(json(Bytes{"foo"}), R"("Zm9v")");
  EXPECT_EQ(json(Bytes{"foobar"}), R"("Zm9vYmFy")");
  EXPECT_EQ(json(Bytes{"\xff\xef\xbe"}), R"("/+++")");
}

TEST(JsonText, OfContainersIsCompact) {
  EXPECT_EQ(json(Array{}), "[]");
  EXPECT_EQ(json(Map{}), "{}");
  EXPECT_EQ(json(Array{1, Array{}, "x", nullptr}), R"([1,[],"x",null])");
  EXPECT_EQ(json(Map{{"a", 1}, {"b", Array{2.0}}}), R"({"a":1,"b":[2.0]})");
}

TEST(JsonText, MakesKeysText) {
  EXPECT_EQ(json(Map{{1, 2}, {nullptr, 3}, {true, 4}, {1.5, 5}}),
            R"({"1":2,"null":3,"true":4,"1.5":5})");
  EXPECT_EQ(json(Map{{Bytes{"f"}, 1}}), R"({"Zg==":1})");
  EXPECT_EQ(json(Map{{Array{"a", 1}, 1}}), R"({"[\"a\",1]":1})");
}

TEST(JsonText, IsAppended) {
  std::string out = "before ";
  append_json(out, Map{{1, 2}});
  EXPECT_EQ(out, R"(before {"1":2})");
}

}  // namespace
}  // namespace fanmill
