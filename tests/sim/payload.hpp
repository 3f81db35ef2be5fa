// Tuples and values that prove what they are: a tuple names its job and index; a value names the
// job, the index, the token under which it was made, and the execution that made it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/plan.hpp"

namespace fanmill::sim {

// A token as one number, over all lives of the broker.
inline std::uint64_t code_of(AttemptToken token) {
  return (std::uint64_t{token.epoch - 1} << 24) | token.counter;
}

void append_tuple(std::string& out, const JobPlan& job, std::uint64_t index);
// Moves `at` behind the tuple of this index; false if that is not what lies there.
bool take_tuple(std::string_view bytes, std::size_t& at, const JobPlan& job, std::uint64_t index);

// Which tuple of the job lies at `at`; nothing if none does.
std::optional<std::uint64_t> tuple_at(std::string_view bytes, std::size_t at, const JobPlan& job);

struct ValueFacts {
  std::uint64_t token{};
  std::uint64_t execution{};
};
void append_value(std::string& out, const JobPlan& job, std::uint64_t index, ValueFacts facts);
std::optional<ValueFacts> take_value(std::string_view bytes, std::size_t& at, const JobPlan& job,
                                     std::uint64_t index);

// What a failed task says.
std::string failure_text(const JobPlan& job, std::uint64_t index, std::uint64_t token);

}  // namespace fanmill::sim
