// Text of the command line or of a CSV field as a value.
#pragma once

#include <string>
#include <string_view>

namespace fanmill::producer {

// Appends msgpack: a number only if the number prints back as exactly this text (`42`, `-1`,
// `0.5`), else the text itself (`007`, `1.50`, `+3`, `true`, ``).
void append_typed(std::string& out, std::string_view text);

}  // namespace fanmill::producer
