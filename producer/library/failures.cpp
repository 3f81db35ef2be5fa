#include "producer/library/failures.hpp"

#include <utility>

#include "proto/value.hpp"

namespace fanmill {
namespace client {

std::string_view name_of(Status status) {
  switch (status) {
    case Status::kFailed:
      return "failed";
    case Status::kDeadLettered:
      return "dead-lettered";
    case Status::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::kError:
      return "error";
    case Cause::kBadArguments:
      return "bad-arguments";
    case Cause::kCrashed:
      return "crashed";
    case Cause::kTimeLimit:
      return "time-limit";
    case Cause::kWorkerLost:
      return "worker-lost";
    case Cause::kCancelled:
      return "cancelled";
    case Cause::kWrongType:
      return "wrong-type";
    case Cause::kUnknownFunction:
      return "unknown-function";
    case Cause::kUnreachable:
      return "unreachable";
    case Cause::kRefused:
      return "refused";
    case Cause::kSystem:
      return "system";
  }
  return "unknown";
}

std::string TaskFailure::text() const {
  constexpr std::size_t kTupleCharsMax = 120;
  if (index == kNoTask) return message;
  std::string line = "task " + std::to_string(index);
  if (!tuple.is_null()) {
    std::string json;
    append_json(json, tuple);
    if (json.size() > kTupleCharsMax) json = json.substr(0, kTupleCharsMax) + "…";
    line += " " + json;
  }
  switch (cause) {
    case Cause::kCrashed:
      line += " crashed";
      break;
    case Cause::kWorkerLost:
      line += " was lost with its worker";
      break;
    case Cause::kCancelled:
      line += " was cancelled";
      break;
    case Cause::kWrongType:
      line += " gave another type";
      break;
    default:
      line += " failed";
  }
  if (!message.empty()) line += ": " + message;
  if (attempt > 1) line += ", attempt " + std::to_string(attempt);
  if (status == Status::kDeadLettered) line += "; given up";
  return line;
}

}  // namespace client

namespace producer {
namespace {

client::Cause cause_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnknownFunction:
      return client::Cause::kUnknownFunction;
    case ErrorCode::kBadArguments:
    case ErrorCode::kMalformedInput:
      return client::Cause::kBadArguments;
    case ErrorCode::kUnreachable:
      return client::Cause::kUnreachable;
    case ErrorCode::kSystem:
      return client::Cause::kSystem;
    case ErrorCode::kCrashed:
      return client::Cause::kCrashed;
    case ErrorCode::kTimeLimit:
      return client::Cause::kTimeLimit;
    case ErrorCode::kWorkerLost:
      return client::Cause::kWorkerLost;
    case ErrorCode::kCancelled:
      return client::Cause::kCancelled;
    case ErrorCode::kFunctionFailed:
      return client::Cause::kError;
    default:
      return client::Cause::kRefused;
  }
}

client::Cause cause_of(Outcome outcome, const Failure* failure) {
  switch (outcome) {
    case Outcome::kCrashed:
      return client::Cause::kCrashed;
    case Outcome::kTimeLimit:
      return client::Cause::kTimeLimit;
    case Outcome::kWorkerLost:
      return client::Cause::kWorkerLost;
    case Outcome::kCancelled:
      return client::Cause::kCancelled;
    case Outcome::kSucceeded:
    case Outcome::kFailed:
      break;
  }
  const bool bad = failure != nullptr && failure->code == ErrorCode::kBadArguments;
  return bad ? client::Cause::kBadArguments : client::Cause::kError;
}

}  // namespace

FailurePtr task_failure(const Rows& rows, const Row& row) {
  auto failure = std::make_shared<client::TaskFailure>();
  failure->status = rows.dead_lettered                    ? client::Status::kDeadLettered
                    : rows.outcome == Outcome::kCancelled ? client::Status::kCancelled
                                                          : client::Status::kFailed;
  failure->cause = cause_of(rows.outcome, row.failure);
  failure->index = row.index.value;
  failure->attempt = rows.attempt;
  failure->worker = rows.worker;
  std::string_view tuple = row.tuple;
  if (row.failure != nullptr) {
    failure->message = row.failure->message;
    failure->exit_code = row.failure->exit_code;
    failure->signal = row.failure->signal;
    if (tuple.empty()) tuple = row.failure->tuple;
  }
  if (row.output != nullptr) {
    failure->out = row.output->out;
    failure->err = row.output->err;
  }
  std::size_t at = 0;
  if (auto value = decode_msgpack(tuple, at); value && !tuple.empty()) {
    failure->tuple = std::move(*value);
  }
  return failure;
}

FailurePtr job_failure(const Error& error) {
  auto failure = std::make_shared<client::TaskFailure>();
  failure->cause = cause_of(error.code);
  if (failure->cause == client::Cause::kCancelled) failure->status = client::Status::kCancelled;
  failure->message = error.message;
  return failure;
}

FailurePtr closed_failure() {
  return job_failure({ErrorCode::kCancelled, "cancelled: its pool is gone"});
}

FailurePtr foreign_failure() {
  return job_failure({ErrorCode::kUsage,
                      "this pool was made by the process that this one was forked from; make one "
                      "here"});
}

}  // namespace producer
}  // namespace fanmill
