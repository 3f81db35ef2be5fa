#include "proto/result_batch.hpp"

#include <gtest/gtest.h>

#include <random>

#include "hex.hpp"
#include "proto/limits.hpp"

namespace fanmill {
namespace {

using test::from_hex;
using test::to_hex;

ResultColumns full() {
  return {.start_unix_us = 1795387334000000,
          .run_ns = {1000, 2000000, 3},
          .outputs = {{0, "out", ""}, {2, "", "err\xff"}},
          .failures = {{ErrorCode::kFunctionFailed, "no", 1, 0, from_hex("9101")},
                       {ErrorCode::kCrashed, "killed by signal 11", -1, 11, ""},
                       {ErrorCode::kTimeLimit, "too slow", -1, 9, from_hex("90")}},
          .slot = 3};
}

std::string packed(const ResultColumns& columns) {
  std::string out;
  append_columns(out, columns);
  return out;
}

TEST(ResultColumns, RoundTrip) {
  const auto decoded = decode_columns(packed(full()));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, full());
}
TEST(ResultColumns, OfNothingTakeNoBytes) {
  EXPECT_EQ(packed({}), "");
  const auto decoded = decode_columns("");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, ResultColumns{});
}
TEST(ResultColumns, GoldenBytes) {
  ResultColumns columns;
  columns.start_unix_us = 5;
  EXPECT_EQ(to_hex(packed(columns)), "9505c0c0c0c0");
  columns.run_ns = {1, 200};
  columns.outputs = {{1, "o", ""}};
  columns.failures = {{ErrorCode::kCrashed, "m", -1, 11, from_hex("9101")}};
  columns.slot = 2;
  EXPECT_EQ(to_hex(packed(columns)),
            "95059201ccc8919301c4016fc400"
            "91950ba16dff0bc4029101"
            "02");
}
TEST(ResultColumns, EveryTruncationIsRefused) {
  const std::string bytes = packed(full());
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_columns(std::string(bytes, 0, size)));
  }
  EXPECT_FALSE(decode_columns(bytes + '\0'));
}
TEST(ResultColumns, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(9);
  const std::string bytes = packed(full());
  for (int round = 0; round < 20000; ++round) {
    std::string mutated = bytes;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      mutated[random() % mutated.size()] = static_cast<char>(random());
    }
    const auto decoded = decode_columns(mutated);
    if (decoded) {
      EXPECT_TRUE(decode_columns(packed(*decoded)));
    }
  }
}
TEST(ResultColumns, HostileBytesAreRefused) {
  EXPECT_FALSE(decode_columns(from_hex("dd 7fffffff")));
  EXPECT_FALSE(decode_columns(from_hex("92 05 dd 7fffffff")));
  EXPECT_FALSE(decode_columns(from_hex("93 05 c0 92 9302c400c400 9302c400c400")));  // not rising
  EXPECT_FALSE(decode_columns(from_hex("94 05 c0 c0 91 95 11 a0 00 00 c400")));     // code 17
  EXPECT_TRUE(decode_columns(from_hex("94 05 c0 c0 91 95 10 a0 00 00 c400")));
}
TEST(ResultColumns, TextsOfFailuresAreBounded) {
  ResultColumns columns;
  columns.failures = {{ErrorCode::kCrashed, std::string(limits::kFailureMessageMax + 5, 'm'), -1,
                       11, std::string(limits::kFailureTupleMax, 't')}};
  const auto decoded = decode_columns(packed(columns));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->failures[0].message.size(), limits::kFailureMessageMax);
  EXPECT_EQ(decoded->failures[0].tuple.size(), limits::kFailureTupleMax);
  columns.failures[0].tuple += 't';
  const auto longer = decode_columns(packed(columns));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->failures[0].tuple, "") << "part of a tuple would not be a tuple";
}

}  // namespace
}  // namespace fanmill
