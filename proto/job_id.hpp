// A job's id as people see and type it: EPOCH-NUMBER, the epoch of the broker's life in hexadecimal
// and the number of the job in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/ids.hpp"

namespace fanmill {

std::string to_text(JobId job);                                // "9f3c21ab-3"
std::optional<JobId> job_id_from_text(std::string_view text);  // nothing else than to_text() gives

}  // namespace fanmill
