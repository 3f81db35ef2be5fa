// The blob of a report: what the broker never looks into.
//
//   [values: `values_bytes` bytes of concatenated msgpack values, one per task]   (succeeded)
//   [columns: one msgpack array, or nothing where every column is empty]
//
// columns  = [start_unix_us, run_ns per task | nil, outputs | nil, failures | nil, slot | nil]
// outputs  = [[offset, stdout, stderr], …]   only tasks that printed; offset of the task in its
// batch failures = [[code, message, exit_code, signal, tuple], …]   one per task that did not
// succeed A message over limits::kFailureMessageMax is cut when written, a tuple over
// kFailureTupleMax is left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"

namespace fanmill {

struct CapturedOutput {
  std::uint32_t offset{};  // of the task in its batch
  std::string out;
  std::string err;
  friend bool operator==(const CapturedOutput&, const CapturedOutput&) = default;
};

struct Failure {
  ErrorCode code{};
  std::string message;
  std::int32_t exit_code = -1;  // of a command; -1: it did not exit
  std::int32_t signal{};        // that ended the command or the executor; 0: none
  std::string tuple;  // its msgpack bytes, or empty if longer than limits::kFailureTupleMax
  friend bool operator==(const Failure&, const Failure&) = default;
};

struct ResultColumns {
  std::int64_t start_unix_us{};  // when the first task of the batch began
  std::vector<std::uint64_t>
      run_ns;  // per task, or empty: then the sum in the header is all there is
  std::vector<CapturedOutput> outputs;  // by rising offset
  std::vector<Failure> failures;        // empty, or one per task
  std::uint32_t slot{};                 // 1-based, of the worker
  friend bool operator==(const ResultColumns&, const ResultColumns&) = default;
};

void append_columns(std::string& out, const ResultColumns& columns);
// `bytes` is what follows the values. Empty bytes are empty columns. Hostile bytes are refused
// (kProtocol, kLimit).
Result<ResultColumns> decode_columns(std::string_view bytes);

}  // namespace fanmill
