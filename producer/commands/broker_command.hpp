// What the commands share that ask a long-lived broker, follow its jobs and steer them.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/query.hpp"

namespace fanmill::producer {

// Connects to the broker that was given and asks it; the exit code. What went wrong is told.
int with_broker(const std::string& given, const std::function<int(const Error&)>& tell,
                const std::function<Result<int>(Client&, Query&)>& ask);

struct AtBroker {
  Client& client;
  Query& query;
  Console& console;
  const std::string& broker;
};
// The same for what follows a job and shows how far it is; `bar`: see Console.
int at_broker(const std::string& command, const std::string& broker, bool bar,
              const std::function<Result<int>(AtBroker&)>& act);

class BrokerCommand {
 public:
  // `name` is the command's, `usage` what its --help has behind "Usage: fanmill NAME".
  BrokerCommand(std::string name, const std::string& description, const std::string& usage,
                const char* footer);

  CLI::App& app() { return app_; }
  const std::string& name() const { return name_; }
  bool json() const { return json_; }

  // JOB..., in the words of every command that takes selectors.
  void add_selectors(std::vector<std::string>& selectors, const std::string& description);

  // Parses, connects and asks. `ask` prints and returns the exit code; an error of it is told.
  int run(std::vector<std::string> args, const std::function<Result<int>(Query&)>& ask);
  // Between parsing and connecting: kUsage of words that parse and cannot be meant.
  void check(std::function<Result<void>()> check) { check_ = std::move(check); }

  // "fanmill NAME: TEXT" on stderr.
  void note(std::string_view text) const;
  int tell(const Error& error) const;  // the exit code
  // On stdout; the exit code. A reader that has gone is no error.
  int print(std::string_view text) const;

 private:
  std::string name_;
  CLI::App app_;
  std::string broker_;
  bool json_ = false;
  std::function<Result<void>()> check_;
};

}  // namespace fanmill::producer
