#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "producer/commands/commands.hpp"
#include "producer/commands/submit_options.hpp"

namespace fanmill::producer {
namespace {

// The first that is neither an option of `submit exec` nor an option's value.
std::vector<std::string>::iterator first_word(std::vector<std::string>& args) {
  CLI::App app;
  RunOptions options;
  SubmitWords submit;
  options.add_to(app, true, Destination::kBroker);
  submit.add_to(app);
  auto word = args.begin();
  while (word != args.end() && word->starts_with('-')) {
    const CLI::Option* option = app.get_option_no_throw(word->substr(0, word->find('=')));
    if (option == nullptr) break;
    const bool takes_next =
        option->get_items_expected_min() > 0 && word->find('=') == std::string::npos;
    ++word;
    if (takes_next && word != args.end()) ++word;
  }
  return word;
}

}  // namespace

// `submit exec …` has the words of exec, for `exec` is the function that commands are: so
// `submit FUNCTION …` has no other meaning for it.
int submit_command(std::vector<std::string> args) {
  SubmitWords submit;
  const auto word = first_word(args);
  if (word != args.end() && *word == "exec") {
    args.erase(word);
    return exec_words("submit exec", std::move(args), &submit);
  }
  return map_words("submit", std::move(args), &submit);
}

}  // namespace fanmill::producer
