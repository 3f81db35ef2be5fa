#include "producer/row_columns.hpp"

#include <algorithm>
#include <charconv>

#include "proto/limits.hpp"
#include "proto/nearest.hpp"

namespace fanmill::producer {
namespace {

constexpr std::string_view kParamPrefix = "params.";
constexpr std::string_view kPositional = "arg";

// "arg2" is 1.
std::optional<std::size_t> position_of(std::string_view name) {
  if (!name.starts_with(kPositional)) return {};
  name.remove_prefix(kPositional.size());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size() || name.front() == '0' ||
      number > limits::kTupleElementsMax) {
    return {};
  }
  return number - 1;
}

std::optional<Column> parameter_named(std::string_view name,
                                      const std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) {
    return Column{RowFact::kParam, *found, *found, static_cast<std::size_t>(found - names.begin())};
  }
  if (!names.empty()) return {};
  if (const auto position = position_of(name)) {
    return Column{RowFact::kParam, std::string(name), std::string(name), position};
  }
  return {};
}

std::optional<Column> fixed_column(std::string_view name) {
  const auto& all = all_columns();
  const auto found = std::ranges::find(all, name, &Column::name);
  if (found == all.end()) return {};
  return *found;
}

std::optional<Column> column_named(std::string_view name, const std::vector<std::string>& names) {
  if (auto fixed = fixed_column(name)) return fixed;
  if (!name.starts_with(kParamPrefix)) return parameter_named(name, names);
  const std::string_view bare = name.substr(kParamPrefix.size());
  if (bare.empty()) return {};
  auto parameter = parameter_named(bare, names);
  if (!parameter && names.empty()) {
    parameter = Column{RowFact::kParam, std::string(bare), std::string(bare), std::nullopt};
  }
  if (parameter && fixed_column(bare)) parameter->name = name;
  return parameter;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

Error no_such_column(std::string_view name, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Column& column : all_columns()) known.push_back(column.name);
  std::string text = "--columns: there is no column \"" + std::string(name) + "\"";
  std::vector<std::string> every = known;
  every.insert(every.end(), names.begin(), names.end());
  if (const auto nearest = nearest_name(name, every)) text += "; did you mean " + *nearest + "?";
  text += "\n  There are " + joined(known) + ",\n  and the parameters ";
  text += names.empty() ? "arg1, arg2 ..., or params.NAME where the lines of the input name them"
                        : joined(names);
  return {ErrorCode::kUsage, std::move(text)};
}

}  // namespace

const std::vector<Column>& all_columns() {
  static const std::vector<Column> columns = {
      {RowFact::kIndex, "index", {}, {}},        {RowFact::kParams, "params", {}, {}},
      {RowFact::kValue, "value", {}, {}},        {RowFact::kStatus, "status", {}, {}},
      {RowFact::kCause, "cause", {}, {}},        {RowFact::kError, "error", {}, {}},
      {RowFact::kAttempt, "attempt", {}, {}},    {RowFact::kWorker, "worker", {}, {}},
      {RowFact::kStart, "start", {}, {}},        {RowFact::kRunTime, "run_s", {}, {}},
      {RowFact::kExitCode, "exit_code", {}, {}}, {RowFact::kSignal, "signal", {}, {}},
      {RowFact::kStdout, "stdout", {}, {}},      {RowFact::kStderr, "stderr", {}, {}}};
  return columns;
}

Column parameter_column(std::size_t position, const std::vector<std::string>& names) {
  std::string name = position < names.size()
                         ? names[position]
                         : std::string(kPositional) + std::to_string(position + 1);
  return {RowFact::kParam, name, name, position};
}

Result<std::vector<Column>> parse_columns(std::string_view list,
                                          const std::vector<std::string>& names) {
  std::vector<Column> columns;
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view name = list.substr(0, comma);
    auto column = column_named(name, names);
    if (!column) return tl::make_unexpected(no_such_column(name, names));
    if (std::ranges::find(columns, column->name, &Column::name) != columns.end()) {
      return fail(ErrorCode::kUsage,
                  "--columns: \"" + std::string(name) + "\" is there twice; name it once");
    }
    columns.push_back(std::move(*column));
    if (comma == list.size()) return columns;
    list.remove_prefix(comma + 1);
  }
}

std::string header_of(const Column& column) {
  const bool is_taken = column.fact == RowFact::kParam && fixed_column(column.name);
  return (is_taken ? std::string(kParamPrefix) : "") + column.name;
}

bool show_parameters(const std::vector<Column>& columns) {
  return std::ranges::any_of(columns, [](const Column& column) {
    return column.fact == RowFact::kParams || column.fact == RowFact::kParam;
  });
}

}  // namespace fanmill::producer
