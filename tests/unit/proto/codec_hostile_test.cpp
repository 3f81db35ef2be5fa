#include <gtest/gtest.h>

#include <msgpack/pack.hpp>
#include <random>

#include "hex.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "sample_messages.hpp"

namespace fanmill {
namespace {

using test::from_hex;

std::vector<std::string> all_headers() {
  std::vector<std::string> headers;
  const auto add = [&](const auto& samples) {
    for (const auto& sample : samples) encode(headers.emplace_back(), SessionId{9}, sample);
  };
  add(test::samples_from_producer());
  add(test::samples_from_worker());
  add(test::samples_to_producer());
  add(test::samples_to_worker());
  return headers;
}

// How many of the three sides accept these bytes.
int acceptances(std::string_view header) {
  return int{decode_to_broker(header).has_value()} + int{decode_to_producer(header).has_value()} +
         int{decode_to_worker(header).has_value()};
}

ErrorCode refusal(std::string_view header) {
  const auto decoded = decode_to_broker(header);
  return decoded ? ErrorCode::kNone : decoded.error().code;
}

TEST(CodecHostile, EveryMessageIsForOneSideOnly) {
  for (const std::string& header : all_headers()) EXPECT_EQ(acceptances(header), 1);
}

TEST(CodecHostile, EveryTruncationIsRefused) {
  for (const std::string& header : all_headers()) {
    for (std::size_t size = 0; size < header.size(); ++size) {
      // A copy of its own, so that a sanitizer sees every read behind the end.
      const std::string cut(header.data(), size);
      EXPECT_EQ(acceptances(cut), 0) << "at byte " << size;
    }
  }
}

TEST(CodecHostile, TrailingBytesAreRefused) {
  for (const std::string& header : all_headers()) EXPECT_EQ(acceptances(header + '\0'), 0);
}

TEST(CodecHostile, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(20261122);
  const std::vector<std::string> headers = all_headers();
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string header = headers[random() % headers.size()];
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      header[random() % header.size()] = static_cast<char>(random());
    }
    accepted += acceptances(header) > 0;
  }
  EXPECT_GT(accepted, 0) << "some mutations hit plain numbers, which may be anything";
  EXPECT_LT(accepted, 20000);
}

TEST(CodecHostile, RandomBytesAreRefused) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::string header(random() % 64, '\0');
    for (char& byte : header) byte = static_cast<char>(random());
    EXPECT_EQ(acceptances(header), 0);
  }
}

TEST(CodecHostile, ALengthWithoutBytesIsRefused) {
  EXPECT_EQ(refusal(from_hex("dd 7fffffff")), ErrorCode::kProtocol);
  EXPECT_EQ(refusal(from_hex("97 01 05 09 02 05 03 dd 7fffffff")), ErrorCode::kProtocol);
  EXPECT_EQ(refusal(from_hex("95 01 04 09 db ffffffff")), ErrorCode::kProtocol);
  EXPECT_EQ(refusal(from_hex("94 01 03 09 df ffffffff")), ErrorCode::kProtocol);
}

TEST(CodecHostile, AnotherVersionIsNamedAsSuch) {
  EXPECT_EQ(refusal(from_hex("93 02 03 09")), ErrorCode::kVersion);
  EXPECT_EQ(refusal(from_hex("93 00 03 09")), ErrorCode::kVersion);
  EXPECT_EQ(refusal(from_hex("91 02")), ErrorCode::kVersion);
}

TEST(CodecHostile, UnknownTypesAndWrongKindsAreRefused) {
  for (const char* hex :
       {"", "90", "c0", "80", "91 01", "92 01 03", "93 01 00 09", "93 01 0d 09", "93 01 1e 09",
        "93 01 24 09", "93 01 3d 09", "93 01 cf ffffffffffffffff 09", "93 01 03 ff",
        "93 a131 03 09", "95 01 06 09 02 a131", "95 01 06 09 02 c3"}) {
    EXPECT_EQ(refusal(from_hex(hex)), ErrorCode::kProtocol) << hex;
  }
}

TEST(CodecHostile, EnumeratorsAndNumbersOutOfRangeAreRefused) {
  EXPECT_EQ(refusal(from_hex("96 01 07 09 02 03 00")), ErrorCode::kNone);      // Gather
  EXPECT_EQ(refusal(from_hex("96 01 07 09 02 04 00")), ErrorCode::kProtocol);  // RowOrder 4
  EXPECT_EQ(refusal(from_hex("95 01 01 09 02 ce ffffffff")), ErrorCode::kNone);
  EXPECT_EQ(refusal(from_hex("95 01 01 09 02 cf 0000000100000000")), ErrorCode::kProtocol);
  EXPECT_FALSE(decode_to_worker(from_hex("97 01 62 09 a0 02 11 a0")));  // ErrorCode 17
  EXPECT_TRUE(decode_to_worker(from_hex("97 01 62 09 a0 02 10 a0")));
}

TEST(CodecHostile, AnOverDeepTailIsRefused) {
  EXPECT_EQ(refusal(from_hex("94 01 03 09 9191919191919191 c0")), ErrorCode::kNone);
  EXPECT_EQ(refusal(from_hex("94 01 03 09 919191919191919191 c0")), ErrorCode::kLimit);
}

std::string hello_with_name(std::size_t bytes) {
  std::string header;
  encode(header, SessionId{},
         FromProducer{ProducerHello{
             .instance = {1}, .attempt = 1, .host = std::string(bytes, 'h'), .pid = 1}});
  return header;
}
std::string submit_with_blocks(std::size_t blocks) {
  std::string header;
  encode(header, SessionId{},
         FromProducer{Submit{
             .job = {1}, .first = {0}, .count = 1, .blocks = std::vector<Block>(blocks, {1, 1})}});
  return header;
}
std::string heartbeat_with_running(std::size_t tasks) {
  std::string header;
  WorkerHeartbeat heartbeat;
  heartbeat.running.resize(tasks);
  encode(header, SessionId{}, FromWorker{heartbeat});
  return header;
}
std::string hello_with_offers(std::size_t offers) {
  std::string header;
  WorkerHello hello;
  hello.offers.resize(offers);
  encode(header, SessionId{}, FromWorker{hello});
  return header;
}
std::string open_with_argument(std::size_t bytes) {
  std::string header;
  OpenJob open;
  open.options.spec.argv = {std::string(bytes, 'a')};
  encode(header, SessionId{}, FromProducer{open});
  return header;
}

std::string open_with(JobSpec spec) {
  std::string header;
  OpenJob open;
  open.options.spec = std::move(spec);
  encode(header, SessionId{}, FromProducer{open});
  return header;
}

TEST(CodecLimits, OfCommandsHoldAtTheirEdges) {
  const auto refusal_of = [](auto fill) {
    JobSpec spec;
    fill(spec);
    return refusal(open_with(std::move(spec)));
  };
  const std::string longest(limits::kArgumentBytesMax, 'a');
  const std::string too_long = longest + "a";
  for (const auto& [text, verdict] : {std::pair(longest, ErrorCode::kNone),  //
                                      std::pair(too_long, ErrorCode::kLimit)}) {
    EXPECT_EQ(refusal_of([&](JobSpec& spec) { spec.shell = text; }), verdict);
    EXPECT_EQ(refusal_of([&](JobSpec& spec) { spec.chdir = text; }), verdict);
    EXPECT_EQ(refusal_of([&](JobSpec& spec) { spec.input = {text}; }), verdict);
    EXPECT_EQ(refusal_of([&](JobSpec& spec) { spec.env = {{"N", text, false}}; }), verdict);
  }
  EXPECT_EQ(refusal_of([](JobSpec& spec) { spec.env.resize(limits::kVariablesMax); }),
            ErrorCode::kNone);
  EXPECT_EQ(refusal_of([](JobSpec& spec) { spec.env.resize(limits::kVariablesMax + 1); }),
            ErrorCode::kLimit);
  EXPECT_EQ(refusal_of([](JobSpec& spec) { spec.input = {"a", "b"}; }), ErrorCode::kLimit);
}

TEST(CodecLimits, HoldAtTheirEdges) {
  EXPECT_EQ(refusal(hello_with_name(limits::kNameBytesMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(hello_with_name(limits::kNameBytesMax + 1)), ErrorCode::kLimit);
  EXPECT_EQ(refusal(submit_with_blocks(limits::kChunkBlocksMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(submit_with_blocks(limits::kChunkBlocksMax + 1)), ErrorCode::kLimit);
  EXPECT_EQ(refusal(heartbeat_with_running(limits::kRunningNamedMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(heartbeat_with_running(limits::kRunningNamedMax + 1)), ErrorCode::kLimit);
  EXPECT_EQ(refusal(hello_with_offers(limits::kFunctionsMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(hello_with_offers(limits::kFunctionsMax + 1)), ErrorCode::kLimit);
  EXPECT_EQ(refusal(open_with_argument(limits::kArgumentBytesMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(open_with_argument(limits::kArgumentBytesMax + 1)), ErrorCode::kLimit);
}

// A Goodbye with a tail of text that makes it exactly so long.
std::string goodbye_of_size(std::size_t size) {
  std::string header = from_hex("94 01 03 09 db");
  const std::size_t text = size - header.size() - 4;
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(text >> shift & 0xff);
  return header + std::string(text, 'x');
}

TEST(CodecLimits, AHeaderIsBounded) {
  EXPECT_EQ(refusal(goodbye_of_size(limits::kHeaderBytesMax)), ErrorCode::kNone);
  EXPECT_EQ(refusal(goodbye_of_size(limits::kHeaderBytesMax + 1)), ErrorCode::kLimit);
}

}  // namespace
}  // namespace fanmill
