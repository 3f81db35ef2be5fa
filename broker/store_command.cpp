#include "broker/store_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "broker/sqlite/verify.hpp"
#include "proto/command_help.hpp"

namespace fanmill::broker {
namespace {

int verify(const std::string& path) {
  const auto found = sqlite::verify(path);
  if (!found) {
    std::fprintf(stderr, "fanmill store: %s\n", found.error().message.c_str());
    return found.error().code == ErrorCode::kSystem ? 3 : 2;
  }
  for (const std::string& trouble : found->troubles)
    std::printf("%s: %s\n", path.c_str(), trouble.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%s: %llu job%s, %llu tasks, %llu of them recorded in %llu records; %llu blobs of "
      "%llu bytes read: %s\n",
      path.c_str(), number(found->jobs), found->jobs == 1 ? "" : "s", number(found->tasks),
      number(found->recorded), number(found->records), number(found->blobs), number(found->bytes),
      found->troubles.empty() ? "all as they were written" : "see above");
  return found->troubles.empty() ? 0 : 1;
}

}  // namespace

int store_command(int argc, char** argv) {
  CLI::App app{"Looks into the store of a broker.", "fanmill store"};
  std::string path;
  CLI::App* const verifying =
      app.add_subcommand("verify", "Reads everything and says whether it is as it was written");
  verifying->add_option("file", path, "The store; a broker may run on it")
      ->type_name("FILE")
      ->required();
  app.require_subcommand(1);
  app.footer(
      "Example:\n"
      "  fanmill store verify ~/.local/state/fanmill/broker.store\n"
      "The file is left as it is. Exit status: 0 if all is well, 1 if not, 2 for wrong use or a "
      "file\nthat is no store, 3 where it cannot be read.");
  app.formatter(std::make_shared<HelpFormatter>("Usage: fanmill store verify FILE"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::fprintf(stderr, "fanmill store: %s\n",
                 parse_complaint(app, error, "fanmill store").c_str());
    return 2;
  }
  return verify(path);
}

}  // namespace fanmill::broker
