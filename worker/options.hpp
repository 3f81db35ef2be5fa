// What the worker's command line says beyond plain numbers and files.
#pragma once

#include <string>
#include <vector>

#include "proto/clock.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::worker {

// "gpu=yes", several of them, each name once. kUsage otherwise.
Result<std::vector<Label>> parse_labels(const std::vector<std::string>& words);

// A duration above zero; `option` is named in the complaint. kUsage otherwise.
Result<nanoseconds> parse_span(const std::string& option, const std::string& text);

}  // namespace fanmill::worker
