// fanmill: the producer's command line. `fanmill broker …` and `fanmill worker …` execute the
// programs of that name beside this one, as git does.
#include <unistd.h>

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
  if (command == "broker" || command == "worker") {
    return execute_beside("fanmill-" + std::string(command), argv + 1);
  }
  std::vector<std::string> args(argv + 2, argv + argc);
  if (command == "map" || command == "exec") {
    producer::block_signals();
    const char* const level = std::getenv("FANMILL_LOG");
    set_up_logging("fanmill", level != nullptr ? level : "warn");
    return command == "map" ? producer::map_command(std::move(args))
                            : producer::exec_command(std::move(args));
  }
  if (command == "functions") return producer::functions_command(std::move(args));
  const std::vector<std::string> commands{"map", "exec", "functions", "broker", "worker", "help"};
  const auto meant = nearest_name(command, commands);
  if (meant) {
    std::fprintf(stderr, "fanmill: no command \"%s\"; did you mean %s? (fanmill --help)\n", argv[1],
                 meant->c_str());
    return 2;
  }
  std::fprintf(stderr,
               "fanmill: no command \"%s\"; there are map, exec, functions, broker and worker "
               "(fanmill --help)\n",
               argv[1]);
  return 2;
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
