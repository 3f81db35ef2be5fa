// How a run ended, as the exit code that the manual promises: 0 all ok, 1 some tasks failed, 2
// usage or malformed input, 3 broker or system, 4 halted by a policy of its own, 130 interrupted;
// an output closed by its reader ends it quietly with 0.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/error.hpp"

namespace fanmill::producer {

struct RunEnd {
  bool reader_gone = false;
  bool interrupted = false;
  bool halted = false;
  std::optional<Error> error;        // of the broker, the system or the output
  std::optional<Error> input_error;  // what was fed before it was finished
  std::uint64_t not_ok = 0;          // tasks that did not succeed
};

constexpr int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return 0;
    case ErrorCode::kFunctionFailed:
    case ErrorCode::kCrashed:
    case ErrorCode::kTimeLimit:
    case ErrorCode::kWorkerLost:
    case ErrorCode::kCancelled:
      return 1;
    case ErrorCode::kUsage:
    case ErrorCode::kMalformedInput:
    case ErrorCode::kUnknownFunction:
    case ErrorCode::kBadArguments:
    case ErrorCode::kConflict:
    case ErrorCode::kNotFound:
    case ErrorCode::kRefused:
      return 2;
    case ErrorCode::kProtocol:
    case ErrorCode::kVersion:
    case ErrorCode::kLimit:
    case ErrorCode::kUnreachable:
    case ErrorCode::kSystem:
      return 3;
  }
  return 3;
}

inline int exit_code_of(const RunEnd& end) {
  if (end.reader_gone) return 0;
  if (end.interrupted) return 130;
  if (end.error) return exit_code_of(end.error->code);
  if (end.input_error) return exit_code_of(end.input_error->code);
  if (end.halted) return 4;
  return end.not_ok > 0 ? 1 : 0;
}

}  // namespace fanmill::producer
