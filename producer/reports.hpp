// What people read of jobs, workers and a broker. Pure: documents and a style in, text out, each
// line with its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "producer/documents.hpp"
#include "producer/table.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

// "9f3c21ab-3 resize"
std::string job_title(const JobDocument& job);

std::string jobs_table(const std::vector<JobDocument>& jobs, const TextStyle& style);
// Everything about one job, some ten lines. Of a Topic::kJobDetail.
std::string job_text(const JobDocument& job, const TextStyle& style);
std::string workers_table(const std::vector<WorkerDocument>& workers, const TextStyle& style);
std::string status_text(const StatusDocument& status, const TextStyle& style);

// A function as the connected workers offer it; where their signatures differ it is there twice.
struct FunctionDocument {
  std::string name;
  std::string signature;
  std::uint64_t workers{};
  std::uint64_t slots{};
};
std::vector<FunctionDocument> functions_of(const std::vector<WorkerDocument>& workers);  // by name
std::string functions_table(const std::vector<FunctionDocument>& functions, const TextStyle& style);
std::string to_json(const std::vector<FunctionDocument>& functions);

// Whether steering has anything to do at a job in this state, or it is so already.
bool has_effect(const JobDocument& job, Steering action);
// "cancelled 9f3c21ab-3 resize: 120 done, 880 cancelled". `after` is what the broker said then; of
// a job that is forgotten what it was.
std::string steered_line(const JobDocument& after, Steering action, std::uint64_t grace_ms);
// "9f3c21ab-3 resize was paused already": for a job where it has no effect.
std::string unsteered_line(const JobDocument& job, Steering action);

}  // namespace fanmill::producer
