// fanmill workers, fanmill status.
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/commands.hpp"
#include "producer/reports.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kWorkersFooter =
    R"(States: active; draining (takes no further task, and leaves); away (silent: its tasks go to others).

Examples:
  fanmill workers --broker mill/producer.join
  fanmill workers --json | jq '[.workers[].slots] | add'

Exit status: 0, 2 wrong use, 3 no broker answers.)";

constexpr const char* kStatusFooter =
    R"(The ventilator deals tasks to workers; the sink records their results and hands them to readers.
Stale: results that came when the task had one already; they are dropped.

Examples:
  fanmill status --broker mill/producer.join
  fanmill status --json | jq .status.ventilator.waiting

Exit status: 0, 2 wrong use, 3 no broker answers.)";

}  // namespace

int workers_command(std::vector<std::string> args) {
  BrokerCommand command("workers", "Lists the workers of a broker.", "[OPTIONS]", kWorkersFooter);
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    const auto workers = query.workers();
    if (!workers) return tl::make_unexpected(workers.error());
    if (command.json()) return command.print(to_json(*workers) + "\n");
    if (workers->empty()) {
      command.note(
          "no worker is connected; start one: fanmill worker --broker worker.join (of the "
          "broker's host) or ipc://PATH");
    }
    return command.print(workers_table(*workers, TextStyle::of_stdout()));
  });
}

int status_command(std::vector<std::string> args) {
  BrokerCommand command("status", "Tells how a broker is: its ventilator and its sink, apart.",
                        "[OPTIONS]", kStatusFooter);
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    const auto status = query.status();
    if (!status) return tl::make_unexpected(status.error());
    if (command.json()) return command.print(to_json(*status) + "\n");
    return command.print(status_text(*status, TextStyle::of_stdout()));
  });
}

}  // namespace fanmill::producer
