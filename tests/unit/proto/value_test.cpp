#include "proto/value.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <msgpack.hpp>
#include <random>

#include "hex.hpp"
#include "proto/limits.hpp"

namespace fanmill {
namespace {

using test::from_hex;
using test::to_hex;

std::string packed(const Value& value) {
  std::string out;
  append_msgpack(out, value);
  return out;
}

std::vector<Value> samples() {
  return {nullptr,
          true,
          false,
          0,
          127,
          128,
          -1,
          -32,
          -33,
          65536,
          std::numeric_limits<std::int64_t>::max(),
          std::numeric_limits<std::int64_t>::min(),
          std::numeric_limits<std::uint64_t>::max(),
          0.0,
          -2.5,
          1e300,
          "",
          "text",
          std::string(40, 's'),
          std::string(70000, 's'),
          Bytes{},
          Bytes{std::string("\0\xff", 2)},
          Array{},
          Array{1, "two", Array{3.5}},
          Map{},
          Map{{"k", 1}, {2, Bytes{"b"}}, {nullptr, Map{{"deep", Array{true}}}}}};
}

TEST(ValueMsgpack, RoundTripsEveryKind) {
  std::string all;
  for (const Value& value : samples()) append_msgpack(all, value);
  std::size_t at = 0;
  for (const Value& value : samples()) {
    const auto decoded = decode_msgpack(all, at);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, value);
  }
  EXPECT_EQ(at, all.size());
  std::size_t skipped = 0;
  ASSERT_TRUE(skip_msgpack(all, skipped, samples().size()));
  EXPECT_EQ(skipped, all.size());
}

TEST(ValueMsgpack, TakesTheShortestForm) {
  EXPECT_EQ(to_hex(packed(5)), "05");
  EXPECT_EQ(to_hex(packed(-1)), "ff");
  EXPECT_EQ(to_hex(packed(200)), "ccc8");
  EXPECT_EQ(to_hex(packed(1.5)), "cb3ff8000000000000");
  EXPECT_EQ(to_hex(packed(2.0)), "cb4000000000000000") << "a double stays one";
  EXPECT_EQ(to_hex(packed(Array{"a", Bytes{"b"}, nullptr})), "93a161c40162c0");
  EXPECT_EQ(to_hex(packed(Map{{"a", true}})), "81a161c3");
}

TEST(ValueMsgpack, ReadsEveryWidthThatOthersMayWrite) {
  const auto read = [](const char* hex) {
    std::size_t at = 0;
    const std::string bytes = from_hex(hex);
    const auto value = decode_msgpack(bytes, at);
    EXPECT_TRUE(value) << hex;
    EXPECT_EQ(at, bytes.size());
    std::size_t skipped = 0;
    EXPECT_TRUE(skip_msgpack(bytes, skipped, 1));
    EXPECT_EQ(skipped, bytes.size());
    return value.value_or(Value("refused"));
  };
  EXPECT_EQ(read("cd 0005"), Value(5));
  EXPECT_EQ(read("cf 0000000000000005"), Value(5));
  EXPECT_EQ(read("d0 fb"), Value(-5));
  EXPECT_EQ(read("d1 fffb"), Value(-5));
  EXPECT_EQ(read("d2 fffffffb"), Value(-5));
  EXPECT_EQ(read("d3 fffffffffffffffb"), Value(-5));
  EXPECT_EQ(read("d3 0000000000000005"), Value(5));
  EXPECT_EQ(read("ca 3fc00000"), Value(1.5));
  EXPECT_EQ(read("d9 01 61"), Value("a"));
  EXPECT_EQ(read("da 0001 61"), Value("a"));
  EXPECT_EQ(read("db 00000001 61"), Value("a"));
  EXPECT_EQ(read("c5 0001 61"), Value(Bytes{"a"}));
  EXPECT_EQ(read("c6 00000001 61"), Value(Bytes{"a"}));
  EXPECT_EQ(read("dc 0001 05"), Value(Array{5}));
  EXPECT_EQ(read("dd 00000001 05"), Value(Array{5}));
  EXPECT_EQ(read("de 0001 05 06"), Value(Map{{5, 6}}));
  EXPECT_EQ(read("df 00000001 05 06"), Value(Map{{5, 6}}));
}

TEST(ValueUnsigned, IsSignedWhereItFits) {
  EXPECT_NE(Value(std::uint64_t{5}).as<std::int64_t>(), nullptr);
  EXPECT_NE(Value(~std::uint64_t{0}).as<std::uint64_t>(), nullptr);
}

// All three readers refuse alike, and leave `at` where it was.
void expect_refused(const std::string& bytes, ErrorCode code) {
  std::size_t at = 0;
  const auto decoded = decode_msgpack(bytes, at);
  ASSERT_FALSE(decoded) << to_hex(bytes);
  EXPECT_EQ(decoded.error().code, code) << to_hex(bytes);
  const auto skipped = skip_msgpack(bytes, at, 1);
  ASSERT_FALSE(skipped) << to_hex(bytes);
  EXPECT_EQ(skipped.error().code, code);
  std::string json;
  const auto printed = append_json_from_msgpack(json, bytes, at);
  ASSERT_FALSE(printed) << to_hex(bytes);
  EXPECT_EQ(printed.error().code, code);
  EXPECT_EQ(at, 0u);
}

TEST(ValueHostile, BombsAndUnknownKindsAreRefused) {
  for (const char* hex :
       {"dd 7fffffff", "df 7fffffff", "db 7fffffff", "c6 ffffffff", "c1", "d4 00 00", "c7 01 00 00",
        "d6 ff 00000000", "91", "81 05", "a2 61", "cb 00"}) {
    expect_refused(from_hex(hex), ErrorCode::kProtocol);
  }
}

TEST(ValueHostile, EveryTruncationIsRefused) {
  for (const Value& value : samples()) {
    const std::string whole = packed(value);
    if (whole.size() > 1000) continue;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      expect_refused(std::string(whole, 0, size), ErrorCode::kProtocol);
    }
  }
}

TEST(ValueHostile, RandomBytesAreReadAlikeByAllReaders) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(1 + random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::size_t decoded_to = 0;
    std::size_t skipped_to = 0;
    std::size_t printed_to = 0;
    std::string json;
    std::string json_of_value;
    const auto value = decode_msgpack(bytes, decoded_to);
    const bool skipped = skip_msgpack(bytes, skipped_to, 1).has_value();
    const bool printed = append_json_from_msgpack(json, bytes, printed_to).has_value();
    ASSERT_EQ(value.has_value(), skipped);
    ASSERT_EQ(value.has_value(), printed);
    ASSERT_EQ(decoded_to, skipped_to);
    ASSERT_EQ(decoded_to, printed_to);
    if (value) {
      append_json(json_of_value, *value);
      ASSERT_EQ(json, json_of_value);
    }
  }
}

TEST(ValueLimits, DepthHoldsAtItsEdge) {
  Value value = 1;
  for (std::uint32_t depth = 0; depth < limits::kValueDepthMax; ++depth) value = Array{value};
  std::size_t at = 0;
  const std::string deepest = packed(value);
  EXPECT_TRUE(decode_msgpack(deepest, at));
  at = 0;
  EXPECT_TRUE(skip_msgpack(deepest, at, 1));
  expect_refused(packed(Array{value}), ErrorCode::kLimit);
  expect_refused(packed(Map{{"k", value}}), ErrorCode::kLimit);
}

TEST(ValueSkip, PassesOverExactlySoMany) {
  const std::string bytes = packed(1) + packed(Array{1, Map{{"a", 2}}}) + packed("x");
  std::size_t at = 0;
  ASSERT_TRUE(skip_msgpack(bytes, at, 0));
  EXPECT_EQ(at, 0u);
  ASSERT_TRUE(skip_msgpack(bytes, at, 2));
  EXPECT_EQ(at, bytes.size() - 2);
  EXPECT_FALSE(skip_msgpack(bytes, at, 2));
  ASSERT_TRUE(skip_msgpack(bytes, at, 1));
  EXPECT_EQ(at, bytes.size());
  EXPECT_FALSE(skip_msgpack(bytes, at, 1));
  std::size_t behind = bytes.size() + 1;
  EXPECT_FALSE(skip_msgpack(bytes, behind, 0));
}

// The oracle: msgpack-c packs what we read and unpacks what we write.
TEST(ValueMsgpack, AgreesWithMsgpackC) {
  for (const Value& value : samples()) {
    if (value == Value(0.0)) continue;  // msgpack-c writes whole doubles as integers
    const std::string ours = packed(value);
    const auto handle = msgpack::unpack(ours.data(), ours.size());
    msgpack::sbuffer theirs;
    msgpack::pack(theirs, handle.get());
    EXPECT_EQ(to_hex({theirs.data(), theirs.size()}), to_hex(ours));
  }
}

}  // namespace
}  // namespace fanmill
