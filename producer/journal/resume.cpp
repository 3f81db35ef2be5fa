#include "producer/journal/resume.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "proto/shell_quote.hpp"

namespace fanmill::producer {
namespace {

// Of everything that may change a result; what only says how often or how long it is tried is left
// out.
TupleHash digest_of(const JobSpec& spec) {
  std::string all;
  const auto add = [&all](std::string_view text) {
    all += fmt::format("{} {}", text.size(), text);
  };
  const auto add_each = [&](const std::vector<std::string>& texts) {
    add(std::to_string(texts.size()));
    for (const std::string& text : texts) add(text);
  };
  add(spec.function);
  add_each(spec.argv);
  add_each(spec.names);
  add(spec.shell);
  add(spec.chdir);
  for (const EnvironmentVariable& variable : spec.env) {
    add(variable.name);
    add(variable.value);
  }
  add_each(spec.input);
  return hash_of(all);
}

std::string name_of(const JobSpec& spec) {
  return spec.argv.empty() ? spec.function : shell_line(spec.argv);
}

// One line each: digest and file. What cannot be read is told by whoever loads it.
std::string digests_of(const std::vector<std::string>& programs) {
  std::string lines;
  for (const std::string& program : programs) {
    std::ifstream file(program, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const TupleHash hash = hash_of(bytes);
    lines += fmt::format("{:016x}{:016x} {}\n", hash.high, hash.low, program);
  }
  return lines;
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// "run.db: 612 of 1000 tasks done; to run: 388 (300 new, 80 failed before, 8 not finished)"
void say_plan(const std::string& path, const ResumePlan& plan, std::vector<std::string>& said) {
  const std::uint64_t to_run = plan.tuples - plan.done;
  std::string line =
      fmt::format("{}: {} of {} done", path, plan.done, counted(plan.tuples, "task"));
  if (to_run == 0) {
    line += "; nothing to run";
  } else {
    line += fmt::format("; to run: {}", to_run);
    std::vector<std::string> kinds;
    if (plan.fresh > 0) kinds.push_back(fmt::format("{} new", plan.fresh));
    if (plan.failed > 0) kinds.push_back(fmt::format("{} failed before", plan.failed));
    if (plan.unfinished > 0) kinds.push_back(fmt::format("{} not finished", plan.unfinished));
    line += fmt::format(" ({})", fmt::join(kinds, ", "));
  }
  said.push_back(std::move(line));
  if (plan.gone > 0) {
    said.push_back(fmt::format("{}: {} of it {} not in the input any more, and kept there", path,
                               counted(plan.gone, "task"), plan.gone == 1 ? "is" : "are"));
  }
}

// The file that the journal speaks of is still there, with at least what it says.
bool is_still_there(const JournalOutput& output) {
  struct stat status{};
  return stat(output.path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) >= output.bytes;
}

}  // namespace

Result<OpenedJournal> open_journal(const JournalOptions& options, const JobSpec& spec,
                                   const std::vector<std::string>& programs,
                                   const std::optional<std::string>& output_path,
                                   const std::string& form, const OpenInput& reopen) {
  auto file = JournalFile::open(options.path, options.level);
  if (!file) return tl::make_unexpected(file.error());
  const auto recorded = file->run();
  if (!recorded) return tl::make_unexpected(recorded.error());
  JournalRun run{name_of(spec), digest_of(spec), {}, digests_of(programs)};
  if (!*recorded || file->positions() == 0) {
    if (auto set = file->set_run(run); !set) return tl::make_unexpected(set.error());
    return OpenedJournal{std::move(*file), std::move(run), {}, {}};
  }

  const JournalRun& before = **recorded;
  if (!options.resume) {
    return fail(ErrorCode::kUsage,
                fmt::format("{} has {} of {} already: go on with it by --resume, or name another "
                            "file with --journal FILE",
                            options.path, counted(file->positions(), "task"), before.function));
  }
  if (before.digest != run.digest) {
    const bool renamed = before.function != run.function;
    return fail(ErrorCode::kUsage,
                fmt::format("{} is of {}, and this is {}; it was left as it is. Name another file "
                            "with --journal FILE",
                            options.path, before.function,
                            renamed ? run.function
                                    : run.function + " with other parameters, directory or "
                                                     "environment"));
  }
  // All of it, before a file that is there is written anew.
  if (auto whole = file->verify(); !whole) return tl::make_unexpected(whole.error());
  OpenedJournal opened{std::move(*file), std::move(run), {}, {}};
  opened.run.signature = before.signature;
  if (before.plugins != opened.run.plugins) {
    opened.said.push_back(fmt::format(
        "{}: plugins or executors have changed since; what is done stays as it is (to run all "
        "again, name another file with --journal FILE)",
        options.path));
  }
  auto output = opened.file.output();
  if (!output) return tl::make_unexpected(output.error());
  std::error_code ignored;
  const bool same_file = *output && output_path && (*output)->form == form &&
                         (*output)->path == std::filesystem::absolute(*output_path, ignored) &&
                         is_still_there(**output);
  if (!same_file) output->reset();
  if (reopen) {
    auto source = reopen();
    if (!source) return tl::make_unexpected(source.error());
    if (const auto signature = parse_signature(before.signature);
        signature && !is_trivial(*signature)) {
      (*source)->set_signature(*signature);
    }
    const auto plan = plan_resume(opened.file, **source, *output);
    if (!plan) return tl::make_unexpected(plan.error());
    say_plan(options.path, *plan, opened.said);
    if (plan->output_continues) opened.output = std::move(*output);
  } else {
    opened.said.push_back(fmt::format("{}: {} there; what is done of the input is not run again",
                                      options.path, counted(opened.file.positions(), "task")));
  }
  if (auto dropped = opened.file.drop_failures(); !dropped)
    return tl::make_unexpected(dropped.error());
  if (!opened.output) {
    if (auto cleared = opened.file.set_output({}); !cleared)
      return tl::make_unexpected(cleared.error());
  }
  return opened;
}

}  // namespace fanmill::producer
