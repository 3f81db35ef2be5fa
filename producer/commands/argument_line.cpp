#include "producer/commands/argument_line.hpp"

#include <algorithm>
#include <iterator>
#include <span>

namespace fanmill::producer {
namespace {

constexpr const char* kCommand = "--";

using Words = std::vector<std::string>;

bool is_mark(const std::string& word) {
  return word == ":::" || word == ":::+" || word == "::::" || word == "::::+";
}

// `words` begins with a mark.
std::vector<ValueSpec> lists_of(std::span<const std::string> words) {
  std::vector<ValueSpec> lists;
  for (const std::string& word : words) {
    if (is_mark(word)) {
      lists.push_back(
          {.files = word.starts_with("::::"), .linked = word.ends_with('+'), .words = {}});
    } else {
      lists.back().words.push_back(word);
    }
  }
  return lists;
}

}  // namespace

Result<ArgumentLine> cut_map_line(std::vector<std::string> args) {
  ArgumentLine line;
  const auto list = std::find_if(args.begin(), args.end(), is_mark);
  line.lists = lists_of({list, args.end()});
  args.erase(list, args.end());
  line.words = std::move(args);
  return line;
}

Result<ArgumentLine> cut_exec_line(std::vector<std::string> args) {
  ArgumentLine line;
  const auto first_list = std::find_if(args.begin(), args.end(), is_mark);
  const auto dashes = std::find(args.begin(), args.end(), kCommand);
  if (dashes == args.end() || first_list < dashes) {
    // Values up to a `--`, if there is one behind them; else up to the end.
    line.lists = lists_of({first_list, dashes});
    line.words.assign(args.begin(), first_list);
    if (dashes != args.end()) {
      line.has_command = true;
      line.command.assign(std::next(dashes), args.end());
    }
  } else {
    line.lists = lists_of({first_list, args.end()});
    line.words.assign(args.begin(), dashes);
    line.has_command = true;
    line.command.assign(std::next(dashes), first_list);
  }
  if (line.has_command && line.command.empty()) {
    return fail(ErrorCode::kUsage,
                "no command behind `--`; for instance: fanmill exec ::: a b -- echo {}");
  }
  return line;
}

}  // namespace fanmill::producer
