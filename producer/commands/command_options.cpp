#include "producer/commands/command_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "producer/quantities.hpp"
#include "proto/limits.hpp"
#include "proto/placeholder.hpp"

namespace fanmill::producer {
namespace {

constexpr const char* kShell = "/bin/sh";
constexpr const char* kFlagAlone = "true";  // what the parser makes of --shell without =PROGRAM

std::optional<std::uint32_t> whole_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

Result<EnvironmentVariable> variable_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  EnvironmentVariable variable;
  variable.name = text.substr(0, equals);
  if (variable.name.empty() || variable.name.size() > limits::kNameBytesMax) {
    return fail(ErrorCode::kUsage,
                fmt::format("--env {}: write NAME or NAME=VALUE, with a name of 1 to {} bytes",
                            text, limits::kNameBytesMax));
  }
  if (equals != std::string::npos) {
    variable.value = text.substr(equals + 1);
    variable.placeholders = true;
    return variable;
  }
  const char* const value = std::getenv(text.c_str());
  if (value == nullptr) {
    return fail(ErrorCode::kUsage, fmt::format("--env {0}: there is no such variable here to pass "
                                               "on; to set one: --env {0}=VALUE",
                                               text));
  }
  variable.value = value;
  return variable;
}

// How many values a tuple of this input has, where that is known before it is opened.
std::optional<std::size_t> values_per_tuple(const InputSpec& input) {
  if (input.lines) return 1;
  if (input.path) return {};
  std::size_t sources = input.ranges.size();
  for (const ValueSpec& list : input.lists) sources += list.files ? list.words.size() : 1;
  return sources;
}

// Calls `take` with every placeholder of the templates until it fails.
template <class Take>
Result<void> for_each_placeholder(const JobSpec& spec, Take take) {
  std::vector<std::string> templates = spec.argv;
  templates.push_back(spec.chdir);
  templates.insert(templates.end(), spec.input.begin(), spec.input.end());
  for (const EnvironmentVariable& variable : spec.env) {
    if (variable.placeholders) templates.push_back(variable.value);
  }
  for (const std::string& text : templates) {
    for (const TemplatePiece& piece : parse_template(text)) {
      const auto* const placeholder = std::get_if<Placeholder>(&piece);
      if (placeholder == nullptr) continue;
      if (auto ok = take(*placeholder); !ok) return ok;
    }
  }
  return {};
}

Result<void> check_positions(const JobSpec& spec, std::size_t count) {
  return for_each_placeholder(spec, [&](const Placeholder& placeholder) -> Result<void> {
    const auto* const position = std::get_if<ValuePosition>(&placeholder.what);
    if (position == nullptr) return {};
    const auto distance = static_cast<std::uint64_t>(std::abs(std::int64_t{position->number}));
    if (distance <= count) return {};
    return fail(ErrorCode::kUsage,
                fmt::format("the command uses {}, but it gets {} value{}{}; where the braces are "
                            "its own text, let them come as a value",
                            placeholder.text, count, count == 1 ? "" : "s",
                            spec.group > 0 ? " (-N)" : ", one from each source"));
  });
}

// What a job says of its commands travels in one header.
Result<void> check_size(const JobSpec& spec) {
  std::size_t bytes = spec.chdir.size();
  const auto add = [&](const std::string& text) { bytes += text.size(); };
  for (const std::string& argument : spec.argv) add(argument);
  for (const std::string& text : spec.input) add(text);
  for (const EnvironmentVariable& variable : spec.env) add(variable.value);
  if (bytes <= limits::kCommandBytesMax) return {};
  return fail(ErrorCode::kUsage,
              fmt::format("the command with its --stdin and --env has {} bytes; at most {} go. Put "
                          "long texts into files, or into the input",
                          bytes, limits::kCommandBytesMax));
}

}  // namespace

void CommandOptions::add_to(CLI::App& app) {
  app.add_flag("--shell", shell,
               "A shell reads the command: words joined by spaces, values quoted, as GNU parallel "
               "does; /bin/sh, or --shell=/bin/bash");
  app.add_option("-N,-n,--max-args", group,
                 "So many values of the one source for each command: {1} to {N}; the last command "
                 "gets what is left, and empty texts")
      ->type_name("N");
  app.add_option("--chdir", chdir, "Run each command in this directory; placeholders are filled")
      ->type_name("DIR");
  app.add_option("--env", env,
                 "NAME passes that variable on, also to workers elsewhere; NAME=VALUE sets it, and "
                 "placeholders in VALUE are filled; repeatable")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--stdin", input,
                 "What each command reads from stdin; placeholders are filled (else nothing)")
      ->type_name("TEXT");
}

Result<void> CommandOptions::apply(JobSpec& spec, const InputSpec& input_spec) const {
  spec.shell = shell == kFlagAlone ? kShell : shell;
  spec.chdir = chdir;
  if (input) spec.input = {*input};
  for (const std::string& text : env) {
    auto variable = variable_of(text);
    if (!variable) return tl::make_unexpected(variable.error());
    spec.env.push_back(std::move(*variable));
  }
  if (spec.env.size() > limits::kVariablesMax) {
    return fail(ErrorCode::kUsage, fmt::format("--env: at most {} variables; here are {}",
                                               limits::kVariablesMax, spec.env.size()));
  }
  auto count = values_per_tuple(input_spec);
  if (!group.empty()) {
    const auto size = whole_number(group);
    if (!size || *size == 0 || *size > limits::kTupleElementsMax) {
      return fail(ErrorCode::kUsage, fmt::format("-N {}: so many values for each command: 1 to {}",
                                                 group, limits::kTupleElementsMax));
    }
    if (count.value_or(1) > 1) {
      return fail(ErrorCode::kUsage,
                  fmt::format("-N takes the values of one source, and here are {}; without -N, "
                              "each command gets one value from every source",
                              *count));
    }
    spec.group = *size;
    count = spec.group;
  }
  if (auto ok = check_size(spec); !ok) return ok;
  return count ? check_positions(spec, *count) : Result<void>();
}

Result<void> check_group_names(const JobSpec& spec, const std::vector<std::string>& names) {
  if (spec.group == 0) return {};
  return for_each_placeholder(spec, [&](const Placeholder& placeholder) -> Result<void> {
    const auto* const name = std::get_if<ValueName>(&placeholder.what);
    if (name == nullptr || std::ranges::find(names, name->name) == names.end()) return {};
    return fail(ErrorCode::kUsage,
                fmt::format("with -N the values have places and no names: write {{}}, or {{1}} to "
                            "{{{}}}, instead of {}",
                            spec.group, placeholder.text));
  });
}

Result<void> apply_time_limit(JobSpec& spec, const std::string& text) {
  if (text.empty()) return {};
  if (text.ends_with('%')) {
    const auto percent = whole_number(std::string_view(text).substr(0, text.size() - 1));
    if (!percent || *percent == 0 || *percent > limits::kTimeLimitPercentMax) {
      return fail(ErrorCode::kUsage,
                  fmt::format("--timeout {}: a share of the median run time is a whole number from "
                              "1% to {}%, such as 300%",
                              text, limits::kTimeLimitPercentMax));
    }
    spec.time_limit_percent = *percent;
    return {};
  }
  const auto duration = parse_duration(text);
  if (!duration) return fail(ErrorCode::kUsage, "--timeout: " + duration.error().message);
  if (duration->count() == 0) {
    return fail(ErrorCode::kUsage, "--timeout must be longer than nothing; leave it out for none");
  }
  spec.time_limit_ms = static_cast<std::uint64_t>(duration->count());
  return {};
}

}  // namespace fanmill::producer
