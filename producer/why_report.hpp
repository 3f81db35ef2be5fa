// The failures of a job, grouped by cause, each group with its worst task. Bounded: however many
// fail, kGroupsMax groups are told apart, and the others are counted together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "producer/documents.hpp"
#include "producer/table.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct WorstTask {
  std::uint64_t index{};
  std::string tuple;  // msgpack
  std::string worker;
  std::string host;
  std::uint32_t attempt{};
  bool dead_lettered{};
  std::int32_t exit_code = -1;  // -1: it did not exit
  std::int32_t signal{};        // 0: none
  std::string message;
  std::string error_tail;  // of its stderr
  std::uint64_t run_ns{};
};

struct FailureGroup {
  Outcome cause{};
  std::string what;  // "signal 11", "exit code 3", or the first line of what the function said
  std::uint64_t tasks{};
  std::uint64_t first{};  // the lowest index
  WorstTask worst;        // most attempts, then longest, then the lowest index
};

class WhyReport {
 public:
  static constexpr std::size_t kGroupsMax = 64;

  // Refused (kProtocol): a blob that does not hold what the rows say.
  Result<void> take(const Rows& rows, std::string_view blob);

  std::uint64_t tasks() const { return tasks_; }
  std::vector<FailureGroup> groups() const;  // the largest first

 private:
  std::map<std::pair<Outcome, std::string>, FailureGroup> groups_;
  std::uint64_t tasks_ = 0;
};

// What people read, and {"schema":1,"why":[…]} of several jobs.
std::string why_text(const JobDocument& job, const WhyReport& report, const TextStyle& style);
std::string why_json(const std::vector<std::pair<JobDocument, WhyReport>>& reports);

}  // namespace fanmill::producer
