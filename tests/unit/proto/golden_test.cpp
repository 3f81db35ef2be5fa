// tests/data/golden/messages.txt against the codecs: every entry reads as its fields, and, but
// where it is only to be decoded, the fields are written as its bytes.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "hex.hpp"
#include "proto/codec.hpp"
#include "proto/describe.hpp"
#include "proto/executor_frames.hpp"
#include "proto/result_batch.hpp"

namespace fanmill {
namespace {

using nlohmann::ordered_json;

// What describe() names, as arrays of arrays in the order of the wire.
class ToJson {
 public:
  template <class... F>
  void operator()(const F&... fields) {
    (list.push_back(of(fields)), ...);
  }
  ordered_json list = ordered_json::array();

  template <class T>
  static ordered_json of(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<std::uint64_t>(value);
    } else if constexpr (requires { value.count, value.field; }) {
      return of(value.field);
    } else if constexpr (requires { value.begin(); }) {
      ordered_json all = ordered_json::array();
      for (const auto& one : value) all.push_back(of(one));
      return all;
    } else if constexpr (requires { value.value; } && !std::is_same_v<T, Label> &&
                         !std::is_same_v<T, EnvironmentVariable>) {
      return value.value;  // a strong id
    } else {
      ToJson inner;
      describe(inner, value);
      return inner.list;
    }
  }
};

// The same of an entry's fields, whose names are for people and for other languages.
ordered_json without_names(const ordered_json& json) {
  if (!json.is_object() && !json.is_array()) return json;
  ordered_json list = ordered_json::array();
  for (const auto& element : json) list.push_back(without_names(element));
  return list;
}

struct Entry {
  std::map<std::string, std::string> lines;
  std::string at(const std::string& key) const {
    const auto it = lines.find(key);
    return it == lines.end() ? std::string() : it->second;
  }
  std::string name() const { return at("name"); }
  std::string direction() const { return at("direction"); }
  ordered_json fields() const { return ordered_json::parse(at("fields")); }
  std::string bytes() const { return test::from_hex(at("bytes")); }
  bool read_only() const { return at("check") == "decode"; }
};

std::vector<Entry> entries() {
  std::ifstream file(GOLDEN_FILE);
  std::vector<Entry> all(1);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      if (!all.back().lines.empty()) all.emplace_back();
      continue;
    }
    const std::size_t colon = line.find(": ");
    all.back().lines[line.substr(0, colon)] = line.substr(colon + 2);
  }
  if (all.back().lines.empty()) all.pop_back();
  return all;
}

// `fields` is what the message holds; the header is written again from what was read.
template <class Envelope>
void check_message(const Entry& entry, const Result<Envelope>& read) {
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(std::to_string(read->session.value), entry.at("session"));
  std::visit(
      [&](const auto& message) {
        ToJson fields;
        describe(fields, message);
        EXPECT_EQ(fields.list, without_names(entry.fields()));
      },
      read->message);
  if (entry.read_only()) return;
  std::string written;
  encode(written, read->session, read->message);
  EXPECT_EQ(test::to_hex(written), entry.at("bytes"));
}

template <class Role>
void check_to_broker(const Entry& entry) {
  const auto read = decode_to_broker(entry.bytes());
  ASSERT_TRUE(read) << read.error().message;
  const auto* message = std::get_if<Role>(&read->message);
  ASSERT_NE(message, nullptr);
  check_message(entry, Result<Envelope<Role>>(Envelope<Role>{read->session, *message}));
}

using executor::FromExecutor;
using executor::ToExecutor;

ordered_json fields_of(const executor::Hello& m) {
  return {m.version, m.uses_page, ToJson::of(m.offers)};
}
ordered_json fields_of(const executor::Done& m) {
  return {m.position,     m.count,  ToJson::of(m.outcome),
          m.values_bytes, m.run_ns, test::to_hex(m.blob)};
}
ordered_json fields_of(const executor::Stopped& m) { return ordered_json::array({m.position}); }
ordered_json fields_of(const executor::Bind& m) { return {m.job.value, ToJson::of(m.spec)}; }
ordered_json fields_of(const executor::Work& m) {
  return {m.job.value, m.position,          m.first.value, m.count,
          m.skip,      ToJson::of(m.token), m.attempt,     test::to_hex(m.blob)};
}
ordered_json fields_of(const executor::Forget& m) { return ordered_json::array({m.job.value}); }

template <class Variant>
void check_frame(const Entry& entry, Result<Variant> (*decode)(std::string_view)) {
  const std::string bytes = entry.bytes();
  const auto size = executor::frame_size(bytes);
  ASSERT_TRUE(size);
  ASSERT_EQ(*size, bytes.size());
  const auto read = decode(std::string_view(bytes).substr(4));
  ASSERT_TRUE(read) << read.error().message;
  std::visit([&](const auto& m) { EXPECT_EQ(fields_of(m), without_names(entry.fields())); }, *read);
  if (entry.read_only()) return;
  std::string written;
  executor::append_frame(written, *read);
  EXPECT_EQ(test::to_hex(written), entry.at("bytes"));
}

void check_columns(const ordered_json& fields, const std::string& bytes) {
  const auto read = decode_columns(bytes);
  ASSERT_TRUE(read) << read.error().message;
  ordered_json outputs = nullptr;
  for (const CapturedOutput& one : read->outputs) {
    outputs.push_back({one.offset, test::to_hex(one.out), test::to_hex(one.err)});
  }
  ordered_json failures = nullptr;
  for (const Failure& one : read->failures) {
    failures.push_back(
        {ToJson::of(one.code), one.message, one.exit_code, one.signal, test::to_hex(one.tuple)});
  }
  const ordered_json times =
      read->run_ns.empty() ? ordered_json(nullptr) : ordered_json(read->run_ns);
  const ordered_json columns = {read->start_unix_us, times, outputs, failures, read->slot};
  EXPECT_EQ(columns, without_names(fields));
  std::string written;
  append_columns(written, *read);
  EXPECT_EQ(test::to_hex(written), test::to_hex(bytes));
}

void check(const Entry& entry) {
  const std::string direction = entry.direction();
  if (direction == "producer → broker") return check_to_broker<FromProducer>(entry);
  if (direction == "worker → broker") return check_to_broker<FromWorker>(entry);
  if (direction == "broker → producer") {
    return check_message(entry, decode_to_producer(entry.bytes()));
  }
  if (direction == "broker → worker") return check_message(entry, decode_to_worker(entry.bytes()));
  if (direction == "executor → agent") {
    return check_frame<FromExecutor>(entry, executor::decode_from_executor);
  }
  if (direction == "agent → executor") {
    return check_frame<ToExecutor>(entry, executor::decode_to_executor);
  }
  const ordered_json fields = entry.fields();
  if (entry.name() == "Columns") return check_columns(fields, entry.bytes());
  if (entry.name() == "Report") {
    const auto values = fields.at("values_bytes").get<std::size_t>();
    return check_columns(fields.at("columns"), entry.bytes().substr(values));
  }
  if (entry.name() == "Digest") {
    const AttemptToken token{fields.at("token").at("epoch").get<std::uint32_t>(),
                             fields.at("token").at("counter").get<std::uint64_t>()};
    EXPECT_EQ(digest_of(token), fields.at("digest").get<std::uint64_t>());
    return;
  }
  EXPECT_EQ(entry.name(), "Part") << "nothing checks this entry";
}

TEST(Golden, EveryEntryIsReadAndWrittenAsItStands) {
  for (const Entry& entry : entries()) {
    SCOPED_TRACE(entry.direction() + ", " + entry.name() + " " + entry.at("note"));
    check(entry);
  }
}

// The type is the second element of a header and the first of a frame.
TEST(Golden, NoMessageIsMissing) {
  std::map<std::string, std::set<int>> types;
  for (const Entry& entry : entries()) {
    const bool framed = entry.direction().find("executor") != std::string::npos;
    const std::string bytes = entry.bytes();
    if (entry.direction().find(" → ") == std::string::npos) continue;
    const bool is_long = !framed && bytes.at(0) == '\xdc';  // of more than 15 elements
    types[entry.direction()].insert(static_cast<unsigned char>(bytes.at(framed    ? 5
                                                                        : is_long ? 4
                                                                                  : 2)));
  }
  EXPECT_EQ(types["producer → broker"].size(), std::variant_size_v<FromProducer>);
  EXPECT_EQ(types["worker → broker"].size(), std::variant_size_v<FromWorker>);
  EXPECT_EQ(types["broker → producer"].size(), std::variant_size_v<ToProducer>);
  EXPECT_EQ(types["broker → worker"].size(), std::variant_size_v<ToWorker>);
  EXPECT_EQ(types["executor → agent"].size(), std::variant_size_v<FromExecutor>);
  EXPECT_EQ(types["agent → executor"].size(), std::variant_size_v<ToExecutor>);
}

}  // namespace
}  // namespace fanmill
