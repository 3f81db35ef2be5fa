#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/argument_line.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/commands/submit_options.hpp"
#include "proto/shell_quote.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kFooter =
    R"(INPUT, one of:
  FILE.jsonl   JSON lines: [1,"x"] gives positional parameters, {"a":1} named ones, 7 a single one
  FILE.csv     the header names the parameters
  -            JSON lines from stdin, as they come; an endless stream is fine
  --lines      every line of FILE or - (or of stdin, without INPUT) is one text; -0 for find -print0
  --range n=1..10      numbers, both ends included; n=0..1..0.25 steps by 0.25, n=10..1..-1 down
  ::: 1 2 3    the values themselves; several ::: make all combinations, the last one fastest
  :::: FILE... each file's lines are the values, - is stdin      both mix with ::: and --range
  :::+ a b     ::::+ FILE   in step with the source before instead; the shorter one ends both
Ranges come first, then the lists, in the order of the command line.

Text becomes what FUNCTION takes by its signature; without one, a number only if it prints back
identically (7, not 007). Columns, ranges and JSON objects go to parameters by name, in any order; where
no name is a parameter's, by position. A row that does not fit ends the input, with its place.
--sample keeps tuple i, from 0, if mix(mix(SEED) ^ i) < P/100 * 2^64, mix being one step of SplitMix64.

Examples:
  fanmill map -j 4 sleep ::: 1 2 3 4                   # about 4 seconds
  fanmill map -j 4 sleep_print ::: 1 2 ::: "hello" "world"
  printf '[1,"1 Second"]\n[2,"2 Seconds"]\n' | fanmill map sleep_print -
  seq 1000000 | fanmill map identity - | tail -1
  fanmill map --range x=0..1..0.25 --range y=1..3 echo       # 15 pairs
  fanmill map echo ::: a b :::+ 1 2                          # [a,1] and [b,2]
  fanmill map --dry-run --limit 100 echo params.csv          # look before you run
  fanmill map --sample 1% echo params.csv                    # the same hundredth at every run
  fanmill map --format csv --columns seed,value,run_s echo params.csv
  fanmill map --progress=json --quiet -o out.jsonl identity in.jsonl     # progress for programs, on stderr
  fanmill map --format csv -o results.csv --retries 2 --timeout 5m echo params.csv
  fanmill map --journal run.db --resume -o out.jsonl identity in.jsonl   # goes on, whatever ended it
  fanmill map --plugin ./norm.so norm points.csv             # a function of one's own, in C++
  fanmill map --broker ipc:///tmp/mill/broker identity in.jsonl

Exit status: 0 all tasks succeeded, 1 some failed, 2 usage or malformed input, 3 broker or system,
4 halted (--halt, --max-failures), 130 interrupted (Ctrl-C once: what runs is finished; twice: it is killed).)";

}  // namespace

int map_command(std::vector<std::string> args) {
  return map_words("map", std::move(args), nullptr);
}

int map_words(const std::string& command, std::vector<std::string> args, SubmitWords* submit) {
  const std::string typed = shell_line(args);
  auto line = cut_map_line(std::move(args));
  if (!line) return usage_error(command, line.error().message);

  CLI::App app(submit == nullptr
                   ? "Calls FUNCTION once for every tuple of INPUT, in parallel, and prints the "
                     "results in input order."
                   : "Leaves a job at a broker: prints its id once all tuples are accepted. It "
                     "runs without us.",
               "fanmill " + command);
  std::string function;
  std::string path;
  RunOptions options;
  options.typed = typed;
  set_usage(app, submit == nullptr ? "Usage: fanmill map [OPTIONS] FUNCTION INPUT"
                                   : "Usage: fanmill submit [OPTIONS] FUNCTION INPUT\n"
                                     "       fanmill submit exec [OPTIONS] INPUT -- CMD [ARG...]\n"
                                     "       fanmill submit exec [OPTIONS] CMD [ARG...] ::: a b c");
  app.add_option(
      "FUNCTION", function,
      "What to call: sleep, sleep_print, echo, identity, or what a plugin or worker offers "
      "(fanmill functions)");
  app.add_option("INPUT", path, "Where the tuples come from (below)");
  options.add_to(app, false, submit ? Destination::kBroker : Destination::kHere);
  if (submit != nullptr) submit->add_to(app);
  app.footer(submit == nullptr ? kFooter : submit->footer());
  if (const auto code = parse_words(app, command, std::move(line->words))) return *code;
  if (function.empty()) {
    return usage_error(
        command, "no function; for instance: fanmill map sleep ::: 1 2 3 (fanmill map --help)");
  }
  const bool nothing = path.empty() && line->lists.empty() && !options.input.needs_no_words();
  if (submit != nullptr && submit->open && nothing) path = kNoInput;
  const auto input = path == kNoInput ? Result<InputSpec>(InputSpec{})
                                      : options.input.describe(path, std::move(line->lists));
  if (!input) return usage_error(command, input.error().message);
  JobOptions job;
  job.spec.function = function;
  job.name = function;
  if (submit != nullptr) return submit_job(command, options, *submit, std::move(job), *input);
  return run_with_input(command, options, std::move(job), *input);
}

}  // namespace fanmill::producer
