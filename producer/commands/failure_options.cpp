#include "producer/commands/failure_options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fanmill::producer {
namespace {

struct Amount {
  std::uint64_t count{};
  std::uint32_t percent{};
};

// "3" or "5%".
std::optional<Amount> parse_amount(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  if (!percent) return Amount{number, 0};
  if (number == 0 || number > 100) return {};
  return Amount{0, static_cast<std::uint32_t>(number)};
}

tl::unexpected<Error> no_policy(const std::string& text) {
  return fail(ErrorCode::kUsage,
              "--halt " + text +
                  ": write when and at what, such as soon,fail=1 or now,success=3 or soon,done=50% "
                  "(now kills what runs, soon lets it end)");
}

}  // namespace

Result<std::vector<HaltPolicy>> parse_halt(const std::string& text) {
  if (text.empty() || text == "never") return std::vector<HaltPolicy>{};
  const std::size_t comma = text.find(',');
  const std::size_t sign = text.find('=');
  if (comma == std::string::npos || sign == std::string::npos || sign < comma)
    return no_policy(text);
  const std::string when = text.substr(0, comma);
  const std::string what = text.substr(comma + 1, sign - comma - 1);
  const auto amount = parse_amount(std::string_view(text).substr(sign + 1));
  if ((when != "now" && when != "soon") || !amount) return no_policy(text);
  if (amount->count == 0 && amount->percent == 0) return no_policy(text);
  HaltPolicy policy{.count = amount->count, .percent = amount->percent, .now = when == "now"};
  if (what == "fail") {
    policy.on = HaltOn::kFailures;
  } else if (what == "success") {
    policy.on = HaltOn::kSuccesses;
  } else if (what == "done") {
    policy.on = HaltOn::kEnds;
  } else {
    return no_policy(text);
  }
  return std::vector{policy};
}

Result<HaltPolicy> parse_max_failures(const std::string& text) {
  const auto amount = parse_amount(text);
  if (!amount)
    return fail(ErrorCode::kUsage, "--max-failures " + text +
                                       ": write a number of tasks, such as 10, or 1% to 100% of "
                                       "all");
  return HaltPolicy{
      .on = HaltOn::kFailures, .count = amount->count, .percent = amount->percent, .beyond = true};
}

void FailureOptions::add_to(CLI::App& app) {
  app.add_option("--retries", retries, "Further attempts for a task that fails")->type_name("N");
  app.add_option("--max-failures", max_failures,
                 "Begin nothing more once more tasks than that have failed: a number, or a part of "
                 "all (5%), which counts from when all input is read; the exit status is then 4")
      ->type_name("N|P%");
  app.add_option("--halt", halt,
                 "As of GNU parallel: now or soon (kill what runs, or let it end), a comma, fail, "
                 "success or done, = and a number or part: soon,fail=3")
      ->type_name("POLICY");
  app.add_flag(
         "--at-most-once", at_most_once,
         "A task that may have run never runs again: one that is lost with its worker ends as "
         "failed")
      ->disable_flag_override();
}

Result<void> FailureOptions::apply(JobOptions& job) const {
  if (at_most_once && retries > 0)
    return fail(ErrorCode::kUsage,
                "--retries and --at-most-once do not go together: the one runs a task again, the "
                "other never does");
  job.retries = retries;
  job.spec.at_most_once = at_most_once;
  auto policies = parse_halt(halt);
  if (!policies) return tl::make_unexpected(policies.error());
  job.halt = std::move(*policies);
  if (max_failures.empty()) return {};
  const auto most = parse_max_failures(max_failures);
  if (!most) return tl::make_unexpected(most.error());
  job.halt.push_back(*most);
  return {};
}

}  // namespace fanmill::producer
