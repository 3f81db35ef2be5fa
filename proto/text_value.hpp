// Text of the command line or of a CSV field as a value.
#pragma once

#include <string>
#include <string_view>

namespace fanmill {

// Appends msgpack: a number only if the number prints back as exactly this text (`42`, `-1`,
// `0.5`), else the text itself (`007`, `1.50`, `+3`, `true`, ``). append_text_as() of
// proto/signature.hpp is the same for a parameter whose type is known.
void append_typed(std::string& out, std::string_view text);

}  // namespace fanmill
