#include "proto/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace fanmill {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return "none";
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kMalformedInput:
      return "malformed-input";
    case ErrorCode::kUnknownFunction:
      return "unknown-function";
    case ErrorCode::kBadArguments:
      return "bad-arguments";
    case ErrorCode::kProtocol:
      return "protocol";
    case ErrorCode::kVersion:
      return "version";
    case ErrorCode::kLimit:
      return "limit";
    case ErrorCode::kUnreachable:
      return "unreachable";
    case ErrorCode::kSystem:
      return "system";
    case ErrorCode::kFunctionFailed:
      return "failed";
    case ErrorCode::kCrashed:
      return "crashed";
    case ErrorCode::kTimeLimit:
      return "time-limit";
    case ErrorCode::kWorkerLost:
      return "worker-lost";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kRefused:
      return "refused";
    case ErrorCode::kNotFound:
      return "not-found";
  }
  return "unknown";
}

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "fanmill: broken invariant at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace fanmill
