// What a function may know of the call it is in, and say about it.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "fanmill/plugin.h"

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {

enum class LogLevel : int {
  kDebug = FANMILL_LOG_DEBUG,
  kInfo = FANMILL_LOG_INFO,
  kWarning = FANMILL_LOG_WARNING,
  kError = FANMILL_LOG_ERROR,
};

// Unique to one attempt of one task: two runs of the same task, of which one may be a zombie, have
// different ones. Fit for a fencing token or the name of a temporary file.
struct Token {
  std::uint32_t epoch{};
  std::uint64_t counter{};
  std::uint64_t index{};
  friend auto operator<=>(const Token&, const Token&) = default;
};
inline std::string to_string(const Token& token) {
  return std::to_string(token.epoch) + "-" + std::to_string(token.counter) + "-" +
         std::to_string(token.index);
}

// Valid during the call, in the thread that was called.
class Context {
 public:
  explicit Context(const fanmill_call& call) : call_(call) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::uint64_t index() const { return call_.index; }      // of the task in its job, from 0
  std::uint32_t attempt() const { return call_.attempt; }  // from 1
  std::uint32_t slot() const { return call_.slot; }        // of the worker, from 1
  Token token() const { return {call_.token_epoch, call_.token_counter, call_.index}; }

  // When the executor is killed for the job's time limit (--timeout).
  std::optional<std::chrono::steady_clock::time_point> deadline() const {
    if (call_.deadline_ns == 0) return {};
    return std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(static_cast<std::int64_t>(call_.deadline_ns)));
  }
  // The job was cancelled, and whoever does not return within the grace period is killed.
  bool is_cancelled() const { return call_.table->is_cancelled(call_.host) != 0; }

  // A line on the task's stderr.
  void log(LogLevel level, std::string_view text) const {
    call_.table->log(call_.host, static_cast<int>(level), text.data(), text.size());
  }
  void debug(std::string_view text) const { log(LogLevel::kDebug, text); }
  void info(std::string_view text) const { log(LogLevel::kInfo, text); }
  void warning(std::string_view text) const { log(LogLevel::kWarning, text); }
  void error(std::string_view text) const { log(LogLevel::kError, text); }

 private:
  const fanmill_call& call_;
};

// Thrown by a function: the tuple is at fault, and its failure says so. Everything else that is
// thrown is a failure of the function, with what() as its message.
class BadArguments : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
