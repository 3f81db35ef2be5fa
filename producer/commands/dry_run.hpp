// --dry-run: what would run, and nothing run.
#pragma once

#include <string>
#include <vector>

#include "producer/source.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

// Tells the source what the function of a private run takes, as a run would. kUnknownFunction names
// the nearest; kUsage: a plugin that cannot be used.
Result<void> tell_signature(TupleSource& source, const std::string& function,
                            const std::vector<std::string>& plugins,
                            const std::string& own_executor);

// Both return the exit code; what went wrong has been told.
int dry_run_tuples(TupleSource& source, bool quiet);
int dry_run_commands(TupleSource& source, const JobSpec& spec, bool quiet);

}  // namespace fanmill::producer
