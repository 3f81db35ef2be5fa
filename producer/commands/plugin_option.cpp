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
