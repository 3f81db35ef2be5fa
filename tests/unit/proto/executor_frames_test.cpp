#include "proto/executor_frames.hpp"

#include <gtest/gtest.h>

#include <random>

#include "hex.hpp"
#include "proto/limits.hpp"

namespace fanmill::executor {
namespace {

using test::from_hex;
using test::to_hex;

std::vector<FromExecutor> samples_from_executor() {
  return {Hello{.version = 1, .uses_page = true, .offers = {{"norm", "(x) -> y"}, {"id", ""}}},
          Done{.position = 7,
               .count = 256,
               .outcome = Outcome::kFailed,
               .values_bytes = 3,
               .run_ns = 70000,
               .blob = "vvvcolumns"},
          Stopped{.position = 9}};
}
std::vector<ToExecutor> samples_to_executor() {
  return {Bind{.job = {5},
               .spec = {.function = "exec",
                        .argv = {"a", "{}"},
                        .names = {"n"},
                        .time_limit_ms = 6,
                        .max_output = 7,
                        .shell = "/bin/sh",
                        .chdir = "{}",
                        .env = {{"A", "b", false}},
                        .input = {"in"},
                        .time_limit_percent = 8,
                        .group = 9}},
          Work{.job = {5},
               .position = 7,
               .first = {1000},
               .count = 3,
               .skip = 2,
               .token = {1, 2},
               .attempt = 1,
               .blob = "tuples"},
          Forget{.job = {5}}};
}

template <class Message>
std::string framed(const Message& message) {
  std::string out;
  append_frame(out, message);
  return out;
}
std::string_view body_of(std::string_view frame) { return frame.substr(4); }

Result<FromExecutor> decode(const FromExecutor&, std::string_view body) {
  return decode_from_executor(body);
}
Result<ToExecutor> decode(const ToExecutor&, std::string_view body) {
  return decode_to_executor(body);
}

template <class Variant>
void expect_sound(const std::vector<Variant>& samples) {
  ASSERT_EQ(samples.size(), std::variant_size_v<Variant>);
  for (const Variant& sample : samples) {
    const std::string frame = framed(sample);
    ASSERT_EQ(frame_size(frame).value_or(0), frame.size());
    const std::string body(body_of(frame));
    const auto decoded = decode(sample, body);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->index(), sample.index());
    EXPECT_EQ(to_hex(framed(*decoded)), to_hex(frame));
    for (std::size_t size = 0; size < body.size(); ++size) {
      EXPECT_FALSE(decode(sample, std::string(body, 0, size))) << "at byte " << size;
    }
    EXPECT_FALSE(decode(sample, body + '\0'));
  }
}

TEST(ExecutorFrames, RoundTripAndRefuseEveryTruncation) {
  expect_sound(samples_from_executor());
  expect_sound(samples_to_executor());
}
TEST(ExecutorFrames, AreForOneSideOnly) {
  for (const auto& sample : samples_from_executor()) {
    EXPECT_FALSE(decode_to_executor(body_of(framed(sample))));
  }
  for (const auto& sample : samples_to_executor()) {
    EXPECT_FALSE(decode_from_executor(body_of(framed(sample))));
  }
}
TEST(ExecutorFrames, GoldenBytes) {
  EXPECT_EQ(to_hex(framed(ToExecutor{samples_to_executor()[1]})),
            "00000015"
            "99"
            "11"
            "05"
            "07"
            "cd03e8"
            "03"
            "02"
            "920102"
            "01"
            "c406"
            "7475706c6573");
  EXPECT_EQ(to_hex(framed(FromExecutor{samples_from_executor()[1]})),
            "00000019"
            "97"
            "02"
            "07"
            "cd0100"
            "01"
            "03"
            "ce00011170"
            "c40a"
            "767676636f6c756d6e73");
  EXPECT_EQ(to_hex(framed(FromExecutor{Stopped{.position = 9}})),
            "00000003"
            "92"
            "03"
            "09");
}
TEST(ExecutorFrames, AHeadIsTheFrameWithoutItsBlob) {
  const auto done = std::get<Done>(samples_from_executor()[1]);
  const auto work = std::get<Work>(samples_to_executor()[1]);
  std::string head;
  append_frame_head(head, done);
  EXPECT_EQ(head + std::string(done.blob), framed(FromExecutor{done}));
  head.clear();
  append_frame_head(head, work);
  EXPECT_EQ(head + std::string(work.blob), framed(ToExecutor{work}));
}
TEST(ExecutorFrames, AddedFieldsStandBeforeTheBlob) {
  const std::string body = from_hex("98 02 07 02 00 03 09 a178 c403 616263");
  const auto decoded = decode_from_executor(body);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<Done>(*decoded).run_ns, 9u);
  EXPECT_EQ(std::get<Done>(*decoded).blob, "abc");
  EXPECT_FALSE(decode_from_executor(from_hex("91 02"))) << "no blob";
}
TEST(ExecutorFrameSize, WaitsForTheLengthAndBoundsIt) {
  EXPECT_EQ(frame_size("").value_or(9), 0u);
  EXPECT_EQ(frame_size(from_hex("000000")).value_or(9), 0u);
  EXPECT_EQ(frame_size(from_hex("00000003")).value_or(9), 7u);
  const auto length = [](std::size_t size) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
    return bytes;
  };
  const std::size_t most = limits::kBlobBytesMax + limits::kHeaderBytesMax;
  EXPECT_EQ(frame_size(length(most)).value_or(0), most + 4);
  ASSERT_FALSE(frame_size(length(most + 1)));
  EXPECT_EQ(frame_size(length(most + 1)).error().code, ErrorCode::kLimit);
}
TEST(ExecutorFrames, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(11);
  std::vector<std::string> bodies;
  for (const auto& sample : samples_from_executor()) bodies.emplace_back(body_of(framed(sample)));
  for (const auto& sample : samples_to_executor()) bodies.emplace_back(body_of(framed(sample)));
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string body = bodies[random() % bodies.size()];
    body[random() % body.size()] = static_cast<char>(random());
    const auto from = decode_from_executor(body);
    const auto to = decode_to_executor(body);
    refused += !from && !to;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace fanmill::executor
