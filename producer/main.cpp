// fanmill: the producer's command line. `fanmill broker …` and `fanmill worker …` execute the
// programs of that name beside this one, as git does.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "producer/commands/commands.hpp"
#include "producer/console.hpp"
#include "producer/map_run.hpp"
#include "producer/signals.hpp"
#include "producer/version.hpp"
#include "proto/log.hpp"
#include "proto/nearest.hpp"

namespace {

constexpr const char* kHelp =
    R"(fanmill runs a function or a command over many parameter tuples, in parallel, and gathers the results.

Usage: fanmill COMMAND [OPTIONS] ...

  map FUNCTION INPUT       call a function for every tuple; results in input order
  exec INPUT -- CMD ARG... run a command for every tuple
  functions                what can be called, with signatures
  broker                   a broker of its own, for several producers and workers
  worker                   offers this host's cores to a broker
  store verify FILE        whether what a broker has kept is as it was written

At a broker (--broker, or FANMILL_BROKER):
  submit FUNCTION INPUT    leaves a job there and prints its id; submit exec INPUT -- CMD too
  gather JOB -o FILE       its results, to the end; goes on where it was interrupted
  results JOB              what is recorded of it now
  push JOB INPUT           more tuples for a job that was opened with submit --open
  wait JOB...              until they have ended
  jobs [JOB]...            its jobs, and how far they are
  show [JOB]...            everything about a job, and why it waits
  cancel JOB...            ends jobs; their results stay
  pause JOB...             deals nothing of them
  resume JOB...            goes on with them
  close JOB...             no more tuples for an open job
  why [JOB]...             why tasks failed, by cause, with the worst of each
  retry JOB...             runs what failed again, in the same job
  forget JOB...            removes jobs that have ended, with their results
  workers                  its workers: slots, what they did, labels
  status                   its ventilator and its sink: rates, backlog, readers

Try it:
  fanmill map -j 4 sleep_print ::: 1 2 ::: "hello"       # four slots, no set-up
  seq 1000000 | fanmill map identity - | tail -1         # streams, in bounded memory
  fanmill exec ::: *.log -- gzip -k {}                   # any command

With workers of their own, in three shells:
  fanmill broker --listen ipc:///tmp/mill/broker
  fanmill worker --broker ipc:///tmp/mill/broker --slots 2
  fanmill map --broker ipc:///tmp/mill/broker sleep ::: 1 2 3

fanmill help COMMAND, or COMMAND --help, explains a command; fanmill --version names the version.
)";

// Returns only if the program could not be executed.
int execute_beside(const std::string& program, char** argv) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::string path = (self.parent_path() / program).string();
  std::string name = program;
  argv[0] = name.data();
  execvp(path.c_str(), argv);
  std::fprintf(stderr, "fanmill: cannot execute %s: %s; it belongs beside fanmill\n", path.c_str(),
               std::strerror(errno));
  return 3;
}

struct Command {
  const char* name;
  int (*run)(std::vector<std::string> args);  // none: a program of its own
  bool reads_signals = false;
};

namespace producer = fanmill::producer;

// In the order in which messages list them.
constexpr std::array kCommands{
    Command{"map", producer::map_command, true},
    Command{"exec", producer::exec_command, true},
    Command{"submit", producer::submit_command, true},
    Command{"push", producer::push_command, true},
    Command{"gather", producer::gather_command, true},
    Command{"results", producer::results_command, true},
    Command{"wait", producer::wait_command, true},
    Command{"functions", producer::functions_command},
    Command{"jobs", producer::jobs_command},
    Command{"show", producer::show_command},
    Command{"cancel", producer::cancel_command},
    Command{"pause", producer::pause_command},
    Command{"resume", producer::resume_command},
    Command{"close", producer::close_command},
    Command{"why", producer::why_command},
    Command{"retry", producer::retry_command},
    Command{"forget", producer::forget_command},
    Command{"workers", producer::workers_command},
    Command{"status", producer::status_command},
    Command{"broker", nullptr},
    Command{"worker", nullptr},
    Command{"store", nullptr},
};

int no_such_command(const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  std::string list = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) {
    list += (i + 1 < names.size() ? ", " : " and ") + names[i];
  }
  names.emplace_back("help");
  const auto meant = fanmill::nearest_name(word, names);
  const std::string what = meant ? "did you mean " + *meant + "?" : "there are " + list;
  std::fprintf(stderr, "fanmill: no command \"%s\"; %s (fanmill --help)\n", word.c_str(),
               what.c_str());
  return 2;
}

int run(int argc, char** argv) {
  using namespace fanmill;
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command.empty()) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  if (command == "help" && argc > 3) {
    std::fprintf(stderr, "fanmill: \"%s\" is one word too many (fanmill help %s)\n", argv[3],
                 argv[2]);
    return 2;
  }
  if (command == "help" && argc > 2) {  // help map: map --help
    std::string help = "--help";
    char* words[] = {argv[0], argv[2], help.data(), nullptr};
    return run(3, words);
  }
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (command == "--version") {
    std::fputs(producer::version_text().c_str(), stdout);
    return 0;
  }
  const auto found = std::ranges::find(kCommands, command, &Command::name);
  if (found == kCommands.end()) return no_such_command(argv[1]);
  if (command == "store") return execute_beside("fanmill-broker", argv);
  if (found->run == nullptr) return execute_beside("fanmill-" + std::string(command), argv + 1);
  if (found->reads_signals) producer::block_signals();
  const char* const level = std::getenv("FANMILL_LOG");
  set_up_logging("fanmill", level != nullptr ? level : "warn");
  return found->run(std::vector<std::string>(argv + 2, argv + argc));
}

// Room for all that is printed by way of stdio, lists and help, so that it is written at the end.
char stdout_buffer[256 * 1024];

// What was printed by way of stdio is there, or the reader left; else the exit code says it is not.
int flush_stdout(int code) {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!failed || code != 0 || errno == EPIPE) return code;
  std::fprintf(stderr, "fanmill: cannot write to stdout%s%s\n", errno != 0 ? ": " : "",
               errno != 0 ? std::strerror(errno) : "");
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fanmill::producer::occupy_standard_descriptors();
    std::setvbuf(stdout, stdout_buffer, _IOFBF, sizeof stdout_buffer);
    return flush_stdout(run(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fanmill: %s\n", error.what());
    return 3;
  }
}
