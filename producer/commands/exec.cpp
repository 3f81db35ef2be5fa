#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/argument_line.hpp"
#include "producer/commands/command_options.hpp"
#include "producer/commands/commands.hpp"
#include "producer/commands/run_options.hpp"
#include "producer/commands/submit_options.hpp"
#include "proto/command_help.hpp"
#include "proto/shell_quote.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kFooter =
    R"(Placeholders in CMD and its arguments, and in --chdir, --env NAME=VALUE and --stdin:
  {}           the parameters, in order        {1} {2} {-1}    the first, the second, the last
  {name}       by name (CSV header, JSON object keys, --range); stays as it is if there is no such name
  {.} {/} {//} {/.}   without ending, base name, directory, base name without ending     {#}  1, 2, 3 ...
  {1.} {2/} {name//} ...   the same of one parameter        {%}  the slot that runs it, 1 to N of -j N
Without any placeholder the parameters are added at the end. A {} for several parameters makes several
arguments. All of this as in GNU parallel -q: values arrive exactly as they were typed. No shell is
involved but with --shell, and then as in GNU parallel: the words make one line, values come quoted.

INPUT, one of:
  FILE.jsonl   FILE.csv   -  (JSON lines from stdin)
  --lines [FILE|-]     every line of FILE, or of stdin, is one text, as it is; -0 for find -print0
  --range n=1..10      numbers, both ends included; n=0..1..0.25 steps by 0.25, n=10..1..-1 down
  ::: a b c            values; several ::: make all combinations, the last one fastest
  :::: FILE...         each file's lines are the values, - is stdin
  :::+ a b   ::::+ FILE   in step with the source before instead; the shorter one ends both

Examples:
  fanmill exec ::: *.png -- convert {} {.}.webp
  fanmill exec gzip -k ::: *.log                        # the command first, as GNU parallel has it
  fanmill exec --tag wc -l ::: *.log                    # each line behind its parameters
  fanmill exec -j 8 runs.csv -- ./simulate --seed {seed} --rate {rate}
  find . -name '*.log' -print0 | fanmill exec -0 gzip -k
  fanmill exec --range seed=1..100 -- ./simulate --seed {seed}
  fanmill exec mv {1} {2} :::: old.txt ::::+ new.txt
  fanmill exec --shell 'grep -c error {} | sort -n > {/.}.count' ::: *.log
  find . -name '*.png' | fanmill exec --lines -N 20 optipng           # twenty files for each command
  fanmill exec --chdir {} --env CFLAGS=-O2 --joblog log.txt make ::: lib app
  fanmill exec --stdin {} --timeout 300% ./solve :::: problems.txt
  fanmill exec --dry-run --shell 'convert {} {.}.webp' ::: *.png        # what would run
  fanmill exec --format csv --columns seed,value,exit_code,signal runs.csv -- ./simulate {seed}
  fanmill exec --format csv -o sizes.csv ::: /usr/share/common-licenses/* ::: 1 6 9 -- \
      sh -c 'gzip -c -"$2" "$1" | wc -c' sh {1} {2}

Results: the commands' stdout, byte for byte, in input order; with --format jsonl or csv a row for every
task with parameters, stdout (value), status, exit code or signal, stderr, times (--columns chooses).
Exit status: 0 all commands succeeded, 1 some failed, 2 usage or malformed input, 3 broker or system,
4 halted (--halt, --max-failures), 130 interrupted.)";

}  // namespace

int exec_command(std::vector<std::string> args) {
  return exec_words("exec", std::move(args), nullptr);
}

int exec_words(const std::string& command, std::vector<std::string> args, SubmitWords* submit) {
  const std::string typed = shell_line(args);
  auto line = cut_exec_line(std::move(args));
  if (!line) return usage_error(command, line.error().message);

  CLI::App app(submit == nullptr
                   ? "Runs a command once for every tuple of INPUT, in parallel."
                   : "Leaves a job of commands at a broker: prints its id once all tuples are "
                     "accepted. It runs without us.",
               "fanmill " + command);
  std::string path;
  RunOptions options;
  options.typed = typed;
  CommandOptions of_commands;
  set_usage(app, "Usage: fanmill " + command + " [OPTIONS] INPUT -- CMD [ARG...]\n       fanmill " +
                     command + " [OPTIONS] CMD [ARG...] ::: a b c");
  options.add_to(app, true, submit ? Destination::kBroker : Destination::kHere);
  if (submit != nullptr) submit->add_to(app);
  of_commands.add_to(app);
  app.footer(submit == nullptr ? kFooter : submit->footer());
  // Words without `--` are options and then the command, whose own options are none of ours.
  const bool command_first = !line->has_command;
  if (command_first) {
    app.prefix_command();
  } else {
    app.add_option("INPUT", path, "Where the tuples come from (below)");
  }
  if (const auto code = parse_words(app, command, std::move(line->words))) return *code;
  std::vector<std::string> argv = command_first ? app.remaining() : std::move(line->command);
  // With a shell each value may be a whole command.
  if (argv.empty() && !of_commands.shell.empty() && !line->lists.empty()) argv = {"{}"};
  if (argv.empty()) {
    return usage_error(command,
                       "no command; for instance: fanmill exec ::: a b -- echo {}  "
                       "(fanmill exec --help)");
  }
  // The parser takes an option that it does not know for the command's first word.
  if (command_first && argv.front().starts_with('-')) {
    return usage_error(command, unknown_option(app, argv.front()) +
                                    " (fanmill exec --help); for a command of that name: ::: a b "
                                    "-- " +
                                    argv.front());
  }
  if (command_first && line->lists.empty() && !options.input.needs_no_words()) {
    return usage_error(command, "no input: put the values behind the command (" + argv.front() +
                                    " ... ::: a b), or the input before it (in.csv -- " +
                                    argv.front() + " ...)");
  }
  const auto input = options.input.describe(path, std::move(line->lists));
  if (!input) return usage_error(command, input.error().message);
  JobOptions job;
  job.name = argv.front();
  job.spec.function = kCommandFunction;
  job.spec.argv = std::move(argv);
  if (const auto ok = of_commands.apply(job.spec, *input); !ok) {
    return usage_error(command, ok.error().message);
  }
  if (submit != nullptr) return submit_job(command, options, *submit, std::move(job), *input);
  return run_with_input(command, options, std::move(job), *input);
}

}  // namespace fanmill::producer
