// Words of a command line as a shell of the Bourne family reads them back, quoted as GNU parallel
// quotes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fanmill {

// Bare where only letters, digits and -_.+/ are in it; '' where nothing is.
void append_shell_quoted(std::string& out, std::string_view word);

// The words, each quoted, with spaces between.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace fanmill
