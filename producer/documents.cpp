#include "producer/documents.hpp"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "proto/job_id.hpp"

namespace fanmill::producer {
namespace {

// ---- the keys of each document, in the order in which JSON has them ----

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, TaskCounts>
void fields(A& a, D& d) {
  a("accepted", d.accepted);
  a("waiting", d.waiting);
  a("running", d.running);
  a("succeeded", d.succeeded);
  a("failed", d.failed);
  a("dead_lettered", d.dead_lettered);
  a("cancelled", d.cancelled);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, JobWorker>
void fields(A& a, D& d) {
  a("name", d.name);
  a("host", d.host);
  a("slots", d.slots);
  a("leased", d.leased);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, JobReader>
void fields(A& a, D& d) {
  a("who", d.who);
  a("order", d.order);
  a("cursor", d.cursor);
  a("behind", d.behind);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, JobDocument>
void fields(A& a, D& d) {
  a("id", d.id);
  a("name", d.name);
  a("key", d.key);
  a("function", d.function);
  a("command", d.command);
  a("names", d.names);
  a("state", d.state);
  a("reason", d.reason);
  a("halted", d.halted);
  a("rounds", d.rounds);
  a("priority", d.priority);
  a("where", d.where);
  a("age_ms", d.age_ms);
  a("ended_ms", d.ended_ms);
  a("closed", d.closed);
  a("kept", d.kept);
  a("keep_ms", d.keep_ms);
  a("counts", d.counts);
  a("rate", d.rate);
  a("mean_ns", d.mean_ns);
  a("eta_ms", d.eta_ms);
  a("producer", d.producer);
  a("tuple_bytes", d.tuple_bytes);
  a("result_bytes", d.result_bytes);
  a.detail("signature", d.signature);
  a.detail("workers", d.workers);
  a.detail("readers", d.readers);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, OfferedFunction>
void fields(A& a, D& d) {
  a("name", d.name);
  a("signature", d.signature);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, WorkerDocument>
void fields(A& a, D& d) {
  a("name", d.name);
  a("host", d.host);
  a("pid", d.pid);
  a("version", d.version);
  a("slots", d.slots);
  a("busy", d.busy);
  a("leased", d.leased);
  a("labels", d.labels);
  a("functions", d.functions);
  a("state", d.state);
  a("age_ms", d.age_ms);
  a("heard_ms", d.heard_ms);
  a("done", d.done);
  a("rate", d.rate);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, VentilatorStatus>
void fields(A& a, D& d) {
  a("jobs", d.jobs);
  a("waiting", d.waiting);
  a("leased", d.leased);
  a("rate", d.rate);
  a("recalled", d.recalled);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, SinkStatus>
void fields(A& a, D& d) {
  a("recorded", d.recorded);
  a("rate", d.rate);
  a("stale", d.stale);
  a("unread_bytes", d.unread_bytes);
  a("readers", d.readers);
}

template <class A, class D>
  requires std::is_same_v<std::remove_const_t<D>, StatusDocument>
void fields(A& a, D& d) {
  a("schema", d.schema);
  a("version", d.version);
  a("protocol", d.protocol);
  a("durability", d.durability);
  a("full", d.full);
  a("addresses", d.addresses);
  a("age_ms", d.age_ms);
  a("workers", d.workers);
  a("slots", d.slots);
  a("busy", d.busy);
  a("producers", d.producers);
  a("ventilator", d.ventilator);
  a("sink", d.sink);
  a("expired_leases", d.expired_leases);
  a("malformed", d.malformed);
}

// ---- from a Value ----

const Value* find(const Map& map, std::string_view key) {
  for (const auto& [name, value] : map) {
    if (const auto* const text = name.as<std::string>(); text != nullptr && *text == key) {
      return &value;
    }
  }
  return nullptr;
}

bool read(const Value& value, std::string& out) {
  const auto* const text = value.as<std::string>();
  if (text != nullptr) out = *text;
  return text != nullptr;
}
bool read(const Value& value, bool& out) {
  const auto* const flag = value.as<bool>();
  if (flag != nullptr) out = *flag;
  return flag != nullptr;
}
bool read(const Value& value, std::int64_t& out) {
  const auto* const number = value.as<std::int64_t>();
  if (number != nullptr) out = *number;
  return number != nullptr;
}
bool read(const Value& value, std::uint64_t& out) {
  if (const auto* const large = value.as<std::uint64_t>()) {
    out = *large;
    return true;
  }
  const auto* const number = value.as<std::int64_t>();
  if (number == nullptr || *number < 0) return false;
  out = static_cast<std::uint64_t>(*number);
  return true;
}
bool read(const Value& value, double& out) {
  if (const auto* const real = value.as<double>()) {
    out = *real;
    return true;
  }
  std::uint64_t whole = 0;
  if (!read(value, whole)) return false;
  out = static_cast<double>(whole);
  return true;
}
bool read(const Value& value, Labels& out) {
  const auto* const map = value.as<Map>();
  if (map == nullptr) return false;
  for (const auto& [name, what] : *map) {
    std::string key;
    if (!read(name, key) || !read(what, out[key])) return false;
  }
  return true;
}
template <class T>
bool read(const Value& value, std::optional<T>& out);
template <class T>
bool read(const Value& value, std::vector<T>& out);
template <class D>
bool read(const Value& value, D& out);

// The first key whose value is of another kind is remembered.
struct FromMap {
  const Map& map;
  const char* wrong = nullptr;

  template <class T>
  void operator()(const char* key, T& out) {
    const Value* const value = find(map, key);
    if (value != nullptr && wrong == nullptr && !read(*value, out)) wrong = key;
  }
  template <class T>
  void detail(const char* key, std::optional<T>& out) {
    (*this)(key, out);
  }
};

template <class T>
bool read(const Value& value, std::optional<T>& out) {
  if (value.is_null()) return true;
  return read(value, out.emplace());
}
template <class T>
bool read(const Value& value, std::vector<T>& out) {
  const auto* const array = value.as<Array>();
  if (array == nullptr) return false;
  for (const Value& element : *array) {
    if (!read(element, out.emplace_back())) return false;
  }
  return true;
}
template <class D>
bool read(const Value& value, D& out) {
  const auto* const map = value.as<Map>();
  if (map == nullptr) return false;
  FromMap from{*map};
  fields(from, out);
  return from.wrong == nullptr;
}

tl::unexpected<Error> unreadable(const std::string& why) {
  return fail(ErrorCode::kProtocol, "the broker's answer does not read: " + why);
}

Result<Value> decode(std::string_view document) {
  std::size_t at = 0;
  auto value = decode_msgpack(document, at);
  if (!value) return unreadable(value.error().message);
  if (at != document.size()) return unreadable("something follows it");
  return value;
}

template <class D>
Result<D> read_document(const Value& value) {
  const auto* const map = value.as<Map>();
  if (map == nullptr) return unreadable("a document is no map");
  D out;
  FromMap from{*map};
  fields(from, out);
  if (from.wrong != nullptr) {
    return unreadable(fmt::format("\"{}\" is of another kind", from.wrong));
  }
  return out;
}

template <class D>
Result<std::vector<D>> read_documents(std::string_view bytes) {
  const auto value = decode(bytes);
  if (!value) return tl::make_unexpected(value.error());
  const auto* const array = value->as<Array>();
  if (array == nullptr) return unreadable("it is no list");
  std::vector<D> out;
  for (const Value& element : *array) {
    auto one = read_document<D>(element);
    if (!one) return tl::make_unexpected(one.error());
    out.push_back(std::move(*one));
  }
  return out;
}

// ---- to a Value, and so to JSON ----

Value written(const std::string& text) { return text; }
Value written(bool flag) { return flag; }
Value written(std::int64_t number) { return number; }
Value written(std::uint64_t number) { return number; }
Value written(double number) { return number; }
Value written(const Labels& labels) {
  Map map;
  for (const auto& [name, value] : labels) map.emplace_back(name, value);
  return map;
}
template <class T>
Value written(const std::optional<T>& value);
template <class T>
Value written(const std::vector<T>& values);
template <class D>
Value written(const D& document);

struct ToMap {
  Map map;

  template <class T>
  void operator()(const char* key, const T& value) {
    map.emplace_back(key, written(value));
  }
  template <class T>
  void detail(const char* key, const std::optional<T>& value) {
    if (value) map.emplace_back(key, written(*value));
  }
};

template <class T>
Value written(const std::optional<T>& value) {
  return value ? written(*value) : Value();
}
template <class T>
Value written(const std::vector<T>& values) {
  Array array;
  for (const T& value : values) array.push_back(written(value));
  return array;
}
template <class D>
Value written(const D& document) {
  ToMap to;
  fields(to, document);
  return std::move(to.map);
}

}  // namespace

Result<std::vector<JobDocument>> read_jobs(std::string_view document) {
  auto jobs = read_documents<JobDocument>(document);
  if (!jobs) return jobs;
  for (JobDocument& job : *jobs) {
    const auto id = job_id_from_text(job.id);
    if (!id) return unreadable("a job has no id");
    job.job = *id;
  }
  return jobs;
}

Result<std::vector<WorkerDocument>> read_workers(std::string_view document) {
  return read_documents<WorkerDocument>(document);
}

Result<StatusDocument> read_status(std::string_view document) {
  const auto value = decode(document);
  if (!value) return tl::make_unexpected(value.error());
  return read_document<StatusDocument>(*value);
}

std::string report_json(const char* name, Value documents) {
  std::string json;
  append_json(json, Map{{"schema", std::int64_t{kDocumentSchema}}, {name, std::move(documents)}});
  // The rest of the control characters: JSON need not escape them, a terminal would obey them.
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const auto next = i + 1 < json.size() ? static_cast<unsigned char>(json[i + 1]) : 0U;
    if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string to_json(const std::vector<JobDocument>& jobs) {
  return report_json("jobs", written(jobs));
}
std::string to_json(const std::vector<WorkerDocument>& workers) {
  return report_json("workers", written(workers));
}
std::string to_json(const StatusDocument& status) { return report_json("status", written(status)); }

}  // namespace fanmill::producer
