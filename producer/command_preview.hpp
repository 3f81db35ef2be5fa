// The commands that an input makes, seen without running anything: for exec --dry-run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "producer/source.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

// Hands every command to `show`, in order, as lines that a shell would run ({%} stays as it is),
// until it says false or the input ends; waits where the input does. The number of commands, or
// what is wrong with the input or with the command.
Result<std::uint64_t> preview_commands(TupleSource& source, const JobSpec& spec,
                                       const std::function<bool(const std::string& lines)>& show);

}  // namespace fanmill::producer
