// Why there is no value: errors of functions, commands, workers and brokers are values.
// What a Failure says: detail/failure.hpp.
#pragma once

#include <fanmill/detail/failure.hpp>

namespace fanmill {

using Status = client::Status;
using Cause = client::Cause;
using Failure = client::TaskFailure;
using client::name_of;  // "failed", "dead-lettered", …; "error", "crashed", "time-limit", …

}  // namespace fanmill
