// Which jobs a word of a person means: PROTOCOL.md, 1.9.
#pragma once

#include <string_view>
#include <vector>

#include "broker/core/world.hpp"

namespace fanmill::broker {

// By rising id. kNotFound where a word means none; nothing is an answer to "" and "all" alone.
Result<std::vector<const Job*>> choose_jobs(const World& world, std::string_view selector);

}  // namespace fanmill::broker
