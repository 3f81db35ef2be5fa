// `--output=` with nothing behind it, as of `--output="$OUT"` with an OUT that is not set. The
// parser would take the next word for the value.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace fanmill::producer {

// The words with `--name=` of an option that takes a value as two words, the second one empty. What
// stands behind `--`, or behind the first word of a command, is none of ours and stays.
std::vector<std::string> with_empty_values(const CLI::App& app, std::vector<std::string> words);

}  // namespace fanmill::producer
