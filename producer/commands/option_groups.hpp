// The headings under which --help lists the options of map and exec.
#pragma once

#include <CLI/App.hpp>

namespace fanmill::producer {

// Puts every option under its heading; one that has none stays among "Options".
void group_options(CLI::App& app);

}  // namespace fanmill::producer
