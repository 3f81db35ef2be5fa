#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/broker_option.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/plugin_option.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/exit_code.hpp"
#include "producer/private_run.hpp"
#include "producer/reports.hpp"
#include "producer/visible_text.hpp"

namespace fanmill::producer {
namespace {

constexpr int kJsonSchema = 1;

constexpr const char* kFooter =
    R"(Examples:
  fanmill functions                            # what is built in
  fanmill functions --plugin ./norm.so         # and what a plugin adds; refuses one that cannot be used
  fanmill functions --plugin ./norm.so --json
  fanmill functions --broker mill/producer.join         # what the connected workers offer, and how many do

A signature is (NAME: TYPE = DEFAULT, ...) -> TYPE; a ? behind a type means "or null", ... takes anything.
With --json: {"schema":1,"functions":[{"name":"sleep","signature":"(seconds: float) -> null"}, ...]}, by name;
at a broker each also has "workers" and "slots": how many offer it.
Exit status: 0, 2 a plugin or program that cannot be used, 3 no executor runs here, or no broker answers.)";

void print_table(const std::vector<FunctionOffer>& offers) {
  std::size_t width = 0;
  for (const FunctionOffer& offer : offers) width = std::max(width, offer.name.size());
  for (const FunctionOffer& offer : offers) {
    fmt::print("{:<{}}  {}\n", offer.name, width, offer.signature);
  }
}

void print_json(const std::vector<FunctionOffer>& offers) {
  nlohmann::ordered_json out{{"schema", kJsonSchema}, {"functions", nlohmann::json::array()}};
  for (const FunctionOffer& offer : offers) {
    out["functions"].push_back(
        nlohmann::ordered_json{{"name", offer.name}, {"signature", offer.signature}});
  }
  fmt::print("{}\n", out.dump());
}

int tell(const Error& error) {
  std::fprintf(stderr, "fanmill functions: %s\n", visible(error.message).c_str());
  return exit_code_of(error.code);
}

int functions_of_broker(const std::string& broker, bool json) {
  return with_broker(broker, tell, [json](Client&, Query& query) -> Result<int> {
    const auto workers = query.workers();
    if (!workers) return tl::make_unexpected(workers.error());
    const std::vector<FunctionDocument> functions = functions_of(*workers);
    if (json) {
      fmt::print("{}\n", to_json(functions));
    } else if (functions.empty()) {
      std::fputs("fanmill functions: no worker is connected that offers any\n", stderr);
    } else {
      fmt::print("{}", functions_table(functions, TextStyle::of_stdout()));
    }
    return 0;
  });
}

}  // namespace

int functions_command(std::vector<std::string> args) {
  const std::string command = "functions";
  CLI::App app("Lists the functions that can be called, with their signatures.",
               "fanmill functions");
  std::vector<std::string> plugins;
  std::string executor;
  std::string broker;
  bool json = false;
  set_usage(app,
            "Usage: fanmill functions [--plugin FILE]... [--executor PROGRAM] [--broker "
            "FILE|ENDPOINT] [--json]");
  add_plugin_option(app, plugins);
  add_executor_option(app, executor);
  add_broker_option(app, broker, "What its workers offer: its producer.join, or ipc://PATH");
  app.add_flag("--json", json, "One JSON object instead of a table");
  app.footer(kFooter);
  if (const auto code = parse_words(app, command, std::move(args))) return *code;
  const auto files = checked_plugins(plugins, broker);
  if (!files) return tell(files.error());
  if (const auto checked = check_executor(executor, plugins, broker); !checked) {
    return tell(checked.error());
  }
  if (!broker.empty()) return functions_of_broker(broker, json);
  auto offers = private_offers(*files, executor);
  if (!offers) return tell(offers.error());
  if (json) {
    print_json(*offers);
  } else {
    print_table(*offers);
  }
  return 0;
}

}  // namespace fanmill::producer
