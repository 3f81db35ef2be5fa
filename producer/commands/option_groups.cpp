#include "producer/commands/option_groups.hpp"

#include <array>
#include <cstddef>
#include <initializer_list>

namespace fanmill::producer {
namespace {

struct Group {
  const char* heading;
  std::initializer_list<const char*> options;
};

const std::array kGroups{
    Group{"Input",
          {"--lines", "--null", "--range", "--max-args", "--limit", "--sample", "--seed",
           "--dry-run"}},
    Group{"Running",
          {"--slots", "--broker", "--plugin", "--executor", "--retries", "--max-failures", "--halt",
           "--at-most-once", "--timeout", "--wait-workers", "--spill-max"}},
    Group{"Commands", {"--shell", "--chdir", "--env", "--stdin", "--max-output"}},
    Group{"Output",
          {"--format", "--columns", "--output", "--raw", "--tag", "--unordered", "--joblog",
           "--quiet", "--progress"}},
};

}  // namespace

void group_options(CLI::App& app) {
  // A few options need no headings.
  constexpr std::size_t kFew = 8;
  if (app.get_options().size() <= kFew) return;
  for (const Group& group : kGroups) {
    for (const char* name : group.options) {
      if (CLI::Option* option = app.get_option_no_throw(name)) option->group(group.heading);
    }
  }
}

}  // namespace fanmill::producer
