// Why tasks did not succeed, in the words of the column `cause` and of --cause.
#pragma once

#include <cstdint>
#include <string>

#include "proto/error.hpp"

namespace fanmill::producer {

// "crashed,time-limit" as Steer::outcomes. kUsage names the word that is none.
Result<std::uint32_t> parse_causes(const std::string& text);

}  // namespace fanmill::producer
