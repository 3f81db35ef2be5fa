// fanmill::Failure under the name that the compiled side knows it by.
#pragma once

#include <cstdint>
#include <fanmill/value.hpp>
#include <string>
#include <string_view>

namespace fanmill::client {

enum class Status : std::uint8_t {
  kFailed,
  kDeadLettered,  // given up after so many crashes or lost workers
  kCancelled,
};

enum class Cause : std::uint8_t {
  kError,         // the function or command reported it
  kBadArguments,  // the tuple is none for this function
  kCrashed,       // the executor died while the task ran
  kTimeLimit,
  kWorkerLost,
  kCancelled,
  kWrongType,        // there is a value, but it is no T
  kUnknownFunction,  // no worker offers it
  kUnreachable,      // no broker answers, or no longer
  kRefused,          // by the broker, or by the wrong use of a setting
  kSystem,           // the operating system refused something
};

struct TaskFailure {
  static constexpr std::uint64_t kNoTask = ~std::uint64_t{0};

  Status status = Status::kFailed;
  Cause cause = Cause::kError;
  std::string message;            // a sentence for people
  std::uint64_t index = kNoTask;  // of the task; kNoTask: it is the whole job's
  std::uint32_t attempt = 0;      // the last one, from 1; 0: none
  int exit_code = -1;             // of a command; -1: it did not exit
  int signal = 0;                 // that ended the command or the executor; 0: none
  std::string out, err;           // the first and last 16 KiB of what was printed
  std::string worker;             // that ran it
  Value tuple;                    // its parameters, unless they are long

  // "task 7 (3,"x") crashed: …, attempt 3; given up": one line.
  std::string text() const;
};

std::string_view name_of(Status status);  // "failed", "dead-lettered", "cancelled"
std::string_view name_of(Cause cause);    // "error", "crashed", "time-limit", …

}  // namespace fanmill::client
