// fanmill jobs, fanmill show.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/broker_command.hpp"
#include "producer/commands/commands.hpp"
#include "producer/reports.hpp"
#include "proto/nearest.hpp"

namespace fanmill::producer {
namespace {

// Of a table that nobody narrowed down: so many of the jobs that have ended, the last ones.
constexpr std::size_t kEndedShown = 20;

constexpr std::array kStates{"running", "waiting", "paused",    "open",
                             "done",    "failed",  "cancelled", "halted"};

constexpr const char* kJobsFooter =
    R"(JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a key.

States: running; waiting (fanmill show says what for); paused; open (nothing to do until tuples
come); done; failed (some tasks did); cancelled;
halted (by its own --halt or --max-failures).

Examples:
  fanmill jobs --broker mill/producer.join     # the same everywhere: FANMILL_BROKER=mill/producer.join
  fanmill jobs                                 # what runs, and the last 20 that ended; newest last
  fanmill jobs --state running,waiting
  fanmill jobs resize                          # those of that name
  fanmill jobs --json | jq -r '.jobs[] | select(.state == "failed") | .id'

Exit status: 0, 2 wrong use or no such job, 3 no broker answers.)";

constexpr const char* kShowFooter =
    R"(JOB is last (the one opened last), all, an id (9f3c21ab-3), the number in it (3), a name or a key.

Examples:
  fanmill show                                 # the last one, and why it waits if it does
  fanmill show resize
  fanmill show 3 --json

Exit status: 0, 2 wrong use or no such job, 3 no broker answers.)";

Result<std::vector<std::string>> parse_states(const std::string& text) {
  std::vector<std::string> states;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string state = text.substr(from, end - from);
    from = end + 1;
    if (std::ranges::find(kStates, state) == kStates.end()) {
      const std::vector<std::string> names(kStates.begin(), kStates.end());
      const auto meant = nearest_name(state, names);
      std::string message = "--state: no state \"" + state + "\"; " +
                            (meant ? "did you mean " + *meant + "? There" : std::string("there"));
      for (const std::string& name : names) {
        message += (&name == &names.front() ? " are " : ", ") + name;
      }
      return fail(ErrorCode::kUsage, message);
    }
    states.push_back(state);
  }
  return states;
}

// The number of those that were left out.
std::size_t leave_out_long_ended(std::vector<JobDocument>& jobs) {
  std::size_t ended = static_cast<std::size_t>(
      std::ranges::count_if(jobs, [](const JobDocument& job) { return job.ended(); }));
  const std::size_t hidden = ended - std::min(ended, kEndedShown);
  std::size_t left = hidden;
  std::erase_if(jobs,
                [&](const JobDocument& job) { return job.ended() && left > 0 && left-- > 0; });
  return hidden;
}

}  // namespace

int jobs_command(std::vector<std::string> args) {
  BrokerCommand command("jobs", "Lists the jobs of a broker, newest last.", "[OPTIONS] [JOB]...",
                        kJobsFooter);
  std::vector<std::string> selectors;
  std::string states_text;
  std::vector<std::string> states;
  bool all = false;
  command.add_selectors(selectors, "Only these (below)");
  command.app()
      .add_option("--state", states_text, "Only those in one of these states")
      ->type_name("STATE,...");
  command.app()
      .add_flag("--all", all, "Also those that ended long ago; without it the last 20 of them")
      ->disable_flag_override();
  command.check([&]() -> Result<void> {
    if (states_text.empty()) return {};
    auto parsed = parse_states(states_text);
    if (!parsed) return tl::make_unexpected(parsed.error());
    states = std::move(*parsed);
    return {};
  });
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    auto jobs = resolve_jobs(query, selectors);
    if (!jobs) return tl::make_unexpected(jobs.error());
    if (!states.empty()) {
      std::erase_if(*jobs, [&](const JobDocument& job) {
        return std::ranges::find(states, job.state) == states.end();
      });
    }
    if (command.json()) return command.print(to_json(*jobs) + "\n");
    const bool narrowed = all || !selectors.empty() || !states.empty();
    const std::size_t hidden = narrowed ? 0 : leave_out_long_ended(*jobs);
    if (jobs->empty()) {
      command.note(states.empty() ? "no job here yet" : "no job is in such a state");
      return 0;
    }
    const int code = command.print(jobs_table(*jobs, TextStyle::of_stdout()));
    if (hidden > 0) {
      command.note(std::to_string(hidden) + " that ended earlier are not shown (--all)");
    }
    return code;
  });
}

int show_command(std::vector<std::string> args) {
  BrokerCommand command("show", "Tells everything about a job: the last one, or those named.",
                        "[OPTIONS] [JOB]...", kShowFooter);
  std::vector<std::string> selectors;
  command.add_selectors(selectors, "Which (below); last if none is named");
  return command.run(std::move(args), [&](Query& query) -> Result<int> {
    if (selectors.empty()) selectors.emplace_back("last");
    const auto jobs = resolve_jobs(query, selectors, true);
    if (!jobs) return tl::make_unexpected(jobs.error());
    if (command.json()) return command.print(to_json(*jobs) + "\n");
    if (jobs->empty()) command.note("no job here yet");
    const TextStyle style = TextStyle::of_stdout();
    std::string text;
    for (const JobDocument& job : *jobs) text += (text.empty() ? "" : "\n") + job_text(job, style);
    return command.print(text);
  });
}

}  // namespace fanmill::producer
