#include "producer/commands/argument_line.hpp"

#include <algorithm>
#include <iterator>
#include <span>

namespace fanmill::producer {
namespace {

constexpr const char* kList = ":::";
constexpr const char* kCommand = "--";

using Words = std::vector<std::string>;

// `words` begins with `:::`.
Result<std::vector<Words>> lists_of(std::span<const std::string> words) {
  std::vector<Words> lists;
  for (const std::string& word : words) {
    if (word == kList) {
      lists.emplace_back();
    } else if (word == ":::+" || word == "::::") {
      return fail(ErrorCode::kUsage,
                  "`" + word +
                      "` is not known here: lists behind `:::` are crossed; for other combinations "
                      "give the tuples as JSON lines or CSV");
    } else {
      lists.back().push_back(word);
    }
  }
  return lists;
}

}  // namespace

Result<ArgumentLine> cut_map_line(std::vector<std::string> args) {
  ArgumentLine line;
  const auto list = std::find(args.begin(), args.end(), kList);
  auto lists = lists_of({list, args.end()});
  if (!lists) return tl::make_unexpected(lists.error());
  line.lists = std::move(*lists);
  args.erase(list, args.end());
  line.words = std::move(args);
  return line;
}

Result<ArgumentLine> cut_exec_line(std::vector<std::string> args) {
  ArgumentLine line;
  const auto first_list = std::find(args.begin(), args.end(), kList);
  const auto dashes = std::find(args.begin(), args.end(), kCommand);
  if (dashes == args.end() || first_list < dashes) {
    // Values up to a `--`, if there is one behind them; else up to the end.
    auto lists = lists_of({first_list, dashes});
    if (!lists) return tl::make_unexpected(lists.error());
    line.lists = std::move(*lists);
    line.words.assign(args.begin(), first_list);
    if (dashes != args.end()) {
      line.has_command = true;
      line.command.assign(std::next(dashes), args.end());
    }
  } else {
    auto lists = lists_of({first_list, args.end()});
    if (!lists) return tl::make_unexpected(lists.error());
    line.lists = std::move(*lists);
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
