// Why there is no value: errors of functions, commands, workers and brokers are values.
// What a Failure says: detail/failure.hpp.
#pragma once

#include <fanmill/detail/failure.hpp>

namespace fanmill {

using Status = detail::Status;
using Cause = detail::Cause;
using Failure = detail::TaskFailure;
using detail::name_of;  // "failed", "dead-lettered", …; "error", "crashed", "time-limit", …

}  // namespace fanmill
