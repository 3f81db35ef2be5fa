// What a broker answers when it is asked: jobs, workers and its own status (PROTOCOL.md, 1.9).
// Read from msgpack, and written as JSON under the same names and with the same types: that is what
// every `--json` prints, as of kDocumentSchema.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {

// Rises when a key is renamed, removed or changes its meaning, not when one is added.
inline constexpr int kDocumentSchema = 1;

using Labels = std::map<std::string, std::string>;

struct TaskCounts {
  std::uint64_t accepted{};
  std::uint64_t waiting{};
  std::uint64_t running{};
  std::uint64_t succeeded{};
  std::uint64_t failed{};
  std::uint64_t dead_lettered{};
  std::uint64_t cancelled{};
  std::uint64_t done() const { return succeeded + failed + dead_lettered + cancelled; }
};

struct JobWorker {
  std::string name;
  std::string host;
  std::uint64_t slots{};
  std::uint64_t leased{};
};

struct JobReader {
  std::string who;
  std::string order;
  std::uint64_t cursor{};
  std::uint64_t behind{};
};

struct JobDocument {
  JobId job;  // of `id`
  std::string id;
  std::string name;
  std::string key;
  std::string function;
  std::vector<std::string> command;
  std::vector<std::string> names;
  std::string state;
  std::string reason;
  std::string halted;
  std::uint64_t rounds = 1;
  std::int64_t priority{};
  Labels where;
  std::uint64_t age_ms{};
  std::optional<std::uint64_t> ended_ms;
  bool closed{};
  bool kept{};
  std::uint64_t keep_ms{};
  TaskCounts counts;
  double rate{};
  std::uint64_t mean_ns{};
  std::optional<std::uint64_t> eta_ms;
  std::string producer;
  std::uint64_t tuple_bytes{};
  std::uint64_t result_bytes{};
  // Of Topic::kJobDetail alone.
  std::optional<std::string> signature;
  std::optional<std::vector<JobWorker>> workers;
  std::optional<std::vector<JobReader>> readers;

  bool ended() const { return ended_ms.has_value(); }
};

struct OfferedFunction {
  std::string name;
  std::string signature;
};

struct WorkerDocument {
  std::string name;
  std::string host;
  std::uint64_t pid{};
  std::string version;
  std::uint64_t slots{};
  std::uint64_t busy{};
  std::uint64_t leased{};
  Labels labels;
  std::vector<OfferedFunction> functions;
  std::string state;
  std::uint64_t age_ms{};
  std::uint64_t heard_ms{};
  std::uint64_t done{};
  double rate{};
};

struct VentilatorStatus {
  std::uint64_t jobs{};
  std::uint64_t waiting{};
  std::uint64_t leased{};
  double rate{};
  std::uint64_t recalled{};
};

struct SinkStatus {
  std::uint64_t recorded{};
  double rate{};
  std::uint64_t stale{};
  std::uint64_t unread_bytes{};
  std::uint64_t readers{};
};

struct StatusDocument {
  std::uint64_t schema{};
  std::string version;
  std::uint64_t protocol{};
  std::string durability;
  bool full{};  // its disk is: it takes no tuples
  std::vector<std::string> addresses;
  std::uint64_t age_ms{};
  std::uint64_t workers{};
  std::uint64_t slots{};
  std::uint64_t busy{};
  std::uint64_t producers{};
  VentilatorStatus ventilator;
  SinkStatus sink;
  std::uint64_t expired_leases{};
  std::uint64_t malformed{};
};

// kProtocol: bytes that are no such document. What a broker does not tell stays at its default, and
// what is not known here is passed over.
Result<std::vector<JobDocument>> read_jobs(std::string_view document);
Result<std::vector<WorkerDocument>> read_workers(std::string_view document);
Result<StatusDocument> read_status(std::string_view document);

// {"schema":1,"jobs":[…]} and so on, on one line without its end. No control character is in it.
std::string to_json(const std::vector<JobDocument>& jobs);
std::string to_json(const std::vector<WorkerDocument>& workers);
std::string to_json(const StatusDocument& status);
// The same around documents of another kind.
std::string report_json(const char* name, Value documents);

}  // namespace fanmill::producer
