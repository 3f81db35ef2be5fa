#include "proto/codec.hpp"

#include <gtest/gtest.h>

#include <msgpack.hpp>
#include <utility>

#include "hex.hpp"
#include "proto/describe.hpp"
#include "proto/limits.hpp"
#include "sample_messages.hpp"

namespace fanmill {
namespace {

using test::from_hex;
using test::to_hex;

constexpr SessionId kSession{0x0000000300000042};

// ---- every direction through one interface ----

template <class Message>
std::string encoded(const Message& message, SessionId session = kSession) {
  std::string out = "what was there before";
  encode(out, session, message);
  return out;
}

template <class Sent>
Sent sent_of(Envelope<ToBroker>&& envelope) {
  return std::get<Sent>(std::move(envelope.message));
}

template <class Sent>
Result<Envelope<Sent>> decode_as(std::string_view header) {
  if constexpr (std::is_same_v<Sent, ToProducer>) {
    return decode_to_producer(header);
  } else if constexpr (std::is_same_v<Sent, ToWorker>) {
    return decode_to_worker(header);
  } else {
    auto decoded = decode_to_broker(header);
    if (!decoded) return tl::make_unexpected(decoded.error());
    return Envelope<Sent>{decoded->session, sent_of<Sent>(std::move(*decoded))};
  }
}

// Any type, to find out how many members an aggregate has.
struct Any {
  template <class T>
  operator T() const;
};
template <class Struct, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { Struct{(static_cast<void>(I), Any{})...}; };
}
template <class Struct, std::size_t N = 24>
constexpr std::size_t members() {
  if constexpr (takes<Struct>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return members<Struct, N - 1>();
  }
}

struct FieldCounter {
  std::size_t fields = 0;
  template <class... F>
  void operator()(const F&...) {
    fields = sizeof...(F);
  }
};
template <class Struct>
void expect_all_described(const char* name) {
  FieldCounter counter;
  Struct value{};
  describe(counter, value);
  EXPECT_EQ(counter.fields, members<Struct>()) << name;
}
template <class Variant, std::size_t... I>
void expect_all_alternatives_described(const char* direction, std::index_sequence<I...>) {
  (expect_all_described<std::variant_alternative_t<I, Variant>>(direction), ...);
}
template <class Variant>
void expect_direction_described(const char* direction) {
  expect_all_alternatives_described<Variant>(
      direction, std::make_index_sequence<std::variant_size_v<Variant>>());
}

TEST(CodecFields, EveryMemberOfEveryMessageIsDescribed) {
  static_assert(members<Submit>() == 4 && members<Goodbye>() == 0);
  expect_direction_described<FromProducer>("from producer");
  expect_direction_described<FromWorker>("from worker");
  expect_direction_described<ToProducer>("to producer");
  expect_direction_described<ToWorker>("to worker");
  expect_all_described<Block>("Block");
  expect_all_described<IndexRange>("IndexRange");
  expect_all_described<AttemptToken>("AttemptToken");
  expect_all_described<Credit>("Credit");
  expect_all_described<FunctionOffer>("FunctionOffer");
  expect_all_described<EnvironmentVariable>("EnvironmentVariable");
  expect_all_described<JobSpec>("JobSpec");
  expect_all_described<JobOptions>("JobOptions");
  expect_all_described<RunningTask>("RunningTask");
  expect_all_described<Claim>("Claim");
  expect_all_described<JobCounts>("JobCounts");
}

template <class Sent>
void expect_round_trip(const std::vector<Sent>& samples) {
  ASSERT_EQ(samples.size(), std::variant_size_v<Sent>);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(samples[i].index(), i) << "the samples follow the variant";
    const std::string header = encoded(samples[i]);
    auto decoded = decode_as<Sent>(header);
    ASSERT_TRUE(decoded) << "alternative " << i << ": " << decoded.error().message;
    EXPECT_EQ(decoded->session, kSession);
    EXPECT_EQ(decoded->message.index(), i);
    EXPECT_EQ(to_hex(encoded(decoded->message)), to_hex(header)) << "alternative " << i;
  }
}

TEST(CodecRoundTrip, KeepsEveryFieldOfEveryMessage) {
  expect_round_trip(test::samples_from_producer());
  expect_round_trip(test::samples_from_worker());
  expect_round_trip(test::samples_to_producer());
  expect_round_trip(test::samples_to_worker());
}

TEST(CodecRoundTrip, LandsInTheFieldsOfTheSameName) {
  const auto lease_header = encoded(ToWorker{test::samples_to_worker()[1]});
  const auto envelope = decode_to_worker(lease_header);
  ASSERT_TRUE(envelope);
  const auto& lease = std::get<Lease>(envelope->message);
  EXPECT_EQ(lease.lease, 21u);
  EXPECT_EQ(lease.token, (AttemptToken{3, 70002}));
  EXPECT_EQ(lease.first, TaskIndex{1010});
  EXPECT_EQ(lease.count, 290u);
  EXPECT_EQ(lease.skip, 10u);
  EXPECT_EQ(lease.attempt, 2u);
  EXPECT_EQ(lease.blocks, (std::vector<Block>{{256, 512}, {44, 88}}));
  ASSERT_EQ(lease.spec.size(), 1u);
  EXPECT_EQ(lease.spec[0], test::sample_spec());

  const auto opened = decode_to_broker(encoded(test::samples_from_producer()[3]));
  ASSERT_TRUE(opened);
  const auto& options = std::get<OpenJob>(std::get<FromProducer>(opened->message)).options;
  EXPECT_EQ(options, std::get<OpenJob>(test::samples_from_producer()[3]).options);
}

TEST(CodecRoundTrip, KeepsTheLargestNumbers) {
  const auto decoded = decode_to_broker(encoded(
      FromProducer{Gather{.job = {~0ull}, .order = {}, .cursor = ~0ull, .window_bytes = ~0ull}}));
  ASSERT_TRUE(decoded);
  const auto& gather = std::get<Gather>(std::get<FromProducer>(decoded->message));
  EXPECT_EQ(gather.job.value, ~0ull);
  EXPECT_EQ(gather.cursor, ~0ull);
}

// ---- the bytes themselves: they may never change while the version is 1 ----

TEST(CodecGoldenBytes, ProducerHello) {
  const std::string fields =
      "01"
      "01"
      "00"
      "cf0102030405060708"
      "01"
      "a168"
      "cd012c";
  const ProducerHello hello{
      .instance = {0x0102030405060708}, .attempt = 1, .host = "h", .pid = 300, .user = "u"};
  EXPECT_EQ(to_hex(encoded(FromProducer{hello}, SessionId{})), "98" + fields + "a175");
  const auto without_user = decode_to_broker(from_hex("97" + fields));
  ASSERT_TRUE(without_user) << without_user.error().message;
  EXPECT_EQ(std::get<ProducerHello>(std::get<FromProducer>(without_user->message)).pid, 300U);
}
TEST(CodecGoldenBytes, AskSteerAndPush) {
  EXPECT_EQ(to_hex(encoded(FromProducer{Ask{7, Topic::kWorkers, "all"}}, SessionId{9})),
            "96010a09"
            "0702a3616c6c");
  EXPECT_EQ(to_hex(encoded(FromProducer{Steer{7, {{5}}, Steering::kCancel, 300}}, SessionId{9})),
            "98010b09"
            "07910502cd012c00");
  EXPECT_EQ(to_hex(encoded(FromProducer{Push{{5}, "k", 1, 2, {{2, 8}}}}, SessionId{9})),
            "98010c09"
            "05a16b010291920208");
}
TEST(CodecGoldenBytes, AnswerRowsEndedAndPushed) {
  EXPECT_EQ(to_hex(encoded(ToProducer{Answer{7}}, SessionId{9})), "9401470907");
  EXPECT_EQ(to_hex(encoded(ToProducer{RowsEnded{{5}, 6, {.accepted = 6}}}, SessionId{9})),
            "96014809"
            "0506"
            "96060000000000");
  EXPECT_EQ(to_hex(encoded(ToProducer{Pushed{{5}, "k", 2, 4, {1, 2}, 3}}, SessionId{9})),
            "99014909"
            "05a16b020492010203");
}

TEST(CodecGoldenBytes, Submit) {
  EXPECT_EQ(
      to_hex(encoded(
          FromProducer{Submit{
              .job = {0x0000000100000002}, .first = {5}, .count = 3, .blocks = {{2, 8}, {1, 4}}}},
          SessionId{9})),
      "97"
      "01"
      "05"
      "09"
      "cf0000000100000002"
      "05"
      "03"
      "92"
      "920208"
      "920104");
}
JobSpec spec_of(std::string function) {
  JobSpec spec;
  spec.function = std::move(function);
  return spec;
}
Lease golden_lease() {
  JobSpec spec = spec_of("f");
  spec.max_output = 128;
  return {.lease = 1,
          .job = {0x0000000100000002},
          .token = {1, 200},
          .first = {5},
          .count = 2,
          .skip = 1,
          .attempt = 1,
          .blocks = {{3, 12}},
          .spec = {spec}};
}
constexpr const char* kGoldenLeaseWithoutSpec =
    "9c"
    "01"
    "5c"
    "09"
    "01"
    "cf0000000100000002"
    "9201ccc8"
    "05"
    "02"
    "01"
    "01"
    "9192030c";
TEST(CodecGoldenBytes, Lease) {
  EXPECT_EQ(to_hex(encoded(ToWorker{golden_lease()}, SessionId{9})),
            kGoldenLeaseWithoutSpec + std::string("919ca166909000cc80a0a090900000c2"));
}
TEST(CodecGoldenBytes, LeaseWithASpecThatEndsWithItsOutputLimit) {
  const auto decoded =
      decode_to_worker(from_hex(kGoldenLeaseWithoutSpec + std::string("9195a166909000cc80")));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<Lease>(decoded->message).spec, golden_lease().spec);
}
TEST(CodecGoldenBytes, SpecOfACommand) {
  Lease lease = golden_lease();
  lease.spec = {spec_of("e")};
  lease.spec[0].argv = {"{"};
  lease.spec[0].shell = "/bin/sh";
  lease.spec[0].chdir = "d";
  lease.spec[0].env = {{"N", "v", true}};
  lease.spec[0].input = {"i"};
  lease.spec[0].time_limit_percent = 300;
  lease.spec[0].group = 2;
  EXPECT_EQ(
      to_hex(encoded(ToWorker{lease}, SessionId{9})),
      kGoldenLeaseWithoutSpec +
          std::string("919ca16591a17b900000a72f62696e2f7368a1649193a14ea176c391a169cd012c02c2"));
}
TEST(CodecGoldenBytes, Results) {
  EXPECT_EQ(to_hex(encoded(FromWorker{Results{.report = 7,
                                              .job = {0x0000000100000002},
                                              .token = {1, 200},
                                              .first = {5},
                                              .count = 2,
                                              .outcome = Outcome::kFailed,
                                              .values_bytes = 0,
                                              .run_ns = 70000,
                                              .credit = {1000, 2}}},
                           SessionId{9})),
            "9c"
            "01"
            "22"
            "09"
            "07"
            "cf0000000100000002"
            "9201ccc8"
            "05"
            "02"
            "01"
            "00"
            "ce00011170"
            "92cd03e802");
}
TEST(CodecGoldenBytes, GoodbyesOfBothRolesAndHeartbeatReply) {
  EXPECT_EQ(to_hex(encoded(FromProducer{Goodbye{}}, SessionId{9})), "93010309");
  EXPECT_EQ(to_hex(encoded(FromWorker{Goodbye{}}, SessionId{9})), "93012109");
  EXPECT_EQ(to_hex(encoded(ToProducer{HeartbeatReply{.list_wanted = false}}, SessionId{9})),
            "96014509c200c2");
  EXPECT_EQ(
      to_hex(encoded(ToWorker{HeartbeatReply{.list_wanted = true, .number = 5}}, SessionId{9})),
      "96016009c305c2");
}

// ---- growth of the format ----

TEST(CodecGrowth, AMissingTailLeavesDefaults) {
  const auto decoded = decode_to_broker(from_hex("95 01 04 09 a16b 9195a166909000cc80"));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& open = std::get<OpenJob>(std::get<FromProducer>(decoded->message));
  EXPECT_EQ(open.key, "k");
  EXPECT_EQ(open.options.spec.function, "f");
  EXPECT_EQ(open.options.spec.max_output, 128u);
  EXPECT_EQ(open.options.retries, 0u);
  EXPECT_EQ(open.options.name, "");
}
TEST(CodecGrowth, ALongerTailIsIgnoredAlsoInParts) {
  const auto decoded = decode_to_worker(from_hex("96 01 5d 09 0c a3787878 9201c0"));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<ReportsTaken>(decoded->message).report, 12u);

  const auto accepted = decode_to_producer(from_hex("97 01 3f 09 02 05 c2 9403 04 05 a178"));
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(std::get<Accepted>(accepted->message).credit, (Credit{3, 4}));
}

// The oracle: what msgpack-c reads from our bytes.
TEST(CodecBytes, AreMsgpackArraysOfVersionTypeAndSession) {
  const auto check = [](const auto& samples, std::uint64_t first_type) {
    for (const auto& sample : samples) {
      const std::string header = encoded(sample);
      const auto handle = msgpack::unpack(header.data(), header.size());
      const auto& object = handle.get();
      ASSERT_EQ(object.type, msgpack::type::ARRAY);
      ASSERT_GE(object.via.array.size, 3u);
      EXPECT_EQ(object.via.array.ptr[0].as<std::uint64_t>(), 1u);
      EXPECT_EQ(object.via.array.ptr[1].as<std::uint64_t>(), first_type + sample.index());
      EXPECT_EQ(object.via.array.ptr[2].as<std::uint64_t>(), kSession.value);
    }
  };
  check(test::samples_from_producer(), 1);
  check(test::samples_from_worker(), 31);
  check(test::samples_to_producer(), 61);
  check(test::samples_to_worker(), 91);
}

TEST(CodecText, AnOverlongSentenceIsCutAtACharacter) {
  std::string message(limits::kFailureMessageMax - 1, 'x');
  message += "\xc3\xa9 and more";
  const auto decoded = decode_to_worker(encoded(
      ToWorker{Refused{.key = "", .job = {}, .code = ErrorCode::kLimit, .message = message}}));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<Refused>(decoded->message).message,
            std::string(limits::kFailureMessageMax - 1, 'x'));
}

}  // namespace
}  // namespace fanmill
