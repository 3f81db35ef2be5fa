#include "producer/commands/plugin_option.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace fanmill::producer {

void add_plugin_option(CLI::App& app, std::vector<std::string>& files) {
  app.add_option("--plugin", files,
                 "A shared library whose functions can be called (<fanmill/plugin.hpp>); may be "
                 "repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);  // the next word is the function
}

void add_executor_option(CLI::App& app, std::string& program) {
  app.add_option("--executor", program,
                 "A program of one's own that runs the tasks, in any language (proto/PROTOCOL.md)")
      ->type_name("PROGRAM");
}

Result<void> check_executor(const std::string& program, const std::vector<std::string>& plugins,
                            const std::string& broker) {
  if (program.empty()) return {};
  if (!plugins.empty()) {
    return fail(ErrorCode::kUsage, "--executor " + program +
                                       " offers what it says itself, and loads no --plugin " +
                                       plugins.front());
  }
  if (!broker.empty()) {
    return fail(ErrorCode::kUsage,
                "--executor " + program +
                    " is for a private run; with --broker it goes to the workers: fanmill worker "
                    "--broker " +
                    broker + " --executor " + program);
  }
  return {};
}

Result<std::vector<std::string>> checked_plugins(const std::vector<std::string>& files,
                                                 const std::string& broker) {
  if (!files.empty() && !broker.empty()) {
    return fail(ErrorCode::kUsage,
                "--plugin " + files.front() +
                    " is for a private run; with --broker it goes to the workers: fanmill worker "
                    "--broker " +
                    broker + " --plugin " + files.front());
  }
  // One file named twice is no clash of its functions with themselves.
  std::vector<std::string> once;
  for (const std::string& file : files) {
    if (std::ranges::find(once, file) == once.end()) once.push_back(file);
  }
  return once;
}

}  // namespace fanmill::producer
