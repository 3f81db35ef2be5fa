// What a broker answers, read and written again: names and types are a promise to programs.
#include "producer/documents.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "producer/reports.hpp"
#include "tests/unit/producer/document_samples.hpp"

namespace fanmill::producer {
namespace {

using nlohmann::json;
using Kinds = std::map<std::string, std::string>;

std::string kind_of(const json& value) {
  if (value.is_number_float()) return "number";
  if (value.is_number()) return "integer";
  return value.type_name();
}

Kinds kinds_of(const json& object) {
  Kinds kinds;
  for (const auto& [key, value] : object.items()) kinds[key] = kind_of(value);
  return kinds;
}

const Kinds kJob{{"id", "string"},       {"name", "string"},         {"key", "string"},
                 {"function", "string"}, {"command", "array"},       {"names", "array"},
                 {"state", "string"},    {"reason", "string"},       {"halted", "string"},
                 {"rounds", "integer"},  {"priority", "integer"},    {"where", "object"},
                 {"age_ms", "integer"},  {"ended_ms", "null"},       {"closed", "boolean"},
                 {"kept", "boolean"},    {"keep_ms", "integer"},     {"counts", "object"},
                 {"rate", "number"},     {"mean_ns", "integer"},     {"eta_ms", "integer"},
                 {"producer", "string"}, {"tuple_bytes", "integer"}, {"result_bytes", "integer"}};
const Kinds kCounts{{"accepted", "integer"},  {"waiting", "integer"}, {"running", "integer"},
                    {"succeeded", "integer"}, {"failed", "integer"},  {"dead_lettered", "integer"},
                    {"cancelled", "integer"}};
const Kinds kWorker{{"name", "string"},    {"host", "string"},    {"pid", "integer"},
                    {"version", "string"}, {"slots", "integer"},  {"busy", "integer"},
                    {"leased", "integer"}, {"labels", "object"},  {"functions", "array"},
                    {"state", "string"},   {"age_ms", "integer"}, {"heard_ms", "integer"},
                    {"done", "integer"},   {"rate", "number"}};
const Kinds kStatus{
    {"schema", "integer"},    {"version", "string"},         {"protocol", "integer"},
    {"durability", "string"}, {"full", "boolean"},           {"addresses", "array"},
    {"age_ms", "integer"},    {"workers", "integer"},        {"slots", "integer"},
    {"busy", "integer"},      {"producers", "integer"},      {"ventilator", "object"},
    {"sink", "object"},       {"expired_leases", "integer"}, {"malformed", "integer"}};

std::string packed(const Value& value) {
  std::string bytes;
  append_msgpack(bytes, value);
  return bytes;
}

TEST(DocumentsJson, JobsHaveExactlyTheKeysAndTypesOfTheManual) {
  const auto jobs = read_jobs(packed(Array{sample::job()}));
  ASSERT_TRUE(jobs) << jobs.error().message;
  const json told = json::parse(to_json(*jobs));
  EXPECT_EQ(kinds_of(told), (Kinds{{"schema", "integer"}, {"jobs", "array"}}));
  EXPECT_EQ(told["schema"], kDocumentSchema);
  ASSERT_EQ(told["jobs"].size(), 1u);
  EXPECT_EQ(kinds_of(told["jobs"][0]), kJob);
  EXPECT_EQ(kinds_of(told["jobs"][0]["counts"]), kCounts);
  EXPECT_EQ(told["jobs"][0]["id"], "9f3c21ab-3");
  EXPECT_EQ(told["jobs"][0]["where"]["gpu"], "yes");
  EXPECT_EQ((*jobs)[0].job.value, 0x9f3c21ab00000003U);
}

TEST(DocumentsJson, ADetailHasSignatureWorkersAndReadersBesides) {
  const auto jobs = read_jobs(packed(Array{sample::detail()}));
  ASSERT_TRUE(jobs) << jobs.error().message;
  const json told = json::parse(to_json(*jobs))["jobs"][0];
  Kinds expected = kJob;
  expected.insert({{"signature", "string"}, {"workers", "array"}, {"readers", "array"}});
  EXPECT_EQ(kinds_of(told), expected);
  EXPECT_EQ(
      kinds_of(told["workers"][0]),
      (Kinds{{"name", "string"}, {"host", "string"}, {"slots", "integer"}, {"leased", "integer"}}));
  EXPECT_EQ(
      kinds_of(told["readers"][0]),
      (Kinds{
          {"who", "string"}, {"order", "string"}, {"cursor", "integer"}, {"behind", "integer"}}));
}

TEST(DocumentsJson, WorkersAndStatusHaveExactlyTheKeysAndTypesOfTheManual) {
  const auto workers = read_workers(packed(Array{sample::worker()}));
  ASSERT_TRUE(workers) << workers.error().message;
  const json list = json::parse(to_json(*workers));
  EXPECT_EQ(kinds_of(list["workers"][0]), kWorker);
  EXPECT_EQ(kinds_of(list["workers"][0]["functions"][0]),
            (Kinds{{"name", "string"}, {"signature", "string"}}));
  const auto status = read_status(packed(sample::status()));
  ASSERT_TRUE(status) << status.error().message;
  const json one = json::parse(to_json(*status));
  EXPECT_EQ(one["schema"], kDocumentSchema);
  EXPECT_EQ(kinds_of(one["status"]), kStatus);
  EXPECT_EQ(kinds_of(one["status"]["ventilator"]), (Kinds{{"jobs", "integer"},
                                                          {"waiting", "integer"},
                                                          {"leased", "integer"},
                                                          {"rate", "number"},
                                                          {"recalled", "integer"}}));
  EXPECT_EQ(kinds_of(one["status"]["sink"]), (Kinds{{"recorded", "integer"},
                                                    {"rate", "number"},
                                                    {"stale", "integer"},
                                                    {"unread_bytes", "integer"},
                                                    {"readers", "integer"}}));
}

TEST(DocumentsJson, FunctionsTellWhoOffersThem) {
  const auto workers = read_workers(packed(Array{sample::worker(), sample::worker()}));
  const json told = json::parse(to_json(functions_of(*workers)));
  EXPECT_EQ(
      told["functions"][0],
      (json{{"name", "norm"}, {"signature", "(x: float) -> float"}, {"workers", 2}, {"slots", 8}}));
}

TEST(DocumentsJson, ANumberIsOfItsTypeWhateverItsValue) {
  Map job = sample::job();
  sample::set(job, "rate", 0);
  sample::set(job, "eta_ms", nullptr);
  sample::set(job, "ended_ms", 5);
  const auto jobs = read_jobs(packed(Array{job}));
  ASSERT_TRUE(jobs) << jobs.error().message;
  const json told = json::parse(to_json(*jobs))["jobs"][0];
  EXPECT_TRUE(told["rate"].is_number_float());
  EXPECT_TRUE(told["eta_ms"].is_null());
  EXPECT_EQ(told["ended_ms"], 5);
}

TEST(DocumentsRead, WhatIsMissingHasItsDefaultAndWhatIsNotKnownIsPassedOver) {
  const auto jobs =
      read_jobs(packed(Array{Map{{"id", "1-2"}, {"colour", "blue"}, {7, Array{1, 2}}}}));
  ASSERT_TRUE(jobs) << jobs.error().message;
  EXPECT_EQ((*jobs)[0].counts.accepted, 0u);
  EXPECT_FALSE((*jobs)[0].readers.has_value());
  EXPECT_EQ(json::parse(to_json(*jobs))["jobs"][0].count("colour"), 0u);
  EXPECT_EQ(kinds_of(json::parse(to_json(*jobs))["jobs"][0]).size(), kJob.size());
}

TEST(DocumentsRead, WhatIsOfAnotherKindIsRefusedByName) {
  const struct {
    const char* key;
    Value value;
  } cases[] = {{"age_ms", -1},
               {"age_ms", "1"},
               {"counts", Array{}},
               {"counts", Map{{"accepted", 1.5}}},
               {"where", Map{{"gpu", 1}}},
               {"command", Array{1}},
               {"closed", 1},
               {"name", Bytes{"x"}}};
  for (const auto& [key, value] : cases) {
    Map job = sample::job();
    sample::set(job, key, value);
    const auto jobs = read_jobs(packed(Array{job}));
    ASSERT_FALSE(jobs) << key;
    EXPECT_EQ(jobs.error().code, ErrorCode::kProtocol);
    EXPECT_NE(jobs.error().message.find(key), std::string::npos) << jobs.error().message;
  }
}

TEST(DocumentsRead, BytesThatAreNoDocumentAreRefused) {
  const std::string good = packed(Array{sample::job()});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_jobs(std::string_view(good).substr(0, size))) << size;
  }
  EXPECT_FALSE(read_jobs(good + "x"));
  EXPECT_FALSE(read_jobs(packed(sample::job())));
  EXPECT_FALSE(read_jobs(packed(Array{1})));
  Map nameless = sample::job();
  sample::set(nameless, "id", "three");
  EXPECT_FALSE(read_jobs(packed(Array{nameless})));
  EXPECT_FALSE(read_status(packed(Array{})));
}

TEST(DocumentsJson, NoControlCharacterReachesATerminal) {
  Map job = sample::job();
  const std::string name =
      "a\x1b[31m\nb\x7f\xc2\x9b"
      "c\xff";
  sample::set(job, "name", name);
  const auto jobs = read_jobs(packed(Array{job}));
  ASSERT_TRUE(jobs);
  const std::string told = to_json(*jobs);
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto byte = static_cast<unsigned char>(told[i]);
    ASSERT_TRUE(byte >= 0x20 && byte != 0x7f) << i;
    ASSERT_NE(told.substr(i, 2), "\xc2\x9b");
  }
  EXPECT_EQ(json::parse(told)["jobs"][0]["name"],
            "a\x1b[31m\nb\x7f\xc2\x9b"
            "c\xef\xbf\xbd");
}

}  // namespace
}  // namespace fanmill::producer
