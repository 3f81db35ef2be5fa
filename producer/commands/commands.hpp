// The commands of `fanmill`. Each takes the words behind its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace fanmill::producer {

int map_command(std::vector<std::string> args);
int exec_command(std::vector<std::string> args);
int functions_command(std::vector<std::string> args);

}  // namespace fanmill::producer
