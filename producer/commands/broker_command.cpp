#include "producer/commands/broker_command.hpp"

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "producer/commands/broker_option.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/exit_code.hpp"
#include "producer/visible_text.hpp"

namespace fanmill::producer {

int with_broker(const std::string& given, const std::function<int(const Error&)>& tell,
                const std::function<Result<int>(Client&, Query&)>& ask) {
  ChannelContext context;
  auto client = connect_to_broker(context, given);
  if (!client) return tell(client.error());
  Query query(*client, given);
  const auto code = ask(*client, query);
  return code ? *code : tell(code.error());
}

int at_broker(const std::string& command, const std::string& broker, bool bar,
              const std::function<Result<int>(AtBroker&)>& act) {
  if (const auto given = required_broker(broker); !given)
    return usage_error(command, given.error().message);
  Console console(bar);
  const auto tell = [&](const Error& error) {
    console.note(error.message);
    return exit_code_of(error.code);
  };
  return with_broker(broker, tell, [&](Client& client, Query& query) {
    AtBroker at{client, query, console, broker};
    return act(at);
  });
}

BrokerCommand::BrokerCommand(std::string name, const std::string& description,
                             const std::string& usage, const char* footer)
    : name_(std::move(name)), app_(description, "fanmill " + name_) {
  set_usage(app_, "Usage: fanmill " + name_ + " " + usage);
  add_broker_option(app_, broker_);
  app_.add_flag("--json", json_, "One JSON object, for programs: fanmill-jobs(1) has its schema")
      ->disable_flag_override();
  app_.footer(footer);
}

void BrokerCommand::add_selectors(std::vector<std::string>& selectors,
                                  const std::string& description) {
  app_.add_option("JOB", selectors, description)->type_name("");
}

int BrokerCommand::run(std::vector<std::string> args,
                       const std::function<Result<int>(Query&)>& ask) {
  if (const auto code = parse_words(app_, name_, std::move(args))) return *code;
  if (check_) {
    if (const auto ok = check_(); !ok) return tell(ok.error());
  }
  const auto given = required_broker(broker_);
  if (!given) return tell(given.error());
  signal(SIGPIPE, SIG_IGN);  // print() says what to do then
  return with_broker(
      *given, [this](const Error& error) { return tell(error); },
      [&](Client&, Query& query) { return ask(query); });
}

void BrokerCommand::note(std::string_view text) const {
  std::fprintf(stderr, "fanmill %s: %s\n", name_.c_str(), visible(text).c_str());
}

int BrokerCommand::tell(const Error& error) const {
  note(error.message);
  return exit_code_of(error.code);
}

int BrokerCommand::print(std::string_view text) const {
  const int error_number = write_all(STDOUT_FILENO, text);
  if (error_number == 0 || error_number == EPIPE) return 0;
  return tell(
      {ErrorCode::kSystem, std::string("cannot write to stdout: ") + strerror(error_number)});
}

}  // namespace fanmill::producer
