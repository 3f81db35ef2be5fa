// The commands of `fanmill`. Each takes the words behind its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace fanmill::producer {

int map_command(std::vector<std::string> args);
int exec_command(std::vector<std::string> args);
int submit_command(std::vector<std::string> args);
int push_command(std::vector<std::string> args);
int gather_command(std::vector<std::string> args);
int results_command(std::vector<std::string> args);
int wait_command(std::vector<std::string> args);
int functions_command(std::vector<std::string> args);
int jobs_command(std::vector<std::string> args);
int show_command(std::vector<std::string> args);
int workers_command(std::vector<std::string> args);
int status_command(std::vector<std::string> args);
int cancel_command(std::vector<std::string> args);
int pause_command(std::vector<std::string> args);
int resume_command(std::vector<std::string> args);
int close_command(std::vector<std::string> args);
int why_command(std::vector<std::string> args);
int retry_command(std::vector<std::string> args);
int forget_command(std::vector<std::string> args);

}  // namespace fanmill::producer
