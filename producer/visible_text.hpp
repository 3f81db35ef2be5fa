// Text of others (names, reasons, command lines) for a terminal: it can neither steer it nor break
// a line or a table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fanmill::producer {

// Control characters, marks that turn the direction of writing and line separators become \x1b or
// \u202e; bytes that are no UTF-8 become U+FFFD.
std::string visible(std::string_view text);

// The columns that visible text takes on a terminal: wide characters two, combining ones none.
std::size_t columns_of(std::string_view text);
// Text of at most so many columns, with "…" at its end where something is cut off.
std::string cut_to_columns(std::string_view text, std::size_t columns);

}  // namespace fanmill::producer
