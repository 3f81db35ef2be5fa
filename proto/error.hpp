// Errors that the world can cause (peers, disk, users) are values; only our own bugs are
// assertions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace fanmill {

// Stable: these numbers travel on the wire and appear in `--json` output. Append only.
enum class ErrorCode : std::uint8_t {
  kNone = 0,
  kUsage = 1,            // the command line
  kMalformedInput = 2,   // a row of the user's input
  kUnknownFunction = 3,  // no worker offers it
  kBadArguments = 4,     // arity or type of a tuple against the function
  kProtocol = 5,         // bytes of a peer that are not of the protocol
  kVersion = 6,          // protocol version of a peer
  kLimit = 7,            // a named limit of proto/limits.hpp
  kUnreachable = 8,      // no broker, or no longer
  kSystem = 9,           // the operating system refused something
  kFunctionFailed = 10,  // the user's function or command reported failure
  kCrashed = 11,         // the executor died while the task ran
  kTimeLimit = 12,       // the task's own limit
  kWorkerLost = 13,      // the worker that ran it never came back
  kCancelled = 14,
  kConflict = 15,  // same job key, other content
  kNotFound = 16,
  kRefused = 17,  // the broker does not admit our key, or is not the one we mean
};

// The stable name used in messages, rows and JSON: "unknown-function", "time-limit", …
std::string_view name_of(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string message;  // a sentence for people: what, where, what to do
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message)});
}

}  // namespace fanmill

// An assertion about our own logic, kept on in release builds. Never about bytes from a peer or a
// disk.
#define FANMILL_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::fanmill::assertion_failed(#condition, __FILE__, __LINE__))

namespace fanmill {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}
